"""What a route does with a request: one action, or a chain of them.

Envoy has no timer for "first byte, connecting and all tries included", and its retry policy does not know a reset from
a failed connection or a try that timed out. Routes that need either take a further hop inside the process: their
action forwards to an internal listener, whose route of the same name holds the next action.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from gwc.ir import Gateway, Route, Service
from gwc_envoy import retries, timeouts
from gwc_envoy.upstream import cluster_name
from gwc_envoy.xds import Json, pattern, set_header

KEY_HEADER = "x-gwc-hop"
"""Names the route behind a hop; clients cannot send it (see `identity`)."""


class Hop(StrEnum):
    """The internal listeners, in the order in which a request passes them."""

    FIRST_BYTE = "gwc.first_byte"
    SINGLE_TRY = "gwc.single_try"


@dataclass(frozen=True, slots=True)
class Chain:
    """The action of the route itself, and those behind the hops that it takes. The last one reaches the service."""

    key: str
    own: Json
    behind: dict[Hop, Json]


def chain(service: Service, route: Route, methods: tuple[str, ...]) -> Chain:
    last = {
        "cluster": cluster_name(service, route),
        **timeouts.action_fields(route),
        **_rewrite(service),
        **_upgrade(route),
    }
    own, behind = {**last, **retries.action_fields(route, methods)}, {}
    if retries.needs_hop(route, methods):
        behind[Hop.SINGLE_TRY] = {**last, **retries.single_try(route)}
        own = {**_to(Hop.SINGLE_TRY, service, route), **timeouts.before_tries(route), **retries.by_cause(route)}
    if route.stream:
        behind[Hop.FIRST_BYTE] = own
        own = {**_to(Hop.FIRST_BYTE, service, route), **timeouts.first_byte(route)}
    return Chain(f"{service.name}/{route.name}/{'+'.join(methods)}", own, behind)


def chains(gateway: Gateway) -> Iterator[tuple[Service, Route, Chain]]:
    for service in gateway.services:
        for route in service.routes:
            for methods in retries.method_groups(route):
                yield service, route, chain(service, route, methods)


def key_header(chain: Chain) -> list[Json]:
    return [set_header(KEY_HEADER, chain.key)] if chain.behind else []


def hop_cluster(hop: Hop, name: str) -> str:
    """One for each cluster behind it, so that a retry budget counts the requests of its own routes alone."""
    return f"{hop.value}/{name}"


def _to(hop: Hop, service: Service, route: Route) -> Json:
    return {"cluster": hop_cluster(hop, cluster_name(service, route))}


def _rewrite(service: Service) -> Json:
    if not service.strip:
        return {}
    return {"regex_rewrite": {"pattern": {"regex": f"^{pattern(service.strip)}/?"}, "substitution": "/"}}


def _upgrade(route: Route) -> Json:
    return {"upgrade_configs": [{"upgrade_type": "websocket"}]} if route.websocket else {}
