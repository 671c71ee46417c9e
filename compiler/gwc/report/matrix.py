"""The capability matrix: features down, targets with their profiles across, and a note for all that is not exact."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gwc.features import FEATURES
from gwc.support import Conditional, Fidelity, Support, SupportTable


@dataclass(frozen=True, slots=True)
class Promise:
    """A fidelity and, where it holds for some values only, the condition in words."""

    support: Support
    condition: str = ""


def promises(entry: Support | Conditional) -> tuple[Promise, ...]:
    """The usual promise first, then the cases that differ from it."""
    if isinstance(entry, Support):
        return (Promise(entry),)
    return (Promise(entry.usual), *(Promise(case.support, case.condition) for case in entry.cases))


def as_text(tables: Sequence[SupportTable]) -> str:
    """Aligned columns, then the notes; `*` marks an entry that depends on the value."""
    heads = ["feature", *map(_title, tables)]
    rows = [[name, *(_cell(table.entries[name]) for table in tables)] for name in FEATURES]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    grid = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in (heads, *rows)]
    notes = [line for table in tables for line in _text_notes(table)]
    return "\n".join((*grid, *notes)) + "\n"


def as_markdown(tables: Sequence[SupportTable]) -> str:
    """A table and, below it, the notes of each target."""
    lines = [
        "| feature | " + " | ".join(map(_title, tables)) + " | what it promises |",
        "|---" * (len(tables) + 2) + "|",
        *(_markdown_row(name, tables) for name in FEATURES),
    ]
    for table in tables:
        notes = [f"- `{name}`{_when(p)} {p.support.fidelity}: {p.support.note}" for name, p in _inexact(table)]
        lines += ["", f"## {_title(table)}", "", *(notes or ["Everything is exact."])]
    return "\n".join(lines) + "\n"


def as_json(tables: Sequence[SupportTable]) -> str:
    """`{schema, features: [{feature, summary, targets: [{target, profile, promises: [...]}]}]}`."""
    features = [
        {"feature": name, "summary": feature.summary, "targets": [_json_entry(name, table) for table in tables]}
        for name, feature in FEATURES.items()
    ]
    return json.dumps({"schema": 1, "features": features}, indent=2) + "\n"


def _json_entry(feature: str, table: SupportTable) -> dict[str, object]:
    found = [
        {"fidelity": p.support.fidelity.value, "condition": p.condition, "note": p.support.note}
        for p in promises(table.entries[feature])
    ]
    return {"target": table.target, "profile": table.profile, "promises": found}


def _title(table: SupportTable) -> str:
    return f"{table.target}/{table.profile}"


def _cell(entry: Support | Conditional) -> str:
    usual, *cases = promises(entry)
    return usual.support.fidelity.value + ("*" if cases else "")


def _markdown_row(name: str, tables: Sequence[SupportTable]) -> str:
    cells = " | ".join(_cell(table.entries[name]).replace("*", "\\*") for table in tables)
    return f"| `{name}` | {cells} | {FEATURES[name].summary} |"


def _inexact(table: SupportTable) -> Iterator[tuple[str, Promise]]:
    for name in FEATURES:
        for promise in promises(table.entries[name]):
            if promise.support.fidelity is not Fidelity.EXACT:
                yield name, promise


def _text_notes(table: SupportTable) -> Iterator[str]:
    notes = [f"  {name}:{_when(p)} {p.support.fidelity}: {p.support.note}" for name, p in _inexact(table)]
    if notes:
        yield from ("", f"{_title(table)}:", *notes)


def _when(promise: Promise) -> str:
    return f" ({promise.condition})" if promise.condition else ""
