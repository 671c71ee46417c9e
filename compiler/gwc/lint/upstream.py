"""How the gateway reaches a service, and finds out that it cannot (GWC310 to GWC319)."""

from __future__ import annotations

from gwc.diagnostics import Related, Severity
from gwc.ir import Address, Gateway, Level
from gwc.lint.concerned import fitting, public
from gwc.lint.perimeter import loopback
from gwc.lint.rule import Finding, Findings, GatewayRule, Rule
from gwc.units import format_duration

LONG_SILENCE = 3600.0


HEALTHY_EVERY = 60.0


class EndpointNobodyChecks(GatewayRule):
    """A dead endpoint keeps its share of the traffic.

    ## What it does
    Looks for several endpoints with neither `breaker` nor `health`.

    ## Why is this bad?
    The gateway takes the endpoints in turn. When one of two dies, every second request fails for as long as it takes
    somebody to notice; retries hide it only from safe methods, and double the load of the other.

    ## Example
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}, {url: "http://127.0.0.1:8001"}]}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    upstream:
      endpoints: [{url: "http://127.0.0.1:8000"}, {url: "http://127.0.0.1:8001"}]
      breaker: {failures: 5, open: 10s}
      health: {path: /readyz, every: 5s}
    ```

    ## References
    - [Implementing health checks](https://aws.amazon.com/builders-library/implementing-health-checks/)
    """

    code, name = "GWC310", "endpoint-nobody-checks"

    def check(self, gateway: Gateway) -> Findings:
        for service in gateway.services:
            upstream = service.upstream
            if len(upstream.endpoints) > 1 and upstream.breaker is None and upstream.health is None:
                yield Finding(
                    upstream.provenance["endpoints"].span,
                    service.name,
                    f"{len(upstream.endpoints)} endpoints, and neither breaker nor health check takes a dead one out",
                    "write breaker: {failures: 5, open: 10s}, or health: {path: /readyz, every: 5s}",
                )


class ConnectOutlastsRequest(GatewayRule):
    """The time to connect is the time of the whole request.

    ## What it does
    Compares `timeouts.connect` with `timeouts.request`.

    ## Why is this bad?
    A connection within a data centre is there in milliseconds or not at all. When the gateway waits for it as long as
    for the whole answer, a host that is gone costs every request its full time, and no retry on another endpoint fits.

    ## Example
    ```yaml
    # policies/shop.yaml
    timeouts: {connect: 10s, request: 10s}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    timeouts: {connect: 1s, request: 10s}
    ```
    """

    code, name = "GWC311", "connect-outlasts-request"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in fitting(
            gateway, "timeouts", fits=lambda timeouts: timeouts.connect >= timeouts.request
        ):
            timeouts = route.timeouts
            yield Finding(
                timeouts.provenance["connect"].span,
                subject,
                f"timeouts.connect of {format_duration(timeouts.connect)} leaves nothing of timeouts.request "
                f"({format_duration(timeouts.request)})",
                "write connect: 1s or less",
                (Related(timeouts.provenance["request"].span, "the whole request"),),
            )


class SilentStream(GatewayRule):
    """A stream that says nothing is kept for an hour.

    ## What it does
    Looks for streams and WebSockets whose `timeouts.idle` is an hour or longer.

    ## Why is this bad?
    Clients vanish without a word: a laptop is closed, a mobile leaves the network. Each one keeps its connection, its
    place under the concurrency cap and the service's memory until the idle timeout, so the cap fills with the dead.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: events, path: /v1/events, methods: [GET], stream: true, timeouts: {idle: 24h}}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: events, path: /v1/events, methods: [GET], stream: true, timeouts: {idle: 2m}}
    ```

    ## References
    - [Server-sent events: a comment line every 15 seconds keeps a connection alive](https://html.spec.whatwg.org/multipage/server-sent-events.html#authoring-notes)
    """

    code, name = "GWC312", "silent-stream"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in fitting(gateway, "timeouts", fits=lambda timeouts: timeouts.idle >= LONG_SILENCE):
            if route.stream or route.websocket:
                yield Finding(
                    route.timeouts.provenance["idle"].span,
                    subject,
                    f"a client that is gone keeps its connection for {format_duration(route.timeouts.idle)}",
                    "write idle: 2m or less, and let the service send a comment or a ping more often than that",
                )


class ThroughTheGatewayAgain(GatewayRule):
    """A service that is reached through the gateway itself.

    ## What it does
    Looks for upstream endpoints on the gateway's own listener.

    ## Why is this bad?
    The request passes two policies. Their retries multiply (two extra tries on each side are nine calls), the caller's
    limits are counted for the gateway's own address, and a caller's user header is stripped on the way.

    ## Example
    ```yaml
    # policies/shop.yaml
    upstream: http://127.0.0.1:8080
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    upstream: http://127.0.0.1:8000
    ```
    """

    code, name, severity = "GWC313", "through-the-gateway-again", Severity.ERROR

    def check(self, gateway: Gateway) -> Findings:
        own = {a.port: a for a in (gateway.listen.http, gateway.listen.https and gateway.listen.https.address) if a}
        for service in gateway.services:
            for endpoint in service.upstream.endpoints:
                listener = own.get(endpoint.address.port)
                host = endpoint.address.host
                if listener and (host == listener.host or (loopback(host) and _on_loopback(listener))):
                    yield Finding(
                        endpoint.provenance["address"].span,
                        service.name,
                        f"{endpoint.address} is the gateway itself",
                        "name the service's own address",
                        (Related(gateway.listen.provenance["http"].span, "the gateway listens here"),),
                    )


def _on_loopback(listener: Address) -> bool:
    """A wildcard is on every interface, loopback included."""
    return listener.host.strip("0.:") == "" or loopback(listener.host)


class SlowHealthCheck(GatewayRule):
    """A check that finds out when everybody knows.

    ## What it does
    Looks for `health.every` of a minute or longer.

    ## Why is this bad?
    Until the check has failed, and until it has succeeded again, the gateway acts on the past: a dead endpoint gets
    traffic for a minute or more, and a repaired one gets none.

    ## Example
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], health: {path: /readyz, every: 5m}}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], health: {path: /readyz, every: 5s}}
    ```
    """

    code, name = "GWC314", "slow-health-check"

    def check(self, gateway: Gateway) -> Findings:
        for service in gateway.services:
            health = service.upstream.health
            if health and health.every >= HEALTHY_EVERY:
                yield Finding(
                    health.provenance["every"].span,
                    service.name,
                    f"a dead endpoint is found after {health.every:g} seconds or more",
                    "write every: 5s",
                )


class TlsForNothing(GatewayRule):
    """TLS settings, and no endpoint that speaks it.

    ## What it does
    Looks for `upstream.tls` beside endpoints that are all `http://`.

    ## Why is this bad?
    A reader believes that the connection is encrypted and the certificate verified. It is neither.

    ## Example
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], tls: {sni: shop.internal}}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "https://127.0.0.1:8443"}], tls: {sni: shop.internal}}
    ```
    """

    code, name = "GWC315", "tls-for-nothing"

    def check(self, gateway: Gateway) -> Findings:
        for service in gateway.services:
            if any(endpoint.scheme == "https" for endpoint in service.upstream.endpoints):
                continue
            written = service.upstream.provenance["tls"]
            if written.level is not Level.DEFAULT:
                yield Finding(
                    written.span,
                    service.name,
                    "upstream.tls has no effect: every endpoint is plain http",
                    "write https:// endpoints, or remove tls",
                )


class PublicHealthPage(GatewayRule):
    """The page that decides is open to everybody.

    ## What it does
    Looks for the `health` path being a route that clients may call without credentials.

    ## Why is this bad?
    A readiness page asks databases and models. Served to the internet it is a cheap way to make the service work, and
    when it slows down under that load, the gateway takes the endpoint out.

    ## Example
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], health: {path: /readyz, every: 5s}}
    routes:
      - {name: ready, path: /readyz, methods: [GET], auth: none}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], health: {path: /readyz, every: 5s}}
    ```
    """

    code, name = "GWC316", "public-health-page"

    def check(self, gateway: Gateway) -> Findings:
        for subject, service, route in public(gateway):
            health = service.upstream.health
            inside = route.path.text.removeprefix(service.strip) or "/"
            if health and not route.cache and inside == health.path.partition("?")[0]:
                yield Finding(
                    route.provenance["path"].span,
                    subject,
                    "the page by which the gateway judges the service is open to everybody",
                    "remove the route: the gateway asks the service directly",
                    (Related(health.provenance["path"].span, "the health check"),),
                )


RULES: tuple[type[Rule], ...] = (
    EndpointNobodyChecks,
    ConnectOutlastsRequest,
    SilentStream,
    ThroughTheGatewayAgain,
    SlowHealthCheck,
    TlsForNothing,
    PublicHealthPage,
)
