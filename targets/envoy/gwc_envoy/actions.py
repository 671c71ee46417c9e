"""What a route does with a request: one action, or a chain of them.

Envoy has no timer for "first byte, connecting and all tries included", its retry policy does not know a reset from a
failed connection or a try that timed out, it caps requests for each cluster alone, and a script has to wait for the
end of an error that a kept answer could take the place of. Routes that need more take a further hop inside the process:
their action forwards to an internal listener, whose route of the same name holds the next action.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from gwc.derived import per_gateway
from gwc.ir import Gateway, Route, Service
from gwc_envoy import retries, timeouts
from gwc_envoy.upstream import cluster_name
from gwc_envoy.xds import Json, pattern, set_header

KEY_HEADER = "x-gwc-hop"
"""Names the route behind a hop; clients cannot send it (see `identity`)."""


class Hop(StrEnum):
    """The internal listeners, in the order in which a request passes them."""

    COVER = "gwc.cover"
    ALL = "gwc.all"
    FIRST_BYTE = "gwc.first_byte"
    SINGLE_TRY = "gwc.single_try"


@dataclass(frozen=True, slots=True)
class Chain:
    """The action of the route itself, and those behind the hops that it takes. The last one reaches the service."""

    key: str
    own: Json
    behind: dict[Hop, Json]

    @property
    def last(self) -> Hop:
        """The hop behind which the service is."""
        return [hop for hop in Hop if hop in self.behind][-1]


def hops(gateway: Gateway, route: Route, methods: tuple[str, ...]) -> Iterator[Hop]:
    """Those that `chain` leads through, from the service outwards."""
    if retries.needs_hop(route, methods):
        yield Hop.SINGLE_TRY
    if route.stream:
        yield Hop.FIRST_BYTE
    if gateway.concurrency is not None:
        yield Hop.ALL
    if route.cache is not None and route.cache.stale_if_error:
        yield Hop.COVER


def chain(gateway: Gateway, service: Service, route: Route, methods: tuple[str, ...]) -> Chain:
    own = {**_reach(service, route), **retries.action_fields(route, methods)}
    behind: dict[Hop, Json] = {}
    taken = set(hops(gateway, route, methods))
    if Hop.SINGLE_TRY in taken:
        behind[Hop.SINGLE_TRY] = {**_reach(service, route), **retries.single_try(route)}
        own = {**_to(Hop.SINGLE_TRY, service, route), **timeouts.before_hop(route), **retries.by_cause(route)}
    if Hop.FIRST_BYTE in taken:
        behind[Hop.FIRST_BYTE] = own
        own = {**_to(Hop.FIRST_BYTE, service, route), **timeouts.first_byte(route)}
    if Hop.ALL in taken:
        behind[Hop.ALL] = own
        own = {**_to(Hop.ALL, service, route), **timeouts.before_hop(route, len(behind)), **_upgrade(route)}
    if Hop.COVER in taken:
        behind[Hop.COVER] = own
        own = {**_to(Hop.COVER, service, route), **timeouts.before_hop(route, len(behind))}
    return Chain(f"{service.name}/{route.name}/{'+'.join(methods)}", own, behind)


def _reach(service: Service, route: Route) -> Json:
    """The last action of a chain, without its retries."""
    cluster = {"cluster": cluster_name(service, route)}
    return {**cluster, **timeouts.action_fields(route), **_rewrite(service), **_upgrade(route)}


def through(gateway: Gateway, hop: Hop) -> Iterator[tuple[Service, Route, tuple[str, ...]]]:
    """The routes that take a hop, each with the methods of which it takes it."""
    if hop not in used(gateway):
        return
    for service in gateway.services:
        for route in service.routes:
            for methods in retries.method_groups(route):
                if hop in hops(gateway, route, methods):
                    yield service, route, methods


@per_gateway
def used(gateway: Gateway) -> tuple[Hop, ...]:
    """The hops that any route takes: most take none, and then nobody looks at them for each listener and cluster."""
    routes = [route for service in gateway.services for route in service.routes]
    found = {
        hop for route in routes for methods in retries.method_groups(route) for hop in hops(gateway, route, methods)
    }
    return tuple(hop for hop in Hop if hop in found)


def key_header(chain: Chain) -> list[Json]:
    return [set_header(KEY_HEADER, chain.key)] if chain.behind else []


def hop_cluster(hop: Hop, name: str) -> str:
    """One for each cluster behind it, so that a retry budget counts the requests of its own routes alone.

    The cap of all services has one cluster, because it counts them all.
    """
    return hop.value if hop is Hop.ALL else f"{hop.value}/{name}"


def _to(hop: Hop, service: Service, route: Route) -> Json:
    return {"cluster": hop_cluster(hop, cluster_name(service, route))}


def _rewrite(service: Service) -> Json:
    if not service.strip:
        return {}
    return {"regex_rewrite": {"pattern": {"regex": f"^{pattern(service.strip)}/?"}, "substitution": "/"}}


def _upgrade(route: Route) -> Json:
    return {"upgrade_configs": [{"upgrade_type": "websocket"}]} if route.websocket else {}
