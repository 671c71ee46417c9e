"""One Gateway, asked request by request: the checks in the order of the language, with their counts."""

from __future__ import annotations

from heapq import heappop, heappush
from ipaddress import IPv6Address, ip_address

from gwc.ir import Gateway, Limit, LimitKey, Route, Service
from gwc.model import cache as edge
from gwc.model.buckets import Buckets, Budgets
from gwc.model.matching import Matcher, host_name
from gwc.model.request import Answer, Outcome, Request
from gwc.routing import MethodRoute

PROBLEMS = {400: "bad-request", 404: "not-found", 405: "method-not-allowed"}


class Guarded:
    """A limit with its buckets."""

    __slots__ = ("buckets", "header", "id", "key", "shadow")

    def __init__(self, limit: Limit) -> None:
        self.id, self.key, self.header, self.shadow = limit.id, limit.key, limit.header, limit.shadow
        self.buckets = Buckets(limit.rate, limit.burst)

    def of(self, request: Request) -> str:
        if self.key is LimitKey.IP:
            return network(request.client_ip)
        if self.key is LimitKey.USER:
            return request.user
        return request.headers.get(self.header or "", "") if self.key is LimitKey.HEADER else ""


def network(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 one."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed.ipv4_mapped) if isinstance(parsed, IPv6Address) else address


class InFlight:
    """Requests that have not ended yet, under a cap; None is no cap."""

    __slots__ = ("_ends", "cap")

    def __init__(self, cap: int | None) -> None:
        self.cap = cap
        self._ends: list[float] = []

    def full(self, now: float) -> bool:
        while self._ends and self._ends[0] <= now:
            heappop(self._ends)
        return self.cap is not None and len(self._ends) >= self.cap

    def enter(self, end: float) -> None:
        if self.cap is not None:
            heappush(self._ends, end)


class Guards:
    """What a request for one route passes: limits by stage, and what its service shares."""

    __slots__ = ("budget", "early", "in_flight", "late", "name", "route", "service")

    def __init__(
        self, service: Service, route: Route, limits: list[Guarded], shared: tuple[Budgets | None, InFlight]
    ) -> None:
        self.service, self.route, self.name = service, route, f"{service.name}/{route.name}"
        public = route.auth is None
        self.early = [limit for limit in limits if limit.key is LimitKey.IP]
        self.late = [m for m in limits if m.key is not LimitKey.IP and not (public and m.key is LimitKey.USER)]
        self.budget, self.in_flight = (None if public else shared[0]), shared[1]


class Model:
    """State is that of one gateway process from its start. Requests have to come in the order of their times."""

    def __init__(self, gateway: Gateway) -> None:
        self.matcher = Matcher(gateway)
        self._all = InFlight(gateway.concurrency)
        self._store = edge.Store()
        platform = [Guarded(limit) for limit in gateway.limits]
        self._guards: dict[tuple[str, str], Guards] = {}
        for service in gateway.services:
            common = [*platform, *(Guarded(limit) for limit in service.limits)]
            shared = Budgets(service.budget.units) if service.budget else None, InFlight(service.upstream.concurrency)
            for route in service.routes:
                own = [Guarded(limit) for limit in route.limits]
                self._guards[service.name, route.name] = Guards(service, route, [*common, *own], shared)

    def ask(self, request: Request, answer: Answer) -> Outcome:
        """What the request comes to if the service, should it be asked, answers so."""
        matched = self.matcher.match(request.method, request.host, request.path)
        if matched.route is None:
            return Outcome(matched.status, problem=PROBLEMS[matched.status])
        guards = self._guards[_names(matched.route)]
        outcome = Outcome(answer.status, guards.service.name, guards.route.name)
        if self._refused(request, guards, outcome):
            return outcome
        if guards.route.cache is not None and request.method in ("GET", "HEAD"):
            return self._cached(request, answer, guards, matched.path, outcome)
        if guards.route.cache is not None:
            outcome.cache = "BYPASS"
        self._served(request, answer, guards, outcome)
        return outcome

    def _refused(self, request: Request, guards: Guards, outcome: Outcome) -> bool:
        """The checks before the cache. The first that refuses decides, and takes nothing of a later one."""
        if limited(guards.early, request, outcome) or unauthorised(guards.route, request, outcome):
            return True
        return limited(guards.late, request, outcome)

    def _cached(self, request: Request, answer: Answer, guards: Guards, path: str, outcome: Outcome) -> Outcome:
        settings = guards.route.cache
        assert settings is not None
        key = edge.key(guards.name, host_name(request.host), path, settings, request)
        now = request.time
        kept = self._store.get(key, now)
        if kept is not None and now < kept.fresh_until:
            outcome.seconds = max(0.0, kept.since - now)  # a miss that is under way is waited for
            return served_from(outcome, kept, "HIT")
        if kept is not None and edge.renews_behind(settings, kept, now):
            if now >= kept.renewed_at:
                renewal = self._tried(request, answer, guards)
                kept.renewed_at = now + renewal.seconds
                kept.renewed = self._worth(guards, renewal, kept.renewed_at)
            return served_from(outcome, kept, "STALE")
        outcome.cache = "MISS"
        answered = self._served(request, answer, guards, outcome)
        failed = outcome.status >= 500 and outcome.limited_by in edge.COVERED
        if failed and kept is not None and edge.covers_failure(settings, kept, now):
            outcome.problem, outcome.limited_by, outcome.retry_after = "", "", None
            return served_from(outcome, kept, "STALE")
        if answered is not None and not outcome.refused and request.method == "GET":
            self._keep(key, guards, answered, now + answered.seconds)
        return outcome

    def _keep(self, key: tuple[object, ...], guards: Guards, answer: Answer, now: float) -> None:
        if kept := self._worth(guards, answer, now):
            self._store.put(key, kept)

    def _worth(self, guards: Guards, answer: Answer, now: float) -> edge.Kept | None:
        """What is kept of an answer that ended now; None for one that is not."""
        settings = guards.route.cache
        assert settings is not None
        seconds = edge.lifetime(settings, answer)
        if not seconds:
            return None
        return edge.Kept(answer.status, now + seconds, answer.status != 200, content=answer.content, since=now)

    def _served(self, request: Request, answer: Answer, guards: Guards, outcome: Outcome) -> Answer | None:
        """The checks behind the cache, and the service: what it answered, None where it was not asked."""
        now, cost = request.time, guards.route.cost
        if guards.budget is not None and (wait := guards.budget.wait(request.user, cost, now)):
            refuse(outcome, 429, "budget-exhausted", "budget", wait)
            return None
        if self._too_much(request, guards, outcome):
            if guards.budget is not None:
                guards.budget.take(request.user, cost, now)
                outcome.cost = cost
            return None
        answer = self._tried(request, answer, guards)
        self._all.enter(now + answer.seconds)
        guards.in_flight.enter(now + answer.seconds)
        if guards.budget is not None:
            budget = guards.service.budget
            settled = answer.cost if budget and budget.charge and answer.cost is not None else cost
            guards.budget.take(request.user, settled, now)
            outcome.cost = settled
        outcome.status, outcome.content, outcome.seconds = answer.status, answer.content, answer.seconds
        if answer.problem:
            refuse(outcome, answer.status, answer.problem, answer.limited_by, answer.retry_after)
        return answer

    def _too_much(self, request: Request, guards: Guards, outcome: Outcome) -> bool:
        """The last checks: the units are taken by then. Envoy's and NGINX's order; docs/policy.md has Kong's."""
        if request.body > guards.route.max_body:
            return refuse(outcome, 413, "payload-too-large", "", None)
        if self._all.full(request.time):
            return refuse(outcome, 503, "overloaded", "concurrency", 1.0)
        if guards.in_flight.full(request.time):
            return refuse(outcome, 503, "overloaded", "upstream.concurrency", 1.0)
        return False

    def _tried(self, request: Request, answer: Answer, guards: Guards) -> Answer:  # noqa: ARG002 - for who knows more
        """What becomes of the answer on its way: here only whether it is in time."""
        timeout = guards.route.timeouts.request
        if answer.seconds <= timeout or not _bounded(guards.route):
            return answer
        return Answer(504, timeout, answer.cost, cacheable=False, problem="timeout")


def _names(found: MethodRoute) -> tuple[str, str]:
    return found.service.name, found.route.name


def _bounded(route: Route) -> bool:
    """Whether `timeouts.request` bounds the whole answer."""
    return not (route.stream or route.websocket)


def refuse(outcome: Outcome, status: int, problem: str, by: str, wait: float | None) -> bool:
    outcome.status, outcome.problem, outcome.limited_by, outcome.retry_after = status, problem, by, wait
    return True


def served_from(outcome: Outcome, kept: edge.Kept, how: str) -> Outcome:
    outcome.status, outcome.cache, outcome.cost, outcome.content = kept.status, how, 0, kept.content
    return outcome


def limited(limits: list[Guarded], request: Request, outcome: Outcome) -> bool:
    """All limits of a stage, or none of them: a refusal takes no token."""
    if not limits:
        return False
    now = request.time
    keys = [limit.of(request) for limit in limits]
    for limit, key in zip(limits, keys, strict=True):
        if not limit.shadow and (wait := limit.buckets.wait(key, now)):
            return refuse(outcome, 429, "rate-limited", limit.id, wait)
    for limit, key in zip(limits, keys, strict=True):
        if limit.shadow and limit.buckets.wait(key, now):
            outcome.shadowed_by = (*outcome.shadowed_by, limit.id)
        else:
            limit.buckets.take(key, now)
    return False


def unauthorised(route: Route, request: Request, outcome: Outcome) -> bool:
    if route.auth is None:
        return False
    if not request.audience:
        return refuse(outcome, 403, "forbidden", "", None)
    if not request.user or (request.credential and request.credential not in route.auth.providers):
        return refuse(outcome, 401, "unauthorized", "", None)
    if request.scopes is not None and not request.scopes.issuperset(route.auth.scopes):
        return refuse(outcome, 403, "forbidden", "", None)
    return False
