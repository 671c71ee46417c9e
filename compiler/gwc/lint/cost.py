"""Budgets and costs that bound nothing (GWC330 to GWC339)."""

from __future__ import annotations

from gwc.diagnostics import Related
from gwc.ir import Gateway, Level, LimitKey, Route, Service, Timeouts
from gwc.lint.concerned import fitting, guarded, public
from gwc.lint.rule import Finding, Findings, GatewayRule, Rule
from gwc.units import format_duration, format_rate

EXPENSIVE_SECONDS = 30.0


UNITS_OF_A_BUDGET = 2
"""A budget that fewer requests than this use up is no budget."""


class BudgetOfOneRequest(GatewayRule):
    """One request uses up the budget.

    ## What it does
    Compares each route's `cost` with the units of the service's budget.

    ## Why is this bad?
    A cost above the budget can never be paid: the route answers 429 for ever. One above half of it means one request a
    period, which is rarely what anybody meant.

    ## Example
    ```yaml
    # policies/shop.yaml
    budget: {per: user, units: 10/hour}
    routes:
      - {name: report, path: /v1/report, methods: [POST], cost: 20}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    budget: {per: user, units: 200/hour}
    routes:
      - {name: report, path: /v1/report, methods: [POST], cost: 20}
    ```
    """

    code, name = "GWC330", "budget-of-one-request"

    def check(self, gateway: Gateway) -> Findings:
        for subject, service, route in guarded(gateway):
            budget = service.budget
            if budget is None or route.cost * UNITS_OF_A_BUDGET <= budget.units.tokens:
                continue
            never = route.cost > budget.units.tokens
            what = "is more than the whole budget" if never else "leaves room for one request"
            yield Finding(
                route.provenance["cost"].span,
                subject,
                f"a cost of {route.cost} {what} of {format_rate(budget.units)}",
                "raise budget.units, or lower the cost",
                (Related(budget.provenance["units"].span, "the budget"),),
            )


class CostWithoutBudget(GatewayRule):
    """A cost that nobody pays.

    ## What it does
    Looks for a `cost` on a route whose service has no budget, or that is public.

    ## Why is this bad?
    The route looks guarded and is not. Budgets are per verified user, so they do not hold on public routes.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: report, path: /v1/report, methods: [POST], cost: 20}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    budget: {per: user, units: 200/hour}
    routes:
      - {name: report, path: /v1/report, methods: [POST], cost: 20}
    ```
    """

    code, name = "GWC331", "cost-without-budget"

    def check(self, gateway: Gateway) -> Findings:
        for subject, service, route in fitting(gateway, "cost", fits=lambda cost: cost > 1):
            if service.budget is None or route.auth is None:
                why = "the service has no budget" if service.budget is None else "the route is public"
                yield Finding(
                    route.provenance["cost"].span,
                    subject,
                    f"a cost of {route.cost} is never taken: {why}",
                    "write budget: {per: user, units: ...} on the service, or ask for credentials, or remove the cost",
                )


class ExpensiveAndUnmetered(GatewayRule):
    """A slow route that one user may call as often as they like.

    ## What it does
    Looks for authenticated routes whose request may take half a minute or longer, that cost no budget and have no
    limit per user on any level.

    ## Why is this bad?
    Long requests are the expensive ones: a model's answer, a report, an export. One user in a loop fills every worker,
    or the bill. Limits per address do not help: many users share one, and one user has many.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: export, path: /v1/export, methods: [POST], timeouts: {request: 60s}}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - name: export
        path: /v1/export
        methods: [POST]
        timeouts: {request: 60s}
        limits: [{per: user, rate: 10/hour, burst: 2}]
    ```

    ## References
    - [OWASP API4:2023, unrestricted resource consumption](https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/)
    """

    code, name = "GWC332", "expensive-and-unmetered"

    def check(self, gateway: Gateway) -> Findings:
        for subject, service, route in fitting(gateway, "timeouts", "auth", fits=lambda timeouts, _: _slow(timeouts)):
            if not route.websocket and not _metered(gateway, service, route):
                yield Finding(
                    route.provenance["name"].span,
                    subject,
                    f"a request may take {format_duration(route.timeouts.request)}, and no user's number is limited",
                    "write limits: [{per: user, rate: 10/hour, burst: 2}], or a budget and a cost",
                    (Related(route.timeouts.provenance["request"].span, "the time it may take"),),
                )


def _slow(timeouts: Timeouts) -> bool:
    return timeouts.request >= EXPENSIVE_SECONDS


def _metered(gateway: Gateway, service: Service, route: Route) -> bool:
    every = (*gateway.limits, *service.limits, *route.limits)
    return service.budget is not None or any(m.key is LimitKey.USER and not m.shadow for m in every)


class StoreThatOpens(GatewayRule):
    """When the store is down, the shared guards are gone.

    ## What it does
    Looks for `rate_limit_store.on_failure: allow` with a budget of `scope: cluster`.

    ## Why is this bad?
    A budget stands for money. With `allow`, whoever can slow the store down spends without limit, and the bill says so
    only at the end of the month. (For limits that merely protect, `allow` may be the right choice.)

    ## Example
    ```yaml
    # policies/platform.yaml
    rate_limit_store: {redis: "redis://127.0.0.1:6379", on_failure: allow}
    ```
    ```yaml
    # policies/shop.yaml
    budget: {per: user, units: 200/hour, scope: cluster}
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    rate_limit_store: {redis: "redis://127.0.0.1:6379", on_failure: deny}
    ```
    ```yaml
    # policies/shop.yaml
    budget: {per: user, units: 200/hour, scope: cluster}
    ```
    """

    code, name = "GWC333", "store-that-opens"

    def check(self, gateway: Gateway) -> Findings:
        store = gateway.rate_limit_store
        if store is None or store.on_failure != "allow":
            return
        for service in gateway.services:
            if service.budget and service.budget.cluster:
                yield Finding(
                    store.provenance["on_failure"].span,
                    service.name,
                    "while the store is down nobody's budget is counted",
                    "write on_failure: deny",
                    (Related(service.budget.provenance["units"].span, "a budget that counts there"),),
                )


class BudgetPerNode(GatewayRule):
    """Every gateway grants the whole budget anew.

    ## What it does
    Looks for budgets without `scope` on a platform that has a `rate_limit_store`.

    ## Why is this bad?
    A store means that several gateways count together; a budget that does not say so is counted by each alone. On
    three of them a user spends three budgets, and the bill is the first to notice. Where that is meant, `scope:
    gateway` says so.

    ## Example
    ```yaml
    # policies/platform.yaml
    rate_limit_store: {redis: "redis://127.0.0.1:6379"}
    ```
    ```yaml
    # policies/shop.yaml
    budget: {per: user, units: 200/hour}
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    rate_limit_store: {redis: "redis://127.0.0.1:6379"}
    ```
    ```yaml
    # policies/shop.yaml
    budget: {per: user, units: 200/hour, scope: cluster}
    ```
    """

    code, name = "GWC334", "budget-per-node"

    def check(self, gateway: Gateway) -> Findings:
        for service in gateway.services if gateway.rate_limit_store else ():
            budget = service.budget
            if budget and not budget.cluster and budget.provenance["cluster"].level is Level.DEFAULT:
                yield Finding(
                    budget.provenance["units"].span,
                    service.name,
                    f"each gateway grants {format_rate(budget.units)} by itself",
                    "write scope: cluster, or scope: gateway where one gateway is all there is",
                )


class ExpensiveAndPublic(GatewayRule):
    """A slow route that anybody may call.

    ## What it does
    Looks for public routes whose request may take half a minute or longer and that have no enforced limit of their own.

    ## Why is this bad?
    A slow answer costs the service far more than the question costs its sender. A handful of machines, each within the
    service's ordinary limit, keep every worker busy.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: preview, path: /v1/preview, methods: [GET], auth: none, timeouts: {request: 60s}}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - name: preview
        path: /v1/preview
        methods: [GET]
        auth: none
        timeouts: {request: 60s}
        limits: [{per: ip, rate: 5/min, burst: 2}]
    ```

    ## References
    - [OWASP API4:2023, unrestricted resource consumption](https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/)
    """

    code, name = "GWC335", "expensive-and-public"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in public(gateway):
            slow = _slow(route.timeouts) and not (route.websocket or route.cache)
            if slow and not any(not limit.shadow for limit in route.limits):
                yield Finding(
                    route.provenance["name"].span,
                    subject,
                    f"a request of anybody may take {format_duration(route.timeouts.request)}",
                    "write limits: [{per: ip, rate: 5/min, burst: 2}], a shorter timeout, or ask for credentials",
                    (Related(route.timeouts.provenance["request"].span, "the time it may take"),),
                )


RULES: tuple[type[Rule], ...] = (
    BudgetOfOneRequest,
    CostWithoutBudget,
    ExpensiveAndUnmetered,
    StoreThatOpens,
    BudgetPerNode,
    ExpensiveAndPublic,
)
