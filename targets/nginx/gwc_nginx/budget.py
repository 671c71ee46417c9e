"""The cost guard as data for the njs module."""

from __future__ import annotations

from gwc.ir import Route, Service

ZONE = "gwc_budget:16m timeout=366d evict type=number"


def of_route(service: Service, route: Route) -> dict[str, object]:
    """A public route has no user to charge, but the service's report is still no client's business."""
    budget = service.budget
    if budget is None:
        return {}
    report: dict[str, object] = {} if budget.charge is None else {"charge": budget.charge}
    if route.auth is None:
        return report
    return {
        "budget": f"{service.name} {budget.units.tokens} {budget.units.period * 1000}",
        "cost": route.cost,
        **report,
    }
