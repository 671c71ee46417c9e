"""What Envoy takes although it would not hold: told of a route, or of a virtual host, by what its listener has."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from gwc_envoy import auth, body
from gwc_envoy.xds import Json


@dataclass(frozen=True, slots=True)
class Judge:
    """`known` are the filters that may be configured there. `public`: clients are the ones who ask.

    Printed, it tells all that its judgement follows from.
    """

    known: Collection[str] = ()
    public: bool = False

    def faults(self, node: Json) -> Iterator[tuple[str, str]]:
        """The name of what is at fault, and the fault."""
        yield from _unknown_filters(node, self.known)
        if self.public:
            yield from _unbounded(node)

    def fits(self, node: Json) -> bool:
        return next(self.faults(node), None) is None


NOTHING_KNOWN = Judge()
"""Of a place in which nothing may be configured."""


def _unknown_filters(node: Json, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """A misspelt key is accepted and does nothing."""
    for name in sorted(set(node.get("typed_per_filter_config", ())).difference(known)):
        yield node["name"], f"{node['name']} configures the filter {name}, which does not exist"


def _unbounded(route: Json) -> Iterator[tuple[str, str]]:
    """A route that forwards must say how much it forwards and for how long."""
    action: dict[str, Any] | None = route.get("route")
    if action is None:
        return
    for field in ("timeout", "idle_timeout"):
        if field not in action:
            yield route["name"], f"{route['name']} has no {field}"
    if auth.FILTER not in route.get("metadata", {}).get("filter_metadata", {}):
        yield route["name"], f"{route['name']} does not say whose requests it accepts"
    if body.FILTER not in route.get("typed_per_filter_config", {}):
        yield route["name"], f"{route['name']} has no bound for its body"
