"""Kong routes from the compiler's one order of matching: an expression and a priority each.

The `expressions` router takes the highest priority first, so the rows of `host_tables` are numbered downwards; the
other flavours rank by the kinds of fields before any number of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple, Protocol

from gwc.ir import Gateway, PathTemplate, Route, Segment, SegmentKind, Service
from gwc.routing import HostTable, PathEntry, host_tables

_SEPARATOR = r"[/\\]+"
_PARAM = r"[^/\\]+"
_ADDRESS = r"^{}(:[0-9]+)?\z"


class Ranks(Protocol):
    """What `Ranked` tells of the rows of a path, whoever tells it."""

    @property
    def host(self) -> str | None: ...
    @property
    def entry(self) -> PathEntry: ...
    @property
    def pattern(self) -> str: ...
    @property
    def refusal(self) -> int: ...
    def row(self, index: int) -> int: ...


class Ranked(NamedTuple):
    """The rows of a path under a host, in the order of matching: one a route, and one for all other methods (405).

    `priority` is that of the first; the others count down from it.
    """

    host: str | None
    entry: PathEntry
    priority: int

    @property
    def pattern(self) -> str:
        return path_pattern(self.entry.path)

    def row(self, index: int) -> int:
        """The priority of one of its routes."""
        return self.priority - index

    @property
    def refusal(self) -> int:
        """The priority of the last."""
        return self.priority - len(self.entry.routes)


NOT_FOUND = "gwc.not-found"
"""The name of the row that takes everything that nothing else does; its priority is 1."""


def ranked(gateway: Gateway) -> Iterator[Ranked]:
    """Highest priority first."""
    priority = 1 + sum(len(entry.routes) + 1 for _, entry in _entries(gateway))
    for host, entry in _entries(gateway):
        yield Ranked(host, entry, priority)
        priority -= len(entry.routes) + 1


def _entries(gateway: Gateway) -> Iterator[tuple[str | None, PathEntry]]:
    for table in host_tables(gateway):
        yield from ((table.host, entry) for entry in _own(table))


def _own(table: HostTable) -> Iterator[PathEntry]:
    """A table repeats the routes of services without hosts behind its own; the last table prints them once."""
    named = table.host is not None
    return takewhile(lambda entry: bool(entry.routes[0].service.hosts) == named, table.entries)


Matches = tuple[tuple[str | None, int], ...]
"""The hosts under which a route is matched, each with the priority of the row."""


def first_matches(paths: Sequence[Ranked]) -> Iterator[tuple[Service, Route, Matches]]:
    """Every route of the gateway that these are of, once, where it is matched first."""
    several: dict[tuple[str, str], list[tuple[str | None, int]]] = {}
    for service, route, host, priority in _rows(path for path in paths if path.host is not None):
        several.setdefault((service.name, route.name), []).append((host, priority))
    for service, route, host, priority in _rows(paths):
        if len(service.hosts) < 2:
            yield service, route, ((host, priority),)
        elif matches := several.pop((service.name, route.name), None):
            yield service, route, tuple(matches)


def _rows(paths: Iterable[Ranked]) -> Iterator[tuple[Service, Route, str | None, int]]:
    for host, entry, priority in paths:
        for index, matched in enumerate(entry.routes):
            yield matched.service, matched.route, host, priority - index


def row_name(service: Service, route: Route, host: str | None) -> str:
    """A service's name has no dots, so the first dot separates; the host only where there are several."""
    return f"{service.name}.{route.name}" + (f"~{host.replace(':', '-')}" if host and len(service.hosts) > 1 else "")


def refusal_name(service: Service, route: Route, host: str | None) -> str:
    """Of the row for the methods that are not served; `route` is the first of its path."""
    return f"{row_name(service, route, host)}~405"


def distinct(services: Sequence[Service]) -> bool:
    """Whether no two rows of these services can have the same name, nor can one and that of `NOT_FOUND`."""
    names = {service.name for service in services}
    own = NOT_FOUND.partition(".")[0]
    return len(names) == len(services) and own not in names and not any("." in name for name in names)


def distinct_rows(service: Service) -> bool:
    """Whether no two rows of it can have the same name."""
    rows = [(service, route, host) for host in service.hosts or (None,) for route in service.routes]
    names = {*(row_name(*row) for row in rows), *(refusal_name(*row) for row in rows)}
    return len(names) == 2 * len(rows)


def expression(host: str | None, path: PathTemplate, route: Route | None) -> str:
    """What a request has to be for a row; `route` None: whatever its method is.

    Kong tries the rows of the whole gateway in turn for each path that it has not seen of late, and takes microseconds
    for a pattern. So it first looks for the texts without which the pattern cannot match.
    """
    conditions = [*_host_condition(host), *_texts(path), f"http.path ~ {_raw(router_pattern(path))}"]
    return " && ".join(conditions if route is None else [*conditions, _methods(route.methods)])


def _texts(path: PathTemplate) -> Iterator[str]:
    """The longest first: it is in the fewest paths."""
    literals = {segment.text for segment in path.segments if segment.kind is SegmentKind.LITERAL and segment.text}
    for text in sorted(literals, key=lambda text: (-len(text), text)):
        yield f"http.path contains {_raw(text)}"


def _host_condition(host: str | None) -> list[str]:
    literal = host_header(host)
    if literal is None:
        return []
    if literal.startswith("["):  # Kong takes the port off names only
        return [f"lower(http.host) ~ {_raw(_ADDRESS.format(re.escape(literal)))}"]
    return [f'(lower(http.host) == "{literal}" || lower(http.host) == "{literal}.")']


def host_header(host: str | None) -> str | None:
    """As it stands in a Host header."""
    return f"[{host}]" if host and ":" in host else host


@lru_cache(maxsize=256)
def _methods(methods: tuple[str, ...]) -> str:
    return "(" + " || ".join(f'http.method == "{method}"' for method in methods) + ")"


def _raw(pattern: str) -> str:
    """A raw string of the expression language; a path template holds no quote, so nothing can end it."""
    if '"' in pattern:
        raise ValueError("a quote in a path pattern")
    return f'r#"{pattern}"#'


def path_pattern(path: PathTemplate) -> str:
    """The canonical paths of a template, for PCRE."""
    return "^/" + "/".join(_segments(path, "[^/]+")) + r"\z"


def router_pattern(path: PathTemplate) -> str:
    """What Kong's router may see of those paths: it leaves backslashes and has decoded most escapes."""
    return rf"(?s)^{_SEPARATOR}" + _SEPARATOR.join(_segments(path, _PARAM)) + r"\z"


def _segments(path: PathTemplate, param: str) -> list[str]:
    return [_segment(s, param) for s in path.segments]


def _segment(segment: Segment, param: str) -> str:
    if segment.kind is SegmentKind.LITERAL:
        return _escape(segment.text)
    return param if segment.kind is SegmentKind.PARAM else ".*"


@lru_cache(maxsize=1024)
def _escape(text: str) -> str:
    return re.escape(text).replace("\\-", "-").replace("\\&", "&").replace("\\~", "~")
