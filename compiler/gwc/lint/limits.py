"""Limits that do not guard what they seem to (GWC320 to GWC329)."""

from __future__ import annotations

from gwc.diagnostics import Related, Span
from gwc.features import limits, routes
from gwc.ir import Gateway, Limit, LimitKey, Service
from gwc.lint.concerned import guarded
from gwc.lint.identity import IDENTITY_HEADERS
from gwc.lint.rule import Finding, Findings, GatewayRule, Rule
from gwc.units import format_rate


def written(limit: Limit) -> str:
    return f"{format_rate(limit.rate)}, burst {limit.burst}"


class LimitNeverTriggers(GatewayRule):
    """An outer limit always refuses first.

    ## What it does
    Looks for a limit whose enforced neighbour on a wider level, with the same key, has a rate and a burst that are no
    larger; and for one per user or header beside a bucket for all (`per: service`) that is no larger.

    ## Why is this bad?
    Every request takes a token from both buckets, and the wider one also gives tokens to other routes: it is empty
    first. The inner limit protects nothing, and whoever raises it wonders why nothing changes.

    ## Example
    ```yaml
    # policies/platform.yaml
    limits: [{per: ip, rate: 100/min, burst: 20}]
    ```
    ```yaml
    # policies/shop.yaml
    limits: [{per: ip, rate: 300/min, burst: 60}]
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    limits: [{per: ip, rate: 1000/min, burst: 200}]
    ```
    ```yaml
    # policies/shop.yaml
    limits: [{per: ip, rate: 300/min, burst: 60}]
    ```
    """

    code, name = "GWC320", "limit-never-triggers"

    def check(self, gateway: Gateway) -> Findings:
        for service in gateway.services:
            for limit in service.limits:
                beside = [other for other in service.limits if other.key is LimitKey.SERVICE and other is not limit]
                if outer := _refusing_first(limit, (*gateway.limits, *beside)):
                    yield self._finding(service.name, limit, outer)
            wider = (*gateway.limits, *service.limits)
            for route in service.routes:
                for limit in route.limits:
                    if outer := _refusing_first(limit, wider):
                        yield self._finding(f"{service.name}/{route.name}", limit, outer)

    def _finding(self, subject: str, limit: Limit, outer: Limit) -> Finding:
        return Finding(
            limit.provenance["rate"].span,
            subject,
            f"the limit of {written(limit)} never refuses: {written(outer)} around it does so first",
            "tighten this one, remove it, or raise the outer one",
            (Related(outer.provenance["rate"].span, "the outer limit"),),
        )


def _refusing_first(limit: Limit, wider: tuple[Limit, ...]) -> Limit | None:
    """The first of the wider ones that lets nothing through that this one would refuse."""
    for outer in wider:
        if (outer.key is not limit.key or outer.header != limit.header) and not _holds_all(outer, limit):
            continue
        tighter = outer.burst <= limit.burst and outer.rate.per_second <= limit.rate.per_second
        if tighter and outer.cluster == limit.cluster and not outer.shadow:
            return outer
    return None


def _holds_all(outer: Limit, limit: Limit) -> bool:
    """Limits per address refuse in an earlier stage, so they still protect the bucket for all."""
    return outer.key is LimitKey.SERVICE and limit.key in (LimitKey.USER, LimitKey.HEADER)


class OneAddressForAll(GatewayRule):
    """Limits per address, and everybody seems to have the same one.

    ## What it does
    Looks for limits per `ip` on a gateway that other machines reach over plain HTTP and that trusts no proxy.

    ## Why is this bad?
    Where TLS ends at a load balancer, every request comes from the load balancer's address. Without `trusted_proxies`
    all clients share one bucket: the first busy minute refuses everybody, and a limit per address is an outage.

    ## Example
    ```yaml
    # policies/platform.yaml
    listen: {http: 8080}
    limits: [{per: ip, rate: 1000/min, burst: 200}]
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    listen: {http: 8080}
    trusted_proxies: [10.0.0.0/8]
    limits: [{per: ip, rate: 1000/min, burst: 200}]
    ```
    """

    code, name = "GWC321", "one-address-for-all"

    def check(self, gateway: Gateway) -> Findings:
        http = gateway.listen.http
        if gateway.trusted_proxies or gateway.listen.https or http is None or http.host.startswith("127."):
            return
        for subject, limit in limits(gateway):
            if limit.key is LimitKey.IP and not limit.shadow:
                yield Finding(
                    limit.provenance["key"].span,
                    "" if subject == "the platform" else subject,
                    "behind a load balancer all clients share this bucket: no proxy's X-Forwarded-For is believed",
                    "write trusted_proxies with the load balancers' networks, or listen.https where there are none",
                    (Related(gateway.listen.provenance["http"].span, "plain HTTP, so TLS ends before the gateway"),),
                )


class LimitOfNobody(GatewayRule):
    """A limit per user where nobody is one.

    ## What it does
    Looks for a service's limits per `user`, or a budget, when all its routes are public.

    ## Why is this bad?
    Such limits hold for verified users, and public routes verify none: nothing is limited at all.

    ## Example
    ```yaml
    # policies/shop.yaml
    auth: none
    limits: [{per: user, rate: 60/min}, {per: ip, rate: 60/min}]
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    auth: none
    limits: [{per: ip, rate: 60/min}]
    ```
    """

    code, name = "GWC322", "limit-of-nobody"

    def check(self, gateway: Gateway) -> Findings:
        for service in gateway.services:
            if any(route.auth for route in service.routes):
                continue
            for limit in service.limits:
                if limit.key is LimitKey.USER:
                    yield self._finding(service, limit.provenance["key"].span, "a limit per user")
            if service.budget:
                yield self._finding(service, service.budget.provenance["units"].span, "a budget")

    def _finding(self, service: Service, span: Span, what: str) -> Finding:
        hint = "ask for credentials on some route, or remove it and limit per ip"
        return Finding(span, service.name, f"{what}, and every route is public", hint)


class NoLimitPerAddress(GatewayRule):
    """A route that one machine may call without end.

    ## What it does
    Looks for routes with no enforced limit per `ip` on any level.

    ## Why is this bad?
    It is the only limit that counts before credentials are checked. Without it a single machine tries passwords and
    tokens, or simply floods, at the speed of its line.

    ## Example
    ```yaml
    # policies/platform.yaml
    limits: []
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    limits: [{per: ip, rate: 1000/min, burst: 200}]
    ```

    ## References
    - [OWASP API2:2023, broken authentication](https://owasp.org/API-Security/editions/2023/en/0xa2-broken-authentication/)
    """

    code, name = "GWC323", "no-limit-per-address"

    def check(self, gateway: Gateway) -> Findings:
        if _per_address(gateway.limits):
            return
        for subject, service, route in routes(gateway):
            if not (_per_address(service.limits) or _per_address(route.limits)):
                yield Finding(
                    service.provenance["name"].span,
                    subject,
                    "no limit per ip, on no level",
                    "write limits: [{per: ip, rate: 300/min, burst: 60}] on the service, or on the platform",
                )


def _per_address(limits: tuple[Limit, ...]) -> bool:
    return any(limit.key is LimitKey.IP and not limit.shadow for limit in limits)


class HeaderAnybodyChooses(GatewayRule):
    """A limit that a client escapes by another value.

    ## What it does
    Looks for limits per header on routes without any other enforced limit per `ip` or `user`.

    ## Why is this bad?
    Clients write their own headers. Whoever sends a new `X-Tenant` with each request gets a new bucket with each
    request; such a limit is a courtesy between friends, and needs one beside it that cannot be chosen.

    ## Example
    ```yaml
    # policies/platform.yaml
    limits: []
    ```
    ```yaml
    # policies/shop.yaml
    limits: [{per: {header: X-Tenant}, rate: 60/min}]
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    limits: [{per: {header: X-Tenant}, rate: 60/min}, {per: ip, rate: 300/min}]
    ```
    """

    code, name = "GWC324", "header-anybody-chooses"

    def check(self, gateway: Gateway) -> Findings:
        for subject, service, route in routes(gateway) if not _per_address(gateway.limits) else ():
            every = (*gateway.limits, *service.limits, *route.limits)
            known = (LimitKey.IP, LimitKey.USER) if route.auth else (LimitKey.IP,)
            if any(m.key in known and not m.shadow for m in every):
                continue
            for limit in every:
                if limit.key is LimitKey.HEADER:
                    yield Finding(
                        limit.provenance["key"].span,
                        subject,
                        f"a client with a new `{limit.header}` for each request is not limited at all",
                        "add a limit per ip, or per user",
                    )


class UnverifiedUser(GatewayRule):
    """A limit per user that counts what the client claims.

    ## What it does
    Looks for limits per header whose header tells who somebody is (`X-User`, `X-Forwarded-User` and their like) on
    routes that ask for credentials.

    ## Why is this bad?
    Nobody strips that header: the platform's user header is another one. Whoever wants a fresh bucket sends another
    name, and whoever wants to lock a colleague out sends theirs.

    ## Example
    ```yaml
    # policies/shop.yaml
    limits: [{per: {header: X-User}, rate: 60/min}]
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    limits: [{per: user, rate: 60/min}]
    ```
    """

    code, name = "GWC325", "unverified-user"

    def check(self, gateway: Gateway) -> Findings:
        for subject, service, route in guarded(gateway) if _any_identity(gateway) else ():
            for limit in (*gateway.limits, *service.limits, *route.limits):
                if limit.header in IDENTITY_HEADERS:
                    yield Finding(
                        limit.provenance["key"].span,
                        subject,
                        f"`{limit.header}` says who the client claims to be, and nobody verifies it",
                        "write per: user, which counts the verified subject",
                    )


def _any_identity(gateway: Gateway) -> bool:
    named = {limit.header for limit in gateway.limits}
    named |= {limit.header for service in gateway.services for limit in service.limits}
    named |= {limit.header for service in gateway.services for route in service.routes for limit in route.limits}
    return not named.isdisjoint(IDENTITY_HEADERS)


RULES: tuple[type[Rule], ...] = (
    LimitNeverTriggers,
    OneAddressForAll,
    LimitOfNobody,
    NoLimitPerAddress,
    HeaderAnybodyChooses,
    UnverifiedUser,
)
