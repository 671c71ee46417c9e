"""Which entries of a virtual host a path can reach, by how it begins.

Envoy tries the routes of a virtual host one after the other, most of them by a pattern: with ten thousand of them that
takes longer than the service. So where there are many, they stand in branches, of which Envoy looks one up by the
longest prefix that it has of the path as text. Each branch has every entry that such a path can match, in the order of
matching, so that only what cannot match is left out:

- The prefixes are the literal segments that paths begin with, two or more deep where many begin with one. Where a
  prefix has longer ones behind it, all literals that follow it are among them.
- So a path whose longest prefix is P is matched by no entry that begins with a longer prefix, nor with another one:
  what remains are the entries that P begins, and those with a placeholder before they part from P. A path may go on
  within the last segment of P (`/ab` for P `/a`), which is why a literal there counts when it goes on, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gwc.ir import PathTemplate, SegmentKind
from gwc_envoy.rows import Listed, Rows
from gwc_envoy.shared import Shared
from gwc_envoy.xds import Json, extension, typed

FEW = 24
"""Entries that are tried one after the other: a list is easier to read, and takes microseconds."""
_REPEATED = 3
"""How many times as many entries branches may hold together as there are. Placeholders in the first segment are in all
of them."""

_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """The entries, by their numbers, for paths of which `prefix` is the longest; without one, for all other paths."""

    prefix: str | None
    entries: tuple[int, ...]


def branches(paths: Sequence[PathTemplate], few: int | None = None) -> tuple[Branch, ...]:
    """Those of a virtual host whose entries have these paths, the one without a prefix last. None: a list will do."""
    few = FEW if few is None else few
    if len(paths) <= few:
        return ()
    leads = [_lead(path) for path in paths]
    own: dict[_Key, list[int]] = {(): []}
    _deal(own, leads, range(len(paths)), 0, few)
    limit, found = _REPEATED * len(paths), list[Branch]()
    for key in sorted(own):
        entries = tuple(sorted([*own[key], *_above(own, paths, key)]))
        limit -= len(entries)
        found.append(Branch("/" + "/".join(key) if key else None, entries))
    return (*found[1:], found[0]) if limit >= 0 and len(found) > 1 else ()


def matched(lists: Mapping[str | None, Any], header: str = ":path") -> Json:
    """A virtual host with lists of routes by prefixes of a header. One for what has none of them stands under None."""
    found = {prefix: _listed(prefix, routes) for prefix, routes in lists.items() if prefix is not None}
    tree = {"input": _header(header), "prefix_match_map": {"map": found}}
    others = {"on_no_match": _listed("others", lists[None])} if None in lists else {}
    return {"matcher": {"matcher_tree": tree, **others}}


@lru_cache(maxsize=2)
def _header(name: str) -> Shared:
    return Shared(extension(name.lstrip(":"), "type.matcher.v3.HttpRequestHeaderMatchInput", header_name=name))


def _listed(name: str, routes: Any) -> Json | Listed:
    return Listed(_action, name, routes) if type(routes) is Rows else _action(name, routes)


def _action(name: str, routes: Any) -> Json:
    return {"action": {"name": name, "typed_config": typed("config.route.v3.RouteList", routes=routes)}}


def routes_of(host: Mapping[str, Any]) -> Iterator[Json]:
    """All routes of a virtual host."""
    yield from host.get("routes", ())
    matcher = host.get("matcher", {})
    branched = matcher.get("matcher_tree", {}).get("prefix_match_map", {}).get("map", {}).values()
    for found in (*branched, *filter(None, [matcher.get("on_no_match")])):
        yield from found["action"]["typed_config"]["routes"]


def _lead(path: PathTemplate) -> _Key:
    """The literal segments that it begins with."""
    texts: list[str] = []
    for segment in path.segments:
        if segment.kind is not SegmentKind.LITERAL:
            break
        texts.append(segment.text)
    return tuple(texts)


def _deal(own: dict[_Key, list[int]], leads: Sequence[_Key], numbers: Sequence[int], depth: int, few: int) -> None:
    """`numbers` are entries that share the first `depth` literals, and are dealt by the next one."""
    dealt: dict[_Key, list[int]] = {}
    for number in numbers:
        dealt.setdefault(leads[number][: depth + 1], []).append(number)
    for key, held in dealt.items():
        if len(key) <= depth or len(held) <= few or len({leads[number] for number in held}) == 1:
            own.setdefault(key, []).extend(held)
        else:
            own.setdefault(key, [])
            _deal(own, leads, held, depth + 1, few)


def _above(own: dict[_Key, list[int]], paths: Sequence[PathTemplate], key: _Key) -> Iterator[int]:
    """The entries of shorter prefixes that a path with this one can match."""
    for length in range(len(key)):
        for number in own.get(key[:length], ()):
            if _reaches(paths[number], key):
                yield number


def _reaches(path: PathTemplate, key: _Key) -> bool:
    """Whether a path that begins with `key`, and may go on within its last segment, can match."""
    for index, text in enumerate(key):
        if index == len(path.segments):
            return False
        segment = path.segments[index]
        if segment.kind is SegmentKind.REST:
            return True
        if segment.kind is SegmentKind.LITERAL and not segment.text.startswith(text):
            return False
        if segment.kind is SegmentKind.LITERAL and segment.text != text and index < len(key) - 1:
            return False
    return True
