"""The order of matching as a tree of path segments that the njs module walks. Precedence is the compiler's: within a
node a literal comes before a parameter, which comes before a rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import StringIO
from json.encoder import encode_basestring_ascii as quoted

from gwc.ir import Gateway, SegmentKind
from gwc.routing import PathEntry, host_tables
from gwc_nginx.sharing import route_name, sharing

_PARAM, _REST = SegmentKind.PARAM.value, SegmentKind.REST.value


def tables(gateway: Gateway) -> tuple[str, str]:
    """JSON of the tree of each named host, and of the tree of all others, which also stands behind every named one."""
    same = sharing(gateway).settings
    *named, last = host_tables(gateway)
    behind = len(last.entries)
    own = (
        f"{quoted(f':{bracketed(table.host)}')}:{tree(table.entries[: len(table.entries) - behind], same)}"
        for table in named
        if table.host
    )
    return f"{{{','.join(own)}}}", tree(last.entries, same)


def bracketed(host: str) -> str:
    """As NGINX has it in $host and in server_name: an IPv6 address stands in brackets."""
    return f"[{host}]" if ":" in host else host


def tree(entries: Iterable[PathEntry], same: Mapping[str, str]) -> str:
    """Keys: "/text" a literal, "{}" a parameter, "**" a rest, "." the end. The last two hold a leaf.

    Written as it is walked: paths are sorted, so that all that begin alike stand together. `at` is the node that is
    open, whose members so far are closed.
    """
    text = StringIO()
    at: tuple[tuple[int, str], ...] = ()
    comma = ""
    for entry in entries:
        shape = entry.path.shape
        rest = shape[-1][0] == _REST
        node = shape[:-1] if rest else shape
        common = _alike(at, node)
        opened = "".join([f"{_key(*segment)}:{{" for segment in node[common:]])
        leaf = quoted(_leaf(entry, same))
        text.write(f"{'}' * (len(at) - common)}{comma}{opened}{_ENDS[rest]}:{leaf}")
        at, comma = node, ","
    return f"{{{text.getvalue()}{'}' * len(at)}}}"


_ENDS = {True: quoted("**"), False: quoted(".")}


def _alike(one: tuple[tuple[int, str], ...], other: tuple[tuple[int, str], ...]) -> int:
    """How many segments they begin with in common."""
    for place, (mine, theirs) in enumerate(zip(one, other)):  # noqa: B905 - one of them may be longer
        if mine != theirs:
            return place
    return min(len(one), len(other))


def _key(kind: int, text: str) -> str:
    return quoted("{}" if kind == _PARAM else f"/{text}")


def _leaf(entry: PathEntry, same: Mapping[str, str]) -> str:
    """For each method the method, the route and the route whose settings it shares, parted by spaces. NGINX is slow to
    load values, so a leaf is one."""
    named = [(method, route_name(m.service, m.route)) for m in entry.routes for method in m.route.methods]
    return " ".join([f"{method} {name} {same[name]}" for method, name in sorted(named)])
