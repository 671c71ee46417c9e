"""The files that an import reads: one, and for NGINX those that it includes."""

from __future__ import annotations

import sys
from pathlib import Path

from gwc.diagnostics import Span
from gwc.imports.findings import Findings
from gwc.source import STDIN, Source, SourceError, display_name

MAX_BYTES = 32 * 1024 * 1024


def read_file(path: str, findings: Findings) -> Source:
    """The text, of which reports may quote lines. Raises SourceError, and ImportFailedError for what is not UTF-8."""
    name = STDIN if path == STDIN else display_name(Path(path))
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1) if path == STDIN else _bytes(Path(path))
    except (OSError, ValueError) as error:
        raise SourceError(f"{name}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MAX_BYTES:
        raise SourceError(f"{name}: larger than {MAX_BYTES // 2**20} MiB")
    source = Source(name, _decoded(name, data, findings))
    findings.texts[name] = source.text
    return source


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _decoded(name: str, data: bytes, findings: Findings) -> str:
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        span = Span(name, line, column, line, column + 1)
        raise findings.broken(span, f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8") from None
