"""GitLab's Code Quality report: what a merge request shows beside the changed lines."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence

from gwc.diagnostics import Diagnostic, Severity

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def render_gitlab(diagnostics: Sequence[Diagnostic]) -> str:
    seen: Counter[str] = Counter()
    return json.dumps([_entry(diagnostic, seen) for diagnostic in diagnostics], indent=2) + "\n"


def _entry(diagnostic: Diagnostic, seen: Counter[str]) -> dict[str, object]:
    return {
        "description": f"{diagnostic.message} ({diagnostic.hint})" if diagnostic.hint else diagnostic.message,
        "check_name": diagnostic.code,
        "fingerprint": _fingerprint(diagnostic, seen),
        "severity": _SEVERITIES[diagnostic.severity],
        "location": {"path": diagnostic.span.file, "lines": {"begin": diagnostic.span.line}},
    }


def _fingerprint(diagnostic: Diagnostic, seen: Counter[str]) -> str:
    """Without the line, which moves; GitLab wants each to be different."""
    text = f"{diagnostic.span.file}\0{diagnostic.code}\0{diagnostic.message}"
    seen[text] += 1
    return hashlib.sha256(f"{text}\0{seen[text]}".encode()).hexdigest()
