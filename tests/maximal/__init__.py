"""A platform and a service that write every key of the language, for tests that change one key at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gwc.diagnostics import Report
from gwc.document import parse
from gwc.source import read_source

DIRECTORY = Path(__file__).parent
FILES = ("platform", "everything")


def policies() -> dict[str, dict[str, Any]]:
    """The plain data of both policies, fresh, by the name of the file."""
    return {name: _data(DIRECTORY / f"{name}.yaml") for name in FILES}


def _data(path: Path) -> dict[str, Any]:
    report = Report()
    source = read_source(str(path), report)
    document = parse(source, report) if source else None
    assert document is not None, report.diagnostics
    return document.data()
