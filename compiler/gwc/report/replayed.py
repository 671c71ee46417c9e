"""What replayed traffic came to: text, JSON, Markdown, and a page of its own."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from gwc import __version__
from gwc.replay.compare import MOST_NAMED, Result, Seen
from gwc.replay.reading import Counts
from gwc.report.excerpt import printable

SCHEMA = 1
TOP = 5
_WIDTH, _HEIGHT = 640, 160


def as_text(result: Result, counts: Counts, against: str, caveats: Sequence[str] = ()) -> str:
    """`caveats` say where a target parts from the model."""
    lines = [*_lines(result, counts, against), *(f"but {printable(caveat)}" for caveat in caveats)]
    return "".join(f"{line}\n" for line in lines)


def _lines(result: Result, counts: Counts, against: str) -> Iterator[str]:
    yield f"{result.requests} requests replayed against {printable(against)}"
    if counts.damaged:
        yield f"{counts.damaged} of {counts.lines} lines could not be read"
    if counts.late:
        yield f"{counts.late} lines came after later ones, and were taken at the time of those"
    yield ""
    for name, seen in _ranked(result):
        yield from _effect(name, seen, result)
    if not result.effects:
        yield "nothing would have been different"


def _ranked(result: Result) -> list[tuple[str, Seen]]:
    """What concerns most requests first."""
    return sorted(result.effects.items(), key=lambda pair: (-pair[1].requests, pair[0]))


def _effect(name: str, seen: Seen, result: Result) -> Iterator[str]:
    yield f"{name}: {seen.requests} requests ({share(seen.requests, result.requests)}), {people(seen)}"
    minute, most = seen.worst
    yield f"  worst minute: {moment(minute)}, {most} of {result.minutes[minute]} requests"
    yield from (f"  {printable(line)}" for line in _foremost(seen))
    yield ""


def _foremost(seen: Seen) -> list[str]:
    """`by: service/notes/1 7`, and the same of routes and users."""
    counted = (("by", seen.why), ("routes", seen.routes), ("users", seen.users))
    return [f"{title}: {top(counter)}" for title, counter in counted if counter]


def share(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else "0.00%"


def people(seen: Seen) -> str:
    return f"{_distinct(seen.users)} users, {_distinct(seen.clients)} clients"


def _distinct(counter: Counter[str]) -> str:
    return f"{len(counter)}{' or more' if len(counter) >= MOST_NAMED else ''}"


def top(counter: Counter[str]) -> str:
    ranked = sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{name} {number}" for name, number in ranked[:TOP])


def moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")


def as_json(result: Result, counts: Counts, against: str, caveats: Sequence[str] = ()) -> str:
    document = {
        "schema": SCHEMA,
        "gwc": __version__,
        "command": "replay",
        "against": against,
        "lines": {"read": counts.lines, "damaged": counts.damaged, "late": counts.late},
        "requests": result.requests,
        "old": dict(sorted(result.old.items())),
        "new": dict(sorted(result.new.items())),
        "effects": {name: _object(seen, result) for name, seen in sorted(result.effects.items())},
        "caveats": list(caveats),
    }
    return json.dumps(document, indent=2) + "\n"


def _object(seen: Seen, result: Result) -> dict[str, object]:
    minute, most = seen.worst
    return {
        "requests": seen.requests,
        "share": seen.requests / result.requests,
        "users": len(seen.users),
        "clients": len(seen.clients),
        "worst_minute": {"at": moment(minute), "requests": most, "of": result.minutes[minute]},
        "why": dict(seen.why.most_common()),
        "routes": dict(seen.routes.most_common(TOP)),
        "top_users": dict(seen.users.most_common(TOP)),
    }


def as_markdown(result: Result, counts: Counts, against: str, caveats: Sequence[str] = ()) -> str:
    rows = [
        f"| {name} | {seen.requests} | {share(seen.requests, result.requests)} | {people(seen)} | "
        f"{moment(seen.worst[0])}: {seen.worst[1]} | {html.escape(top(seen.why)).replace('|', '&#124;')} |"
        for name, seen in _ranked(result)
    ]
    head = f"### {result.requests} requests replayed against `{html.escape(against)}`"
    table = ["| | requests | share | who | worst minute | by |", "|---|---|---|---|---|---|", *rows]
    damaged = [f"{counts.damaged} of {counts.lines} lines could not be read."] if counts.damaged else []
    body = ["\n".join(table)] if rows else ["Nothing would have been different."]
    said = ["\n".join(f"- {html.escape(caveat)}" for caveat in caveats)] if caveats else []
    return "\n\n".join((head, *body, *damaged, *said)) + "\n"


def as_html(result: Result, counts: Counts, against: str, caveats: Sequence[str] = ()) -> str:
    """One page that needs no network."""
    sections = "".join(_section(name, seen, result) for name, seen in _ranked(result))
    body = sections or "<p>Nothing would have been different.</p>"
    parts = "".join(f"<p>{html.escape(caveat)}</p>" for caveat in caveats)
    said = html.escape(f"{result.requests} requests replayed against {against}")
    damaged = f"<p>{counts.damaged} of {counts.lines} lines could not be read.</p>" if counts.damaged else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>gwc replay</title><style>{_STYLE}</style>'
        f"<h1>{said}</h1>{damaged}{body}{parts}</html>\n"
    )


_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "svg{width:100%;height:auto}.all{fill:#8884}.part{fill:#c43}text{fill:currentColor;font-size:11px}"
)


def _section(name: str, seen: Seen, result: Result) -> str:
    facts = [f"{share(seen.requests, result.requests)} of all, {people(seen)}", *_foremost(seen)]
    listed = "".join(f"<li>{html.escape(fact)}</li>" for fact in facts)
    return f"<h2>{html.escape(name)}: {seen.requests}</h2><ul>{listed}</ul>{_plot(name, seen, result)}"


def _plot(name: str, seen: Seen, result: Result) -> str:
    """Bars by minute: those concerned before all. Many minutes share a bar."""
    first, last = min(result.minutes), max(result.minutes)
    step = max((last - first) // 60 // 120 + 1, 1) * 60
    everything, concerned = (_binned(counter, first, step) for counter in (result.minutes, seen.minutes))
    most, number = max(everything.values()), (last - first) // step + 1
    width = _WIDTH / number
    bars = "".join(
        _bar("all", index, everything[index], most, width) + _bar("part", index, concerned[index], most, width)
        for index in range(number)
    )
    label = html.escape(f"{name} by minute, from {moment(first)} to {moment(last)}", quote=True)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 16}" role="img" aria-label="{label}">{bars}'
        f'<text x="0" y="{_HEIGHT + 13}">{moment(first)}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT + 13}" text-anchor="end">{moment(last)}</text></svg>'
    )


def _binned(counter: Counter[int], first: int, step: int) -> Counter[int]:
    binned: Counter[int] = Counter()
    for minute, number in counter.items():
        binned[(minute - first) // step] += number
    return binned


def _bar(role: str, index: int, number: int, most: int, width: float) -> str:
    height = number / most * _HEIGHT
    place = f'x="{index * width:.2f}" y="{_HEIGHT - height:.2f}" width="{width * 0.9:.2f}" height="{height:.2f}"'
    return f'<rect class="{role}" {place}/>' if number else ""
