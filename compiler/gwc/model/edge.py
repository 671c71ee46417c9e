"""The whole model of a gateway: requests and answers with their headers, tries, breakers, and what a service receives.

`Model` answers for traffic in numbers; this one for single requests, in all that a client or a service can see.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from gwc.ir import Gateway, Route
from gwc.model import origins
from gwc.model.answers import PROBLEM_TYPE, Answers, outlives
from gwc.model.clients import Clients
from gwc.model.forwarding import Forwarding, cached, combined, target
from gwc.model.gateway import Guards, Model, limited
from gwc.model.matching import Matched, host_name
from gwc.model.partial import conditional
from gwc.model.request import Answer, Outcome, Request
from gwc.model.tries import Line
from gwc.model.wire import Arrived, Asked, Credential, Exchange, Headers, Said, Script, hops, values, without
from gwc.routing import MethodRoute

_NO_SECRETS: Mapping[str, str] = MappingProxyType({})
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_PRIVATE = re.compile(r"(^|,)\s*(no-store|private)\s*([,;=]|$)")


@dataclass(slots=True)
class _Wired(Request):
    """A request of the smaller model with all that it was made from, and what arrived of it."""

    asked: Asked = field(kw_only=True)
    scripts: tuple[Script, ...] = field(kw_only=True)
    canonical: str = field(kw_only=True)
    made: Headers = field(kw_only=True)
    name: str = field(default="", kw_only=True)
    arrived: list[Arrived] = field(default_factory=list, kw_only=True)


class Edge(Model):
    """Asked in the order of times. A service is one endpoint, which does what the scripts say, one script a try."""

    def __init__(self, gateway: Gateway, secrets: Mapping[str, str] = _NO_SECRETS) -> None:
        super().__init__(gateway)
        self._gateway = gateway
        self._clients, self._answers = Clients(gateway), Answers(gateway)
        self._forwarding = Forwarding(gateway, secrets)
        self._lines = {service.name: Line(service.upstream) for service in gateway.services}

    def exchange(self, asked: Asked, scripts: Sequence[Script] = (Script(),)) -> Exchange:
        """What becomes of the request, should the service do so."""
        request_id = self._clients.request_id(asked)
        made = ((self._gateway.request_id.header, request_id), ("traceparent", self._clients.traceparent(asked)))
        if (redirected := self._redirected(asked, request_id)) is not None:
            return redirected
        matched = self.matcher.match(asked.method, asked.host, asked.path)
        if (preflighted := self._preflighted(asked, matched, request_id)) is not None:
            return preflighted
        request = self._request(asked, matched, scripts, (*made, *self._clients.forwarded(asked)))
        outcome = self.ask(request, Answer())
        if isinstance(outcome.content, Said) and not outcome.problem and matched.route is not None:
            return self._answered(request, matched.route, outcome, outcome.content, request_id)
        return self._refusal(request, matched, outcome, request_id)

    def purge(self, service: str, route: str) -> bool:
        """Drops what is kept for a route; false where there is no such cache."""
        guards = self._guards.get((service, route))
        if guards is None or guards.route.cache is None:
            return False
        self._store.forget(guards.name)
        return True

    def _request(self, asked: Asked, matched: Matched, scripts: Sequence[Script], made: Headers) -> _Wired:
        credential, audience = credited(asked.credentials, matched.route.route if matched.route else None)
        request = _Wired(
            time=asked.time, method=asked.method, host=asked.host, path=asked.path, query=asked.query,
            client_ip=self._clients.address(asked), headers=combined(without(asked.headers, hops(asked.headers))),
            body=asked.body, audience=audience, https=self._clients.scheme(asked) == "https", asked=asked,
            scripts=tuple(scripts), canonical=matched.path, made=made,
        )  # fmt: skip
        if credential is not None:
            request.user, request.credential, request.scopes = credential.key, credential.kind, credential.scopes
            request.name = credential.user
        return request

    def _tried(self, request: Request, answer: Answer, guards: Guards) -> Answer:  # noqa: ARG002 - the scripts say it
        assert isinstance(request, _Wired)
        wired = request

        def arrive(at: float) -> Arrived:
            headers = self._forwarding.headers(wired.asked, guards.route, wired.name, wired.made)
            where = target(wired.asked, guards.service, guards.route, wired.canonical)
            return Arrived(wired.method, where, headers, 0 if cached(wired.asked, guards.route) else wired.body, at)

        tried, arrived = self._lines[guards.service.name].send(guards.route, arrive, wired.scripts, wired.time)
        wired.arrived += arrived
        if tried.said is None:
            status = {"bad-gateway": 502, "timeout": 504}.get(tried.problem, 503)
            return Answer(status, tried.seconds, None, False, tried.problem, tried.limited_by, tried.retry_after)
        return _answer(tried.said, tried.seconds, guards)

    def _answered(self, request: _Wired, found: MethodRoute, outcome: Outcome, said: Said, request_id: str) -> Exchange:
        """A service's answer on its way to the client, kept or new."""
        asked, headers, kind = request.asked, self._answers.passed(said, found.service), self._answers.shaped(said)
        if kind:
            headers = (*outlives(headers), ("Content-Type", PROBLEM_TYPE))
        kept = outcome.cache in ("HIT", "STALE")
        headers = self._answers.finished(asked, found.route, headers, request_id, outcome.cache, kept=kept)
        exchange = Exchange(outcome, said.status, headers, said.body, kind, outcome.seconds, said.cut, request.name)
        exchange.arrived = request.arrived
        if kind:
            exchange.body = self._answers.problem(kind, said.status, asked, request_id)
        elif outcome.cache in ("HIT", "STALE", "MISS"):
            conditional(asked, exchange)
        if asked.method == "HEAD" or said.status in (204, 304):
            exchange.body = b""
        return exchange

    def _refusal(self, request: _Wired, matched: Matched, outcome: Outcome, request_id: str) -> Exchange:
        asked, route = request.asked, matched.route.route if matched.route else None
        allow = matched.entry.allow if matched.entry else ()
        said = self._answers.explained(outcome, route, allow)
        headers = self._answers.finished(asked, route, said, request_id, outcome.cache)
        body = self._answers.problem(outcome.problem, outcome.status, asked, request_id)
        exchange = Exchange(outcome, outcome.status, headers, body, outcome.problem, outcome.seconds)
        exchange.user, exchange.arrived = request.name, request.arrived
        return exchange

    def _redirected(self, asked: Asked, request_id: str) -> Exchange | None:
        https = self._gateway.listen.https
        if https is None or not https.redirect or asked.https:
            return None
        name, port = host_name(asked.host), https.address.port
        if not self._serves(name):
            nowhere = Matched(None, 400, "")
            outcome = Outcome(400, problem="bad-request")
            return self._refusal(self._request(asked, nowhere, (), ()), nowhere, outcome, request_id)
        where = f"https://{name}{'' if port == 443 else f':{port}'}{asked.target}"
        headers = self._answers.finished(asked, None, (("Location", where),), request_id, "")
        return Exchange(Outcome(308), 308, headers)

    def _serves(self, name: str) -> bool:
        named = {host for service in self._gateway.services for host in service.hosts}
        everywhere = any(not service.hosts for service in self._gateway.services)
        return bool(_HOST.fullmatch(name)) and (everywhere or name in named)

    def _preflighted(self, asked: Asked, matched: Matched, request_id: str) -> Exchange | None:
        """Limits per ip hold for preflights too; nothing else does."""
        found = origins.preflighted(asked, matched.entry)
        if found is None or found.route.cors is None:
            return None
        guards = self._guards[found.service.name, found.route.name]
        outcome = Outcome(204, guards.service.name, guards.route.name)
        asking = Matched(found, 200, matched.path, matched.entry)
        request = self._request(asked, asking, (), ())
        if limited(guards.early, request, outcome):
            return self._refusal(request, asking, outcome, request_id)
        outcome.status, said = origins.preflight(asked, found.route.cors)
        headers = self._answers.finished(asked, None, said, request_id, "")
        return Exchange(outcome, outcome.status, headers)


def credited(credentials: Sequence[Credential], route: Route | None) -> tuple[Credential | None, bool]:
    """The credential that counts for a route, tokens first, and whether none was only for another audience."""
    if route is None or route.auth is None:
        return None, True
    good = [c for c in credentials if c.user and c.kind in route.auth.providers]
    good.sort(key=lambda c: c.kind != "jwt")
    counting = next((c for c in good if c.audience), None)
    return counting, counting is not None or not good


def _answer(said: Said, seconds: float, guards: Guards) -> Answer:
    budget = guards.service.budget
    told = values(said.headers, budget.charge) if budget and budget.charge else []
    cost = int(told[0]) if told and told[0].isdigit() else None
    return Answer(said.status, seconds, cost, _may_be_kept(said), content=said)


MAX_KEPT = 1 << 20
"""Bytes of a body that is kept."""


def _may_be_kept(said: Said) -> bool:
    control = ",".join(values(said.headers, "cache-control")).lower()
    vary = [part.strip() for value in values(said.headers, "vary") for part in value.split(",")]
    private = values(said.headers, "set-cookie") or values(said.headers, "content-range") or "*" in vary
    return not (private or said.cut or _PRIVATE.search(control) or len(said.body) > MAX_KEPT)
