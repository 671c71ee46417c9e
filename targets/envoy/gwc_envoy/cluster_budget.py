"""A budget that the rate limit service counts for every gateway process: its windows are the budget's periods."""

from __future__ import annotations

from gwc.ir import Budget, Gateway, Route, Service
from gwc_envoy import budget, cluster
from gwc_envoy.auth import USER_HEADER
from gwc_envoy.xds import Json, extension, lua, set_header

FILTER = "gwc.cluster.budget"
CHARGE = "gwc.cluster.charge"


def spent(gateway: Gateway, service: Service, route: Route) -> Budget | None:
    """The budget that a request of the route takes from: nothing is taken from public routes."""
    found = cluster.budget_of(gateway, service)
    return found if route.auth is not None and (route.cost or (found and found.charge)) else None


def metadata(gateway: Gateway, service: Service, route: Route) -> Json:
    """Whose budget, how much on admission, and where the answer says what it really was."""
    owner, found = cluster.budget_of(gateway, service), spent(gateway, service, route)
    notes: Json = {}
    if found is not None:
        notes[FILTER] = {"settles": service.name, **({"name": service.name, "cost": route.cost} if route.cost else {})}
    if owner is not None and owner.charge is not None:
        notes[CHARGE] = {"header": owner.charge.lower(), "cost": route.cost}
    return notes


def budget_filter(gateway: Gateway) -> Json | None:
    """Takes the route's cost on admission, and what it cost beyond that when the answer has ended."""
    found = cluster.budgets(gateway)
    if not found:
        return None
    admission = {"actions": [_budget("name"), _ADMITTED], "hits_addend": {"format": f"%METADATA(ROUTE:{FILTER}:cost)%"}}
    surplus = {"format": f"%DYNAMIC_METADATA({CHARGE}:surplus)%"}
    settlement = {"actions": [_budget("settles"), _SERVED], "hits_addend": surplus, "apply_on_stream_done": True}
    charged = any(shared.charge is not None for shared in found.values())
    return extension(
        FILTER,
        cluster.MESSAGE,
        stage=8,  # no route has limits of this one
        stat_prefix=FILTER,
        rate_limited_status={"code": budget.STATUS},
        response_headers_to_add=[set_header(budget.REFUSED_HEADER, "budget")],
        rate_limits=[admission, settlement] if charged else [admission],
        **cluster.asking(gateway, deny=True),
    )


def _budget(field: str) -> Json:
    """No descriptor, and so nothing taken, on a route that lacks `field`."""
    where = {"key": FILTER, "path": [{"key": field}]}
    return {"metadata": {"descriptor_key": "budget", "metadata_key": where, "source": "ROUTE_ENTRY"}}


_ADMITTED: Json = {"request_headers": {"header_name": USER_HEADER, "descriptor_key": "user"}}
_SERVED: Json = {
    "metadata": {
        "descriptor_key": "user",
        "metadata_key": {"key": CHARGE, "path": [{"key": "user"}]},
        "source": "DYNAMIC",
    }
}
"""The request has lost its header by then, so the script has noted whose it was."""


def settles(gateway: Gateway, service: Service) -> bool:
    """Whether `charge_filter` deals with the service's header."""
    found = cluster.budget_of(gateway, service)
    return found is not None and found.charge is not None


def charge_filter(gateway: Gateway) -> Json | None:
    """Notes what a request cost beyond its route's cost, and takes the header off the service's own answer."""
    if not any(settles(gateway, service) for service in gateway.services):
        return None
    return lua(CHARGE, "charge.lua")
