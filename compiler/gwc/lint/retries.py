"""Tries that multiply, repeat, or never happen (GWC301 to GWC309)."""

from __future__ import annotations

from gwc.diagnostics import Related, Severity
from gwc.features import routes
from gwc.ir import Gateway, Retries, RetryCause, Route, Service
from gwc.lint.rule import Finding, Findings, GatewayRule, Rule
from gwc.tries import SAFE_METHODS, pauses
from gwc.units import format_duration

MANY_ATTEMPTS = 2


def _retried_statuses(route: Route) -> bool:
    """Whether answers, and not only failures to connect, are tried again."""
    return route.retries.attempts > 0 and (bool(route.retries.statuses) or RetryCause.RESET in route.retries.causes)


class RetriesOutlastRequest(GatewayRule):
    """The tries do not fit into the request's timeout.

    ## What it does
    Compares `(attempts + 1) * per_try`, with the pauses of the backoff between the tries, with `timeouts.request`.

    ## Why is this bad?
    `timeouts.request` holds for all tries together. When one try may take most of it, the later ones are cut off or
    never begin: the service gets the extra load, and the client gets a 504 all the same.

    ## Example
    ```yaml
    # policies/shop.yaml
    timeouts: {request: 5s}
    retries: {attempts: 2, when: [connect, 503], per_try: 3s, budget: 20%}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    timeouts: {request: 5s}
    retries: {attempts: 2, when: [connect, 503], per_try: 1500ms, budget: 20%}
    ```

    ## References
    - [Timeouts, retries, and backoff with jitter](https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/)
    """

    code, name = "GWC301", "retries-outlast-request"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in routes(gateway):
            retries, bound = route.retries, route.timeouts.request
            if not (retries.attempts and retries.per_try):
                continue
            tries, waits = retries.attempts + 1, _pauses(retries)
            if tries * retries.per_try + waits > bound:
                said = f"{tries} tries of {format_duration(retries.per_try)} and pauses of {format_duration(waits)}"
                yield Finding(
                    retries.provenance["per_try"].span,
                    subject,
                    f"{said} do not fit into timeouts.request of {format_duration(bound)}",
                    f"write per_try: {format_duration(_whole((bound - waits) / tries))} or less",
                    (Related(route.timeouts.provenance["request"].span, "all tries share this time"),),
                )


def _pauses(retries: Retries) -> float:
    """The longest that the backoff may take in all."""
    return round(sum(pauses(retries)), 3)


def _whole(seconds: float) -> float:
    """In the gateways' milliseconds, rounded down."""
    return max(int(seconds * 1000), 1) / 1000


class RetriesWithoutPerTry(GatewayRule):
    """A try that hangs uses up the time of all tries.

    ## What it does
    Looks for retries of answers (`reset` or a status among `when`) without `per_try`.

    ## Why is this bad?
    Without a bound of its own the first try may wait for the whole of `timeouts.request`. A service that hangs instead
    of failing is the usual outage, and it is the one in which such retries never happen.

    ## Example
    ```yaml
    # policies/shop.yaml
    timeouts: {request: 10s}
    retries: {attempts: 1, when: [connect, reset, 503], budget: 20%}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    timeouts: {request: 10s}
    retries: {attempts: 1, when: [connect, reset, 503], per_try: 3s, budget: 20%}
    ```

    ## References
    - [Addressing cascading failures](https://sre.google/sre-book/addressing-cascading-failures/)
    """

    code, name, severity = "GWC302", "retries-without-per-try", Severity.INFO

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in routes(gateway):
            if _retried_statuses(route) and route.retries.per_try is None:
                share = _whole(route.timeouts.request / (route.retries.attempts + 1))
                yield Finding(
                    route.retries.provenance["attempts"].span,
                    subject,
                    "retries have no per_try, so one try that hangs leaves no time for another",
                    f"write per_try: {format_duration(share)} or less",
                )


class UnsafeRetry(GatewayRule):
    """POST or PATCH is tried again.

    ## What it does
    Looks for `unsafe: true` on routes with methods that are not idempotent.

    ## Why is this bad?
    A try whose answer was lost may have done its work. Doing it again charges the card twice or sends the mail twice,
    unless the service recognises the repetition, by an idempotency key for example.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - name: pay
        path: /v1/payments
        methods: [POST]
        retries: {attempts: 1, when: [reset, 503], per_try: 2s, budget: 20%, unsafe: true}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - name: pay
        path: /v1/payments
        methods: [POST]
        retries: {attempts: 1, when: [connect], budget: 20%}
    ```

    ## References
    - [RFC 9110, 9.2.2: idempotent methods](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2)
    - [Stripe: designing robust and predictable APIs with idempotency](https://stripe.com/blog/idempotency)
    """

    code, name = "GWC303", "unsafe-retry"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in routes(gateway):
            unsafe = sorted(set(route.methods) - SAFE_METHODS)
            if unsafe and route.retries.unsafe and _retried_statuses(route):
                yield Finding(
                    route.retries.provenance["unsafe"].span,
                    subject,
                    f"retries on {', '.join(unsafe)} may repeat what the first try did",
                    "remove unsafe: true, or suppress this with the reason why a repetition is harmless",
                )


class RetriesWithoutBudget(GatewayRule):
    """Nothing bounds how many requests are retries.

    ## What it does
    Looks for two or more extra tries of answers without `budget`.

    ## Why is this bad?
    When a service fails under load, each request becomes three. The service that was too slow for the traffic now gets
    three times the traffic, and stays down when the cause is gone: a retry storm.

    ## Example
    ```yaml
    # policies/shop.yaml
    retries: {attempts: 2, when: [connect, 502, 503], per_try: 2s}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    retries: {attempts: 2, when: [connect, 502, 503], per_try: 2s, budget: 20%}
    ```

    ## References
    - [Metastable failures in distributed systems](https://sigops.org/s/conferences/hotos/2021/papers/hotos21-s11-bronson.pdf)
    - [Addressing cascading failures](https://sre.google/sre-book/addressing-cascading-failures/)
    """

    code, name = "GWC304", "retries-without-budget"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in routes(gateway):
            retries = route.retries
            if _retried_statuses(route) and retries.attempts >= MANY_ATTEMPTS and retries.budget is None:
                yield Finding(
                    retries.provenance["attempts"].span,
                    subject,
                    f"{retries.attempts} extra tries without a budget multiply the load of a failing service by "
                    f"{retries.attempts + 1}",
                    "write budget: 20%",
                )


class RetriesTripBreaker(GatewayRule):
    """One request is enough to open the breaker.

    ## What it does
    Compares the tries of one request with the failures after which the breaker of a single endpoint opens.

    ## Why is this bad?
    Every try counts. If one bad request can fail as often as the breaker tolerates, a client with one poisonous
    request takes the service away from everybody, as often as it likes.

    ## Example
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], breaker: {failures: 3, open: 10s}}
    retries: {attempts: 2, when: [reset, 500, 503], per_try: 2s, budget: 20%}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    upstream: {endpoints: [{url: "http://127.0.0.1:8000"}], breaker: {failures: 10, open: 10s}}
    retries: {attempts: 2, when: [reset, 500, 503], per_try: 2s, budget: 20%}
    ```

    ## References
    - [Circuit breaker pattern](https://learn.microsoft.com/en-us/azure/architecture/patterns/circuit-breaker)
    """

    code, name = "GWC305", "retries-trip-breaker"

    def check(self, gateway: Gateway) -> Findings:
        for subject, service, route in routes(gateway):
            breaker, tries = service.upstream.breaker, route.retries.attempts + 1
            if breaker is None or tries < breaker.failures or len(service.upstream.endpoints) > 1:
                continue
            if _retried_statuses(route):
                yield Finding(
                    breaker.provenance["failures"].span,
                    subject,
                    f"one request may fail {tries} times, and the breaker opens after {breaker.failures}",
                    f"write failures: {tries * 3} or more, or fewer attempts",
                    (Related(route.retries.provenance["attempts"].span, "the tries"),),
                )


class RetriesWithoutCause(GatewayRule):
    """Retries that never happen.

    ## What it does
    Looks for `attempts` above 0 with nothing in `when` and no `per_try`.

    ## Why is this bad?
    Whoever reads the policy believes that failures are retried. They are not.

    ## Example
    ```yaml
    # policies/shop.yaml
    retries: {attempts: 2, when: []}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    retries: {attempts: 2, when: [connect]}
    ```
    """

    code, name = "GWC306", "retries-without-cause"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in routes(gateway):
            retries = route.retries
            if retries.attempts and not (retries.causes or retries.statuses or retries.per_try):
                yield Finding(
                    retries.provenance["causes"].span,
                    subject,
                    f"{retries.attempts} extra tries, and no cause to try again",
                    "write when: [connect], or retries: none",
                )


class RetriesMultiply(GatewayRule):
    """One failing call becomes many, because two services retry it.

    ## What it does
    Looks for retries towards an endpoint that is a host of this platform, where the service behind that host retries
    as well: the request passes the gateway twice.

    ## Why is this bad?
    Tries of tries multiply. With two extra tries on each level, a service that is in trouble gets nine times its load
    at the moment when it can bear the least, and the outage outlives its cause.

    ## Example
    ```yaml
    # policies/shop.yaml
    upstream: https://other.example.com
    retries: {attempts: 2, when: [connect, 503], per_try: 3s, budget: 20%}
    ```
    ```yaml
    # policies/other.yaml
    hosts: [other.example.com]
    retries: {attempts: 2, when: [connect, 503], per_try: 1s, budget: 20%}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    upstream: https://other.example.com
    retries: none
    ```
    ```yaml
    # policies/other.yaml
    hosts: [other.example.com]
    retries: {attempts: 2, when: [connect, 503], per_try: 1s, budget: 20%}
    ```

    ## References
    - [Addressing cascading failures](https://sre.google/sre-book/addressing-cascading-failures/)
    """

    code, name = "GWC307", "retries-multiply"

    def check(self, gateway: Gateway) -> Findings:
        retrying = {host: worst for s in gateway.services if (worst := _most_tried(s)) for host in s.hosts}
        for subject, service, route in routes(gateway) if retrying else ():
            for endpoint in service.upstream.endpoints if _retried_statuses(route) else ():
                if inner := retrying.get(endpoint.address.host.lower()):
                    outer_tries, inner_tries = route.retries.attempts + 1, inner.retries.attempts + 1
                    yield Finding(
                        route.retries.provenance["attempts"].span,
                        subject,
                        f"{outer_tries} tries here and {inner_tries} behind {endpoint.address.host} are "
                        f"{outer_tries * inner_tries} calls of what fails",
                        "write retries: none here: the level next to the failure retries best",
                        (Related(inner.retries.provenance["attempts"].span, "retried again here"),),
                    )


def _most_tried(service: Service) -> Route | None:
    retried = [route for route in service.routes if _retried_statuses(route)]
    return max(retried, key=lambda route: route.retries.attempts, default=None)


RULES: tuple[type[Rule], ...] = (
    RetriesOutlastRequest,
    RetriesWithoutPerTry,
    UnsafeRetry,
    RetriesWithoutBudget,
    RetriesTripBreaker,
    RetriesWithoutCause,
    RetriesMultiply,
)
