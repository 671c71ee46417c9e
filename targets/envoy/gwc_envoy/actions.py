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
from functools import lru_cache
from typing import NamedTuple

from gwc.derived import per_gateway
from gwc.ir import Gateway, Route, Service
from gwc_envoy import retries, timeouts
from gwc_envoy.shared import Shared, shared
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


class _Way(NamedTuple):
    """What the actions of a chain follow from."""

    cluster: str
    strip: str
    hops: tuple[Hop, ...]
    times: timeouts.Times
    tries: retries.Tries
    websocket: bool


def chain(gateway: Gateway, service: Service, route: Route, methods: tuple[str, ...]) -> Chain:
    way = _Way(
        cluster_name(service, route),
        service.strip,
        tuple(hops(gateway, route, methods)),
        timeouts.times(route),
        retries.tries(route, methods),
        route.websocket,
    )
    return Chain(f"{service.name}/{route.name}/{'+'.join(methods)}", *_actions(way))


@lru_cache(maxsize=512)
def _actions(way: _Way) -> tuple[Json, dict[Hop, Json]]:
    own = {**_reach(way), **retries.action_fields(way.tries)}
    behind: dict[Hop, Json] = {}
    if Hop.SINGLE_TRY in way.hops:
        behind[Hop.SINGLE_TRY] = Shared({**_reach(way), **retries.single_try(way.tries)})
        own = {**_to(Hop.SINGLE_TRY, way), **timeouts.before_hop(way.times), **retries.by_cause(way.tries)}
    if Hop.FIRST_BYTE in way.hops:
        behind[Hop.FIRST_BYTE] = Shared(own)
        own = {**_to(Hop.FIRST_BYTE, way), **timeouts.first_byte(way.times)}
    if Hop.ALL in way.hops:
        behind[Hop.ALL] = Shared(own)
        own = {**_to(Hop.ALL, way), **timeouts.before_hop(way.times, len(behind)), **_upgrade(way)}
    if Hop.COVER in way.hops:
        behind[Hop.COVER] = Shared(own)
        own = {**_to(Hop.COVER, way), **timeouts.before_hop(way.times, len(behind))}
    return Shared(own), behind


def _reach(way: _Way) -> Json:
    """The last action of a chain, without its retries."""
    cluster = {"cluster": way.cluster}
    return {**cluster, **timeouts.action_fields(way.times), **_rewrite(way.strip), **_upgrade(way)}


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


def _to(hop: Hop, way: _Way) -> Json:
    return {"cluster": hop_cluster(hop, way.cluster)}


def _rewrite(prefix: str) -> Json:
    if not prefix:
        return {}
    return {"regex_rewrite": _without(prefix)}


@shared
def _without(prefix: str) -> Json:
    return {"pattern": {"regex": f"^{pattern(prefix)}/?"}, "substitution": "/"}


def _upgrade(way: _Way) -> Json:
    return {"upgrade_configs": [{"upgrade_type": "websocket"}]} if way.websocket else {}
