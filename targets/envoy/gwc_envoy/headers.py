"""Headers that a policy sets and removes, and the traces of the engine that no client needs."""

from __future__ import annotations

from gwc.ir import Gateway, Route, Service
from gwc_envoy.request_id import header_to_add
from gwc_envoy.shared import shared_list
from gwc_envoy.xds import Json, extension, literal, set_header

_ENGINES = ("x-envoy-", "x-kong-", "x-accel-", "x-gwc-")


def route_fields(service: Service, route: Route, added: list[Json], settled: bool = False) -> Json:
    """The policy's changes: removal first. Values are literals. `added` names the hop behind, if there is one.

    `settled`: a filter reads the header with the actual cost and takes it away.
    """
    budget = None if settled else service.budget
    charge = [budget.charge] if budget is not None and budget.charge is not None else []
    removed = (*route.headers.response.remove, *charge)
    fields = {
        "request_headers_to_add": [*_set(route.headers.request.set), *added]
        if added
        else _set(route.headers.request.set),
        "request_headers_to_remove": _removed(route.headers.request.remove),
        "response_headers_to_add": _set(route.headers.response.set),
        "response_headers_to_remove": _removed(removed, *(() if added else OWN_RESPONSE_HEADERS)),
    }
    return {name: value for name, value in fields.items() if value}


@shared_list
def _set(changes: tuple[tuple[str, str], ...]) -> list[Json]:
    return [{**set_header(name, literal(value)), "keep_empty_value": True} for name, value in changes]


@shared_list
def _removed(names: tuple[str, ...], *own: str) -> list[str]:
    return [*(name.lower() for name in names), *own]


def hygiene_filter(gateway: Gateway) -> Json:
    """The last word on every response, the gateway's own included."""
    removed = [{"remove_on_match": {"key_matcher": {"prefix": prefix, "ignore_case": True}}} for prefix in _ENGINES]
    named = [{"append": header} for header in header_to_add(gateway)]
    mutations = [{"remove": "server"}, {"remove": "via"}, *removed, *named]
    return extension(
        "gwc.hygiene",
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"response_mutations": mutations},
    )


_NOTES = (
    "x-envoy-internal",
    "x-envoy-external-address",
    "x-envoy-original-path",
    "x-gwc-user",
    "x-gwc-token",
    "x-gwc-period",
    "x-gwc-shadow",
)
"""What Envoy itself and its filters add to a request on its way and no service needs."""


OWN_RESPONSE_HEADERS = ["x-gwc-attempts", "x-gwc-limited-by", "x-gwc-problem", "x-gwc-cause"]
"""What hops tell the listener of an answer, and no service does."""


def request_headers_to_remove(gateway: Gateway) -> list[str]:
    """What must not reach a service: a credential that is the gateway's business, and what filters have noted."""
    keys = gateway.identity.api_key
    return [*_NOTES, *([keys.header.lower()] if keys is not None else [])]
