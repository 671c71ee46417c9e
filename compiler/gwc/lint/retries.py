"""Tries that multiply, repeat, or never happen (GWC301 to GWC309)."""

from __future__ import annotations

from gwc.diagnostics import Related, Severity
from gwc.ir import Gateway, Retries, RetryCause, Route, Service, Timeouts
from gwc.lint.concerned import fitting
from gwc.lint.rule import Finding, Findings, GatewayRule, Rule
from gwc.tries import SAFE_METHODS, pauses
from gwc.units import format_duration

MANY_ATTEMPTS = 2


def _retried_statuses(retries: Retries) -> bool:
    """Whether answers, and not only failures to connect, are tried again."""
    return retries.attempts > 0 and (bool(retries.statuses) or RetryCause.RESET in retries.causes)


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
        for subject, _, route in fitting(gateway, "retries", "timeouts", fits=_outlast):
            retries, bound = route.retries, route.timeouts.request
            tries, waits, each = retries.attempts + 1, _pauses(retries), retries.per_try or 0.0
            said = f"{tries} tries of {format_duration(each)} and pauses of {format_duration(waits)}"
            yield Finding(
                retries.provenance["per_try"].span,
                subject,
                f"{said} do not fit into timeouts.request of {format_duration(bound)}",
                f"write per_try: {format_duration(_whole((bound - waits) / tries))} or less",
                (Related(route.timeouts.provenance["request"].span, "all tries share this time"),),
            )


def _outlast(retries: Retries, timeouts: Timeouts) -> bool:
    if not (retries.attempts and retries.per_try):
        return False
    return (retries.attempts + 1) * retries.per_try + _pauses(retries) > timeouts.request


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
        unbound = fitting(gateway, "retries", fits=lambda r: _retried_statuses(r) and r.per_try is None)
        for subject, _, route in unbound:
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
        for subject, _, route in fitting(gateway, "retries", fits=lambda r: r.unsafe and _retried_statuses(r)):
            if unsafe := sorted(set(route.methods) - SAFE_METHODS):
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
        for subject, _, route in fitting(gateway, "retries", fits=_unbounded):
            attempts = route.retries.attempts
            yield Finding(
                route.retries.provenance["attempts"].span,
                subject,
                f"{attempts} extra tries without a budget multiply the load of a failing service by {attempts + 1}",
                "write budget: 20%",
            )


def _unbounded(retries: Retries) -> bool:
    return _retried_statuses(retries) and retries.attempts >= MANY_ATTEMPTS and retries.budget is None


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
        for service in gateway.services:
            breaker = service.upstream.breaker
            for route in service.routes if breaker and len(service.upstream.endpoints) == 1 else ():
                tries = route.retries.attempts + 1
                if breaker and tries >= breaker.failures and _retried_statuses(route.retries):
                    yield Finding(
                        breaker.provenance["failures"].span,
                        f"{service.name}/{route.name}",
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
        for subject, _, route in fitting(gateway, "retries", fits=_without_cause):
            yield Finding(
                route.retries.provenance["causes"].span,
                subject,
                f"{route.retries.attempts} extra tries, and no cause to try again",
                "write when: [connect], or retries: none",
            )


def _without_cause(retries: Retries) -> bool:
    return bool(retries.attempts) and not (retries.causes or retries.statuses or retries.per_try)


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
        hosted = (service for service in gateway.services if service.hosts)
        retrying = {host: worst for s in hosted if (worst := _most_tried(s)) for host in s.hosts}
        for subject, service, route in fitting(gateway, "retries", fits=_retried_statuses) if retrying else ():
            for endpoint in service.upstream.endpoints:
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
    retried = [route for route in service.routes if _retried_statuses(route.retries)]
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
