"""Caps that contain nothing (GWC340 to GWC349)."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.diagnostics import Related, Severity
from gwc.ir import Endpoint, Gateway, Limit, Route, Service, Upstream
from gwc.lint.context import Context
from gwc.lint.rule import Finding, Findings, GatewayRule, Rule


class BurstBeyondConcurrency(GatewayRule):
    """A limit admits at once what the concurrency cap refuses.

    ## What it does
    Compares the burst of limits on a service and its routes with `upstream.concurrency`.

    ## Why is this bad?
    Requests that the limit lets in and the cap turns away get 503 `overloaded` instead of 429: clients see an outage
    where they should slow down, and one caller within its limit fills the service for all.

    ## Example
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], concurrency: 32}
    limits: [{per: ip, rate: 600/min, burst: 200}]
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], concurrency: 32}
    limits: [{per: ip, rate: 600/min, burst: 20}]
    ```
    """

    code, name = "GWC340", "burst-beyond-concurrency"

    def check(self, gateway: Gateway) -> Findings:
        for service in gateway.services:
            if (cap := service.upstream.concurrency) is None:
                continue
            for route, limit in _above(cap, service):
                if not limit.shadow:
                    yield Finding(
                        limit.provenance["burst"].span,
                        f"{service.name}/{route.name}" if route else service.name,
                        f"a burst of {limit.burst} is admitted at once, and {cap} requests may be in flight",
                        f"write burst: {max(cap // 2, 1)} or less, or raise upstream.concurrency",
                        (Related(service.upstream.provenance["concurrency"].span, "the cap"),),
                    )


def _above(cap: int, service: Service) -> list[tuple[Route | None, Limit]]:
    of_routes = [(route, limit) for route in service.routes for limit in route.limits if limit.burst > cap]
    return [*((None, limit) for limit in service.limits if limit.burst > cap), *of_routes]


class CapAboveCap(GatewayRule):
    """A service's cap that the platform's never lets it reach.

    ## What it does
    Compares `upstream.concurrency` with the platform's `concurrency`.

    ## Why is this bad?
    The platform's cap spans all services. A service whose own cap is as large can take the whole gateway, so that its
    slowness is everybody's outage: the cap that should contain it never refuses anything.

    ## Example
    ```yaml
    # policies/platform.yaml
    concurrency: 200
    ```
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], concurrency: 500}
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    concurrency: 200
    ```
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], concurrency: 100}
    ```

    ## References
    - [Bulkhead pattern](https://learn.microsoft.com/en-us/azure/architecture/patterns/bulkhead)
    """

    code, name = "GWC341", "cap-above-cap"

    def check(self, gateway: Gateway) -> Findings:
        for service in gateway.services:
            cap = service.upstream.concurrency
            if cap is not None and gateway.concurrency is not None and cap >= gateway.concurrency:
                yield Finding(
                    service.upstream.provenance["concurrency"].span,
                    service.name,
                    f"a cap of {cap} contains nothing: all services together may have {gateway.concurrency}",
                    "write a cap well below the platform's",
                    (Related(gateway.provenance["concurrency"].span, "the platform's cap"),),
                )


class NoCap(Rule):
    """One slow service can take the whole gateway.

    ## What it does
    Looks for services without `upstream.concurrency` on a platform of several services with a cap over all. A waiver of
    that bound is an answer.

    ## Why is this bad?
    Slow requests pile up. Without a cap of its own, the service that hangs fills the platform's, and services that are
    well answer 503.

    ## Example
    ```yaml
    # policies/platform.yaml
    concurrency: 200
    ```
    ```yaml
    # policies/other.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8001"}], concurrency: 50}
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    concurrency: 200
    ```
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], concurrency: 100}
    ```
    ```yaml
    # policies/other.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8001"}], concurrency: 50}
    ```

    ## References
    - [Addressing cascading failures](https://sre.google/sre-book/addressing-cascading-failures/)
    """

    code, name, severity = "GWC342", "no-cap", Severity.INFO

    def findings(self, context: Context) -> Findings:
        gateway = context.gateway
        waived = {w.service for w in context.platform.waivers if w.bound == "upstream.concurrency"}
        if gateway.concurrency is None or len(gateway.services) < 2:
            return
        for service in gateway.services:
            if service.upstream.concurrency is None and service.name not in waived:
                yield Finding(
                    service.upstream.provenance["endpoints"].span,
                    service.name,
                    f"no cap of its own: when it hangs it takes all {gateway.concurrency} of the platform",
                    "write upstream.concurrency",
                    (Related(gateway.provenance["concurrency"].span, "the platform's cap"),),
                )


class CapsBeyondThePlatform(GatewayRule):
    """The services' caps add up to more than there is.

    ## What it does
    Compares the sum of `upstream.concurrency` with the platform's `concurrency`.

    ## Why is this bad?
    Each team believes in its share. On the day that all of them need it, the platform's cap refuses whoever comes
    last, whatever their own cap says; which team that is changes from second to second.

    ## Example
    ```yaml
    # policies/platform.yaml
    concurrency: 100
    ```
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], concurrency: 80}
    ```
    ```yaml
    # policies/other.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8001"}], concurrency: 80}
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    concurrency: 200
    ```
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], concurrency: 80}
    ```
    ```yaml
    # policies/other.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8001"}], concurrency: 80}
    ```
    """

    code, name = "GWC343", "caps-beyond-the-platform"

    def check(self, gateway: Gateway) -> Findings:
        capped = [s.upstream for s in gateway.services if s.upstream.concurrency is not None]
        total = sum(upstream.concurrency or 0 for upstream in capped)
        if gateway.concurrency is not None and len(capped) > 1 and total > gateway.concurrency:
            largest = max(capped, key=lambda upstream: upstream.concurrency or 0)
            yield Finding(
                gateway.provenance["concurrency"].span,
                "",
                f"the services' caps add up to {total}, and {gateway.concurrency} requests may be in flight",
                "raise the platform's cap, or lower those of services that never reach theirs",
                (Related(largest.provenance["concurrency"].span, f"the largest: {largest.concurrency}"),),
            )


class OneEndpointTwoCaps(GatewayRule):
    """Two policies guard the same endpoint, each by itself.

    ## What it does
    Looks for an endpoint that two services name, when their caps, breakers, health checks or TLS differ.

    ## Why is this bad?
    Caps and breakers belong to a service of the policies, not to the process behind it. That process gets the sum of
    both caps, and one policy keeps sending to it what the other's breaker has given up on.

    ## Example
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], concurrency: 20}
    ```
    ```yaml
    # policies/other.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], concurrency: 50}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], concurrency: 20}
    ```
    ```yaml
    # policies/other.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8001"}], concurrency: 50}
    ```
    """

    code, name = "GWC344", "one-endpoint-two-caps"

    def check(self, gateway: Gateway) -> Findings:
        seen: dict[str, tuple[Service, Endpoint]] = {}
        for service, endpoint in _endpoints(gateway):
            first, there = seen.setdefault(str(endpoint.address), (service, endpoint))
            if first is service:
                continue
            ours, theirs = _guards(service.upstream), _guards(first.upstream)
            if differing := [name for name in ours if ours[name] != theirs[name]]:
                yield Finding(
                    endpoint.provenance["address"].span,
                    service.name,
                    f"{endpoint.address} is also behind {first.name}, with other guards: {', '.join(differing)}",
                    "let one policy describe what one process serves",
                    (Related(there.provenance["address"].span, f"{first.name} names it here"),),
                )


def _endpoints(gateway: Gateway) -> Iterator[tuple[Service, Endpoint]]:
    for service in gateway.services:
        yield from ((service, endpoint) for endpoint in service.upstream.endpoints)


def _guards(upstream: Upstream) -> dict[str, object]:
    """What should be the same for one process, by the policy's word. Nodes compare by value."""
    return {name: getattr(upstream, name) for name in ("concurrency", "breaker", "health", "tls")}


RULES: tuple[type[Rule], ...] = (
    BurstBeyondConcurrency,
    CapAboveCap,
    NoCap,
    CapsBeyondThePlatform,
    OneEndpointTwoCaps,
)
