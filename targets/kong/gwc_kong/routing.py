"""Kong routes from the compiler's one order of matching: an expression and a priority each.

The `expressions` router takes the highest priority first, so the rows of `host_tables` are numbered downwards; the
other flavours rank by the kinds of fields before any number of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gwc.ir import Gateway, PathTemplate, Route, SegmentKind, Service
from gwc.routing import HostTable, PathEntry, host_tables

_SEPARATOR = r"[/\\]+"
_PARAM = r"[^/\\]+"
_ADDRESS = r"^{}(:[0-9]+)?\z"


@dataclass(frozen=True, slots=True)
class KongRoute:
    """One row. `source` is None where no method matches (405) and both are None where no path does (404)."""

    name: str
    expression: str
    priority: int
    pattern: str
    host: str | None
    source: tuple[Service, Route] | None
    entry: PathEntry | None
    members: tuple[str, ...] = ()  # the names of the rows of the entry's routes, in their order


def kong_routes(gateway: Gateway) -> tuple[KongRoute, ...]:
    """Highest priority first; the last one takes everything that nothing else does."""
    rows = [*_rows(gateway), ("gwc.not-found", 'http.path ^= "/"', ".", None, None, None)]
    return tuple(
        KongRoute(name, expression, len(rows) - index, pattern, host, source, entry, _members(entry, host))
        for index, (name, expression, pattern, host, source, entry) in enumerate(rows)
    )


_Row = tuple[str, str, str, str | None, tuple[Service, Route] | None, PathEntry | None]


def _rows(gateway: Gateway) -> Iterator[_Row]:
    for table in host_tables(gateway):
        for entry in table.entries:
            # A table repeats the routes of services without hosts behind its own; the last table prints them once.
            if bool(entry.routes[0].service.hosts) == (table.host is not None):
                yield from _entry_rows(table, entry)


def _entry_rows(table: HostTable, entry: PathEntry) -> Iterator[_Row]:
    pattern = path_pattern(entry.path)
    conditions = [*_host_condition(table.host), f"http.path ~ {_raw(router_pattern(entry.path))}"]
    for matched in entry.routes:
        name = _name(matched.service, matched.route, table.host)
        expression = " && ".join([*conditions, _methods(matched.route)])
        yield name, expression, pattern, _literal(table.host), (matched.service, matched.route), entry
    first = entry.routes[0]
    name = f"{_name(first.service, first.route, table.host)}~405"
    yield name, " && ".join(conditions), pattern, _literal(table.host), None, entry


def _members(entry: PathEntry | None, host: str | None) -> tuple[str, ...]:
    name = host.strip("[]") if host else None
    return tuple(_name(matched.service, matched.route, name) for matched in entry.routes) if entry else ()


def _name(service: Service, route: Route, host: str | None) -> str:
    """A service's name has no dots, so the first dot separates; the host only where there are several."""
    return f"{service.name}.{route.name}" + (f"~{host.replace(':', '-')}" if host and len(service.hosts) > 1 else "")


def _host_condition(host: str | None) -> list[str]:
    literal = _literal(host)
    if literal is None:
        return []
    if literal.startswith("["):  # Kong takes the port off names only
        return [f"lower(http.host) ~ {_raw(_ADDRESS.format(re.escape(literal)))}"]
    return [f'(lower(http.host) == "{literal}" || lower(http.host) == "{literal}.")']


def _literal(host: str | None) -> str | None:
    """As it stands in a Host header."""
    return f"[{host}]" if host and ":" in host else host


def _methods(route: Route) -> str:
    return "(" + " || ".join(f'http.method == "{method}"' for method in route.methods) + ")"


def _raw(pattern: str) -> str:
    """A raw string of the expression language; a path template holds no quote, so nothing can end it."""
    if '"' in pattern:
        raise ValueError("a quote in a path pattern")
    return f'r#"{pattern}"#'


def path_pattern(path: PathTemplate) -> str:
    """The canonical paths of a template, for PCRE."""
    return "^/" + "/".join(_segment(s.kind, s.text, "[^/]+") for s in path.segments) + r"\z"


def router_pattern(path: PathTemplate) -> str:
    """What Kong's router may see of those paths: it leaves backslashes and has decoded most escapes."""
    return rf"(?s)^{_SEPARATOR}" + _SEPARATOR.join(_segment(s.kind, s.text, _PARAM) for s in path.segments) + r"\z"


def _segment(kind: SegmentKind, text: str, param: str) -> str:
    if kind is SegmentKind.LITERAL:
        return re.escape(text).replace("\\-", "-").replace("\\&", "&").replace("\\~", "~")
    return param if kind is SegmentKind.PARAM else ".*"
