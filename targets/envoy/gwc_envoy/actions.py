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


def chain(gateway: Gateway, service: Service, route: Route, methods: tuple[str, ...]) -> Chain:
    own = {**_reach(service, route), **retries.action_fields(route, methods)}
    behind: dict[Hop, Json] = {}
    if retries.needs_hop(route, methods):
        behind[Hop.SINGLE_TRY] = {**_reach(service, route), **retries.single_try(route)}
        own = {**_to(Hop.SINGLE_TRY, service, route), **timeouts.before_hop(route), **retries.by_cause(route)}
    if route.stream:
        behind[Hop.FIRST_BYTE] = own
        own = {**_to(Hop.FIRST_BYTE, service, route), **timeouts.first_byte(route)}
    if gateway.concurrency is not None:
        behind[Hop.ALL] = own
        own = {**_to(Hop.ALL, service, route), **timeouts.before_hop(route, len(behind)), **_upgrade(route)}
    if route.cache is not None and route.cache.stale_if_error:
        behind[Hop.COVER] = own
        own = {**_to(Hop.COVER, service, route), **timeouts.before_hop(route, len(behind))}
    return Chain(f"{service.name}/{route.name}/{'+'.join(methods)}", own, behind)


def _reach(service: Service, route: Route) -> Json:
    """The last action of a chain, without its retries."""
    cluster = {"cluster": cluster_name(service, route)}
    return {**cluster, **timeouts.action_fields(route), **_rewrite(service), **_upgrade(route)}


def chains(gateway: Gateway) -> Iterator[tuple[Service, Route, Chain]]:
    """The chains that take a hop."""
    if not _hopping(gateway):
        return
    for service in gateway.services:
        for route in service.routes:
            for methods in retries.method_groups(route):
                found = chain(gateway, service, route, methods)
                if found.behind:
                    yield service, route, found


@per_gateway
def _hopping(gateway: Gateway) -> bool:
    """Whether any route takes a hop: most need none, and then nobody looks at them for each listener and cluster."""
    routes = [route for service in gateway.services for route in service.routes]
    return gateway.concurrency is not None or any(
        route.stream
        or (route.cache is not None and bool(route.cache.stale_if_error))
        or any(retries.needs_hop(route, methods) for methods in retries.method_groups(route))
        for route in routes
    )


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
