"""Every value that holds for a route, as a policy would write it, and who wrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gwc.ir import Address, Endpoint, Gateway, Limit, LimitKey, Origin, PathTemplate, Route
from gwc.leaves import Leaf, Step, leaves, origin, spelled
from gwc.units import Rate, format_duration, format_rate, format_share, format_size

_SKIPPED = frozenset({"name", "description", "owner", "base_path", "limits", "statuses"})
"""Labels, and what another leaf says already."""
_DURATIONS = frozenset(
    {"connect", "request", "idle", "per_try", "backoff_base", "backoff_max", "ttl", "stale_if_error"}
    | {"stale_while_revalidate", "negative_ttl", "max_age", "open", "every"}
)
_WORDS = {"per_user": ("user", "public"), "cluster": ("cluster", "gateway"), "shadow": ("shadow", "enforce")}
_SECTIONS = (
    *("path", "methods", "hosts", "base_path", "limits", "cors", "auth", "max_body", "cache", "cost", "budget"),
    *("concurrency", "upstream", "timeouts", "retries"),
)
"""Those that come first, in the order of the checks."""


@dataclass(frozen=True, slots=True)
class Row:
    """One value. `leaves` are what of the Gateway it is made of. `private`: the value may be nobody else's business."""

    field: str
    text: str
    origin: Origin | None
    leaves: tuple[Leaf, ...]
    private: bool = False


def rows(gateway: Gateway, service: str, route: str) -> tuple[Row, ...]:
    """Of the route, its service and what the platform sets for all, in the order of the checks."""
    found = list(_rows(gateway, *_positions(gateway, service, route)))
    return tuple(sorted(found, key=lambda row: _place(row.field)))


def _positions(gateway: Gateway, service: str, route: str) -> tuple[int, int]:
    index = next(i for i, one in enumerate(gateway.services) if one.name == service)
    return index, next(j for j, one in enumerate(gateway.services[index].routes) if one.name == route)


def _place(field: str) -> int:
    """Stable: fields of one section keep the order of the Gateway."""
    section = field.partition(".")[0]
    return _SECTIONS.index(section) if section in _SECTIONS else len(_SECTIONS)


def _rows(gateway: Gateway, index: int, number: int) -> Iterator[Row]:
    service, at = gateway.services[index], ("services", index)
    route, own = service.routes[number], ("services", index, "routes", number)
    yield from _limits(("limits",), gateway.limits)
    yield from _limits((*at, "limits"), service.limits)
    yield from _limits((*own, "limits"), route.limits)
    yield from _plain(gateway, leaves(route, own), route)
    yield from _plain(
        gateway, (leaf for leaf in leaves(service, at) if leaf.path[2] not in ("routes", "upstream")), route
    )
    for position, endpoint in enumerate(service.upstream.endpoints):
        yield _endpoint(endpoint, (*at, "upstream", "endpoints", position))
    upstream = (leaf for leaf in leaves(service.upstream, (*at, "upstream")) if leaf.path[3] != "endpoints")
    yield from _plain(gateway, upstream, route)
    yield from _plain(gateway, [Leaf(("concurrency",), gateway.concurrency)], route)


def _limits(at: tuple[Step, ...], limits: Sequence[Limit]) -> Iterator[Row]:
    for index, limit in enumerate(limits):
        parts = tuple(leaf for leaf in leaves(limit, (*at, index)) if leaf.path[-1] in ("rate", "burst"))
        field = f"limits.{limit.key.value}" + (f" ({limit.header})" if limit.key is LimitKey.HEADER else "")
        yield Row(field, limit_text(limit), limit.provenance["rate"], parts)


def _endpoint(endpoint: Endpoint, at: tuple[Step, ...]) -> Row:
    parts = tuple(leaf for leaf in leaves(endpoint, at) if leaf.path[-1] != "scheme")
    text = f"{endpoint.scheme}://{endpoint.address}, weight {endpoint.weight}"
    return Row("upstream.endpoints", text, endpoint.provenance["address"], parts)


def limit_text(limit: Limit) -> str:
    """`300/min, burst 60`, and what is not usual of it."""
    unusual = [*(["shadow"] if limit.shadow else []), *(["scope: cluster"] if limit.cluster else [])]
    return ", ".join([format_rate(limit.rate), f"burst {limit.burst}", *unusual])


def _plain(gateway: Gateway, found: Iterable[Leaf], route: Route) -> Iterator[Row]:
    for leaf in found:
        field = spelled(leaf.name)
        if not _shown(leaf, field, route):
            continue
        if leaf.path[-1] == "causes":
            yield _causes(gateway, leaf, route)
            continue
        if leaf.path[-1] == "strip":
            yield Row("base_path", written(leaf), origin(gateway, Leaf((*leaf.path[:-1], "base_path"), "")), (leaf,))
            continue
        private = field.startswith("headers.") and field.endswith(".set")
        yield Row(field, written(leaf), origin(gateway, leaf), (leaf,), private)


def _causes(gateway: Gateway, leaf: Leaf, route: Route) -> Row:
    statuses = Leaf((*leaf.path[:-1], "statuses"), route.retries.statuses)
    every = [*(cause.value for cause in route.retries.causes), *map(str, route.retries.statuses)]
    return Row("retries.when", f"[{', '.join(every)}]", origin(gateway, leaf), (leaf, statuses))


def _shown(leaf: Leaf, field: str, route: Route) -> bool:
    last = leaf.path[-1]
    if last in _SKIPPED or leaf.limit is not None:
        return False
    if field.startswith("retries.") and last != "attempts" and not route.retries.attempts:
        return False
    empty = leaf.value in (None, (), "", False)
    return not (empty and (last in _SILENT or field.startswith("upstream.tls")))


_SILENT = frozenset({"set", "remove", "stream", "websocket", "scopes", "hosts", "strip", "tls", "unsafe", "headers"})
"""Not worth a line where there is nothing."""


def written(leaf: Leaf) -> str:
    """The value as a policy has it; `none` where nothing is set. Of headers that are set, the names alone."""
    value, last = leaf.value, str(leaf.path[-1])
    if value is None:
        return "none"
    if last == "strip":
        return f"{value}, taken off"
    if last == "set":
        return f"[{', '.join(name for name, _ in value)}]"
    if last == "budget" and isinstance(value, float):
        return format_share(value)
    return _by_type(value, last)


def _by_type(value: Any, last: str) -> str:
    if isinstance(value, bool):
        return _WORDS.get(last, ("true", "false"))[0 if value else 1]
    if last in _DURATIONS:
        return format_duration(value)
    if last == "max_body":
        return format_size(value)
    return next((show(value) for kind, show in _SHOWN if isinstance(value, kind)), str(value))


_SHOWN: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (Rate, format_rate),
    (PathTemplate, lambda value: str(value.text)),
    (Address, str),
    (tuple, lambda value: f"[{', '.join(str(item) for item in value)}]"),
)
