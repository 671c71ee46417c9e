"""How a running gateway differs from its policies, for people, programs, a pull request's comment and its lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gwc import __version__
from gwc.live.showing import shown, shown_place
from gwc.live.tree import ORDER, Kind, Spot, Tree
from gwc.live.words import Drift
from gwc.report.changes import MARK, SCHEMA, cell, position
from gwc.report.excerpt import printable
from gwc.report.github import command
from gwc.report.style import Style, plain

_ROLES = {Kind.EXTRA: "error", Kind.MISSING: "error", Kind.CHANGED: "warning"}


@dataclass(frozen=True, slots=True)
class Found:
    """One comparison. `known` are the texts of the rendering: only what is there may be shown of the gateway."""

    target: str
    against: str
    drifts: Sequence[Drift]
    unseen: Sequence[str]
    known: frozenset[str]


def as_text(found: Found, style: Style = plain) -> str:
    lines = [line for drift in found.drifts for line in _entry(drift, found, style)]
    unseen = [f"not shown by {found.target} in this way: {_few(found.unseen)}"] if found.unseen else []
    last = f"{summary(found)} between the policies and {printable(found.against)} ({found.target})"
    return "".join(f"{line}\n" for line in (*lines, *unseen, last))


def summary(found: Found) -> str:
    counted = Counter(drift.kind for drift in found.drifts)
    return ", ".join(f"{counted[kind]} {kind}" for kind in Kind if counted[kind]) or "no difference"


def _entry(drift: Drift, found: Found, style: Style) -> Iterator[str]:
    owners = sorted({subject.owner for subject in drift.subjects if subject.owner})
    said = f"{who(drift)}{f' ({_few(owners)})' if owners else ''}: {what(drift, found)}"
    yield f"{style(_ROLES[drift.kind], drift.kind.upper())} {printable(said)}"
    if drift.span is not None:
        yield f"  {_SAYS[drift.kind]} {style('place', printable(str(drift.span)))}"
    yield from (f"  in {found.target}: {printable(place)}" for place in _places(drift, found))
    yield ""


_SAYS = {Kind.EXTRA: "beside", Kind.MISSING: "asked for at", Kind.CHANGED: "decided at"}
_MOST = 3


def who(drift: Drift) -> str:
    return _few([str(subject) for subject in drift.subjects])


def what(drift: Drift, found: Found) -> str:
    """`timeouts.request 60s -> 10s`, what the policies ask for first."""
    field = _few(drift.fields) or _fallback(drift)
    if drift.kind is Kind.EXTRA:
        return f"{field}: no policy asks for it"
    if drift.kind is Kind.MISSING:
        return f"{field}: not in the gateway"
    if all(spot.place[-1] == ORDER for spot in drift.spots):
        return f"{field}: in another order"
    return f"{field} {_few(_values(drift, found))}".rstrip()


def _values(drift: Drift, found: Found) -> Sequence[str]:
    pairs = ((_value(spot, spot.wanted, found), _value(spot, spot.found, found)) for spot in drift.spots)
    return tuple(dict.fromkeys(f"{was} -> {now}" for was, now in pairs if was is not None and now is not None))


def _value(spot: Spot, value: Tree, found: Found) -> str | None:
    return shown(value, spot.place, found.known)


def _places(drift: Drift, found: Found) -> Iterator[str]:
    yield shown_place(drift.spots[0].place, found.known, drift.spots[0].found)
    if len(drift.spots) > 1:
        yield f"and {len(drift.spots) - 1} places more"


def _fallback(drift: Drift) -> str:
    return "something" if drift.kind is Kind.EXTRA else "what every policy relies on"


def _few(names: Sequence[str], most: int = _MOST) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def as_json(found: Found) -> str:
    counted = Counter(drift.kind for drift in found.drifts)
    document = {
        "schema": SCHEMA,
        "gwc": __version__,
        "command": "diff",
        "against": found.against,
        "target": found.target,
        "summary": {kind.value: counted[kind] for kind in Kind},
        "unseen": list(found.unseen),
        "drifts": [_object(drift, found) for drift in found.drifts],
    }
    return json.dumps(document, indent=2) + "\n"


def _object(drift: Drift, found: Found) -> dict[str, object]:
    return {
        "kind": drift.kind.value,
        "subjects": [{"service": s.service, "route": s.route, "owner": s.owner} for s in drift.subjects],
        "fields": list(drift.fields),
        "at": position(drift.span),
        "places": [
            {
                "place": shown_place(spot.place, found.known, spot.found),
                "wanted": _value(spot, spot.wanted, found),
                "found": _value(spot, spot.found, found),
            }
            for spot in drift.spots
        ],
    }


def as_markdown(found: Found) -> str:
    parts = [MARK, f"### The running {found.target}: {summary(found)}", f"Against `{cell(found.against)}`."]
    if found.drifts:
        rows = [_row(drift, found) for drift in found.drifts]
        parts.append("\n".join(("| | who | what | where |", "|---|---|---|---|", *rows)))
    if found.unseen:
        parts.append(f"Not shown in this way: {cell(_few(found.unseen))}.")
    return "\n\n".join(parts) + "\n"


def _row(drift: Drift, found: Found) -> str:
    where = f"`{cell(f'{drift.span.file}:{drift.span.line}')}`" if drift.span else ""
    return f"| {drift.kind} | {cell(who(drift))} | {cell(what(drift, found))} | {where} |"


def as_github(found: Found) -> str:
    lines = [
        command("warning", drift.span, f"gwc {drift.kind}", f"{who(drift)}: {what(drift, found)}")
        for drift in found.drifts
    ]
    last = command("notice", None, "gwc diff", f"{summary(found)} against {found.against} ({found.target})")
    return "".join(f"{line}\n" for line in (*lines, last))
