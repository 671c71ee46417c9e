"""The order of matching as a table of nodes, which the njs module walks segment by segment. Precedence is the
compiler's: of a node's children a literal comes before a parameter, which comes before a rest.

A node is known by its path, and the table is flat: NGINX takes a time that grows with the square of the objects that it
loads, and hardly any for a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from json.encoder import encode_basestring_ascii as quoted

from gwc.ir import Gateway, SegmentKind
from gwc.routing import PathEntry, host_tables
from gwc_nginx.sharing import route_name, sharing

_PARAM, _REST = SegmentKind.PARAM.value, SegmentKind.REST.value
_NAMES = {_PARAM: "{}", _REST: "{*}"}
"""What no path of a request has in it: there a brace is escaped."""


def tables(gateway: Gateway) -> Iterator[tuple[str, str]]:
    """JSON of the named hosts, and of the nodes of all tables. Those of a host stand below its name, those of all
    others, which also stand behind every named one, below nothing."""
    same = sharing(gateway).settings
    *named, last = host_tables(gateway)
    behind = len(last.entries)
    hosts = [
        (f":{bracketed(table.host)}", table.entries[: len(table.entries) - behind]) for table in named if table.host
    ]
    yield "hosts", f"{{{','.join([f'{quoted(host)}:true' for host, _ in hosts])}}}"
    rows = [row for root, entries in (*hosts, ("", last.entries)) for row in nodes(root, entries, same)]
    yield "nodes", "{\n" + ",\n".join(rows) + "\n}"


def bracketed(host: str) -> str:
    """As NGINX has it in $host and in server_name: an IPv6 address stands in brackets."""
    return f"[{host}]" if ":" in host else host


def nodes(root: str, entries: Iterable[PathEntry], same: Mapping[str, str]) -> Iterator[str]:
    """Members of an object: the path of each node, and the leaf at it or nothing.

    Paths are sorted, so that all that begin alike stand together, and a node's own leaf comes before its children. `at`
    is the node before.
    """
    at: tuple[tuple[int, str], ...] | None = None
    for entry in entries:
        shape = entry.path.shape
        common = -1 if at is None else _alike(at, shape)
        yield from (f'{_path(root, shape[:depth])}:""' for depth in range(common + 1, len(shape)))
        yield f"{_path(root, shape)}:{quoted(_leaf(entry, same))}"
        at = shape


def _path(root: str, segments: Iterable[tuple[int, str]]) -> str:
    return quoted(root + "".join([f"/{_NAMES.get(kind, text)}" for kind, text in segments]))


def _alike(one: tuple[tuple[int, str], ...], other: tuple[tuple[int, str], ...]) -> int:
    """How many segments they begin with in common."""
    for place, (mine, theirs) in enumerate(zip(one, other)):  # noqa: B905 - one of them may be longer
        if mine != theirs:
            return place
    return min(len(one), len(other))


def _leaf(entry: PathEntry, same: Mapping[str, str]) -> str:
    """For each method the method, the route and the route whose settings it shares, parted by spaces."""
    named = [(method, route_name(m.service, m.route)) for m in entry.routes for method in m.route.methods]
    return " ".join([f"{method} {name} {same[name]}" for method, name in sorted(named)])
