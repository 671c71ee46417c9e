"""A policy as it is and under each of its environments; and the quick way to them, for policies that are right.

The quick way reads plain YAML (`gwc.plain`), merges environments as data and takes shapes for models. It gives up at
anything else, and then the strict way, `gwc.policy.load`, decides and explains. Both mean the same:
tests/property/test_quick.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from gwc import plain
from gwc.diagnostics import Report
from gwc.document import ALTERNATIVES, Document, MappingNode, parse
from gwc.policy.shapes import Shape, shaped
from gwc.source import Source

if TYPE_CHECKING:
    from gwc.policy.platform import PlatformPolicy
    from gwc.policy.service import ServicePolicy

    Policy: TypeAlias = PlatformPolicy | ServicePolicy
    """A model, or a shape that has the attributes of one. `kind` tells which."""

FIXED = frozenset({"apiVersion", "kind", "service", "environments"})
"""Keys that cannot differ by environment."""
Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid policy and the document, environment merged in, that its spans come from."""

    policy: Policy
    document: Document


Variants = Mapping[str | None, Loaded]
"""One policy as it is (None), and under each environment that it declares."""


def under(variants: Variants, environment: str | None) -> Loaded:
    """A document without that environment is the same in it as everywhere."""
    return variants[environment if environment in variants else None]


def environments(document: Document) -> tuple[str, ...]:
    """The environments that the document declares."""
    node = document.items.get("environments")
    if isinstance(node, MappingNode):
        return tuple(node.items)
    return tuple(node) if isinstance(node, dict) else ()


def platform_of(loaded: Loaded) -> PlatformPolicy | None:
    return loaded.policy if loaded.policy.kind == "Platform" else None


def service_of(loaded: Loaded) -> ServicePolicy | None:
    return loaded.policy if loaded.policy.kind == "Service" else None


def quick_variants(source: Source) -> dict[str | None, Loaded] | None:
    """Those of a policy that is plain and right; None for any other."""
    data = plain.read(source.text)
    policy = None if data is None else shaped(data)
    if data is None or policy is None:
        return None
    seek = _Sought(source)
    found: dict[str | None, Loaded] = {None: _loaded(source, data, policy, seek, None)}
    for name, overlay in data.get("environments", {}).items():
        if not FIXED.isdisjoint(overlay):
            return None
        merged = _overlaid({key: value for key, value in data.items() if key != "environments"}, overlay)
        variant = shaped(merged, (data, policy))
        if variant is None:
            return None
        found[name] = _loaded(source, merged, variant, seek, name)
    return found


def _loaded(source: Source, data: Data, policy: Shape, seek: _Sought, environment: str | None) -> Loaded:
    document = Document.sought(source, _long_upstream(data), partial(seek.root, environment))
    return Loaded(cast("Policy", policy), document)


@dataclass(slots=True)
class _Sought:
    """A source's nodes, by the strict reader, when somebody asks for them."""

    source: Source
    found: Document | None = None

    def root(self, environment: str | None) -> MappingNode:
        from gwc.policy.load import root_under

        if self.found is None:
            self.found = parse(self.source, report := Report())
            assert self.found is not None, report.diagnostics
        return root_under(self.found, environment)


def _long_upstream(data: Data) -> Data:
    short = data.get("upstream")
    return {**data, "upstream": {"endpoints": [{"url": short}]}} if isinstance(short, str) else data


def _overlaid(base: Data, overlay: Data) -> Data:
    if isinstance(base.get("upstream"), str) is isinstance(overlay.get("upstream"), str):
        return _merged(base, overlay)
    return _merged(_long_upstream(base), _long_upstream(overlay))


def _merged(base: Data, overlay: Data) -> dict[str, Any]:
    """As `gwc.document.merge` does with nodes."""
    items = dict(base)
    for key, value in overlay.items():
        items[key] = _value(key, items[key], value) if key in items else value
    return items


def _value(key: str, base: Any, overlay: Any) -> Any:
    if isinstance(base, dict) and isinstance(overlay, dict):
        return overlay if ALTERNATIVES.get(key, set()) & overlay.keys() else _merged(base, overlay)
    if key == "routes" and isinstance(base, list) and isinstance(overlay, list):
        return _routes(base, overlay)
    return overlay


def _routes(base: list[Any], overlay: list[Any]) -> list[Any]:
    routes = list(base)
    where = {_route_name(route): index for index, route in reversed(list(enumerate(routes)))}
    for route in overlay:
        index = where.pop(name, None) if (name := _route_name(route)) is not None else None
        if index is None:
            routes.append(route)
        else:
            routes[index] = _value("", routes[index], route)
    return routes


def _route_name(route: Any) -> str | None:
    name = route.get("name") if isinstance(route, dict) else None
    return name if isinstance(name, str) else None
