"""A baseline: the findings that were there when lint was introduced, so that only new ones count.

A finding is recognised by its file, its code and the text of its line, so that lines may move.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gwc.diagnostics import Diagnostic

SCHEMA = 1
Fingerprint = tuple[str, str, str]
"""File, code, and a hash of the line without its indentation."""


class BaselineError(Exception):
    """A file that is no baseline; the message says why."""


@dataclass(frozen=True, slots=True)
class Compared:
    """`found` are the new findings, `known` how many the baseline has, `gone` how many of its entries are mended."""

    found: tuple[Diagnostic, ...]
    known: int
    gone: int


def fingerprint(diagnostic: Diagnostic, texts: Mapping[str, str]) -> Fingerprint:
    lines = texts.get(diagnostic.span.file, "").split("\n")
    line = lines[diagnostic.span.line - 1].strip() if diagnostic.span.line <= len(lines) else ""
    return diagnostic.span.file, diagnostic.code, hashlib.sha256(line.encode()).hexdigest()[:16]


def written(diagnostics: Sequence[Diagnostic], texts: Mapping[str, str]) -> str:
    """The baseline of these findings."""
    counted = Counter(fingerprint(diagnostic, texts) for diagnostic in diagnostics)
    entries = [
        {"file": file, "code": code, "line": line, "times": times}
        for (file, code, line), times in sorted(counted.items())
    ]
    return json.dumps({"schema": SCHEMA, "findings": entries}, indent=2) + "\n"


def read(text: str) -> Counter[Fingerprint]:
    """Raises BaselineError."""
    try:
        document = json.loads(text)
        if document["schema"] != SCHEMA:
            raise BaselineError(f"schema {document['schema']} is not {SCHEMA}: write the baseline anew")
        entries = document["findings"]
        return Counter({(str(e["file"]), str(e["code"]), str(e["line"])): int(e["times"]) for e in entries})
    except (ValueError, KeyError, TypeError) as error:
        raise BaselineError("not a baseline: write it with gwc lint --write-baseline") from error


def compared(diagnostics: Sequence[Diagnostic], known: Counter[Fingerprint], texts: Mapping[str, str]) -> Compared:
    left, found = Counter(known), []
    for diagnostic in diagnostics:
        mark = fingerprint(diagnostic, texts)
        if left[mark] > 0:
            left[mark] -= 1
        else:
            found.append(diagnostic)
    return Compared(tuple(found), len(diagnostics) - len(found), left.total())
