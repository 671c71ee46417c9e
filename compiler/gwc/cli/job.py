"""What compile and verify share: from the command line's words to a Gateway and its renderings, and to a report."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, TextIO

from gwc.cli.exits import ExitCode
from gwc.cli.mistakes import check_targets as check_targets
from gwc.cli.mistakes import told
from gwc.cli.now import parse_now as parse_now
from gwc.cli.options import Format
from gwc.cli.progress import progress
from gwc.compile import Rendered, compiled, emitted, judged, render
from gwc.diagnostics import Report, Severity
from gwc.discovery import load_targets
from gwc.ir import Gateway
from gwc.resolve import read_beside
from gwc.source import Source, policy_name, read_policies

if TYPE_CHECKING:
    from gwc.cli.kept import Kept

_UNSUPPORTED = "GWC601"


@dataclass(slots=True)
class Job:
    """One run over the policies: what was read and what was found."""

    command: str
    format: Format = Format.TEXT
    sources: tuple[Source, ...] = ()
    report: Report = field(default_factory=Report)

    public: dict[str, str] = field(default_factory=dict)
    """The public files that policies name, by the name that they use."""
    services: Mapping[str, Source] = field(default_factory=dict)
    """The policy of each service, once they are resolved."""

    @property
    def texts(self) -> Mapping[str, str]:
        return {source.name: source.text for source in self.sources}

    @property
    def inputs(self) -> Mapping[str, str]:
        """Every text that the output was made from, named the same in every checkout."""
        public = {file if not file.startswith("/") else policy_name(file): text for file, text in self.public.items()}
        return {policy_name(source.name): source.text for source in self.sources} | public

    def read(self, policies: str) -> None:
        with told():
            self.sources = read_policies(policies, self.report)

    def resolve(self, environment: str | None, now: date) -> Gateway | None:
        with told(), progress("reading the policies"):
            found = compiled(self.sources, environment=environment, now=now, report=self.report, read=self._read_public)
        if found is None:
            return None
        self.services = found.services
        return found.gateway

    def _read_public(self, source: Source, file: str) -> str:
        self.public[file] = text = read_beside(source, file)
        return text

    def render(self, gateway: Gateway, targets: Sequence[str]) -> tuple[Rendered, ...] | None:
        with progress("compiling"):
            return render(gateway, load_targets(targets), self.report)

    def emit(self, gateway: Gateway, targets: Sequence[str], kept: Kept | None = None) -> tuple[Rendered, ...] | None:
        """As `render`, without texts: whoever makes them asks whether they are `judged` well."""
        with progress("compiling"):
            return emitted(gateway, load_targets(targets), self.report, None if kept is None else kept.found)

    def judged(self, one: Rendered, fit: bool) -> bool:
        return judged(one, fit, self.report)

    @property
    def outcome(self) -> ExitCode:
        """Findings come first; a policy is unsupported only when nothing else is wrong with it."""
        errors = {d.code for d in self.report.diagnostics if d.severity is Severity.ERROR}
        if not errors:
            return ExitCode.OK
        return ExitCode.UNSUPPORTED if errors == {_UNSUPPORTED} else ExitCode.FINDINGS

    def publish(
        self,
        code: ExitCode,
        summary: str,
        result: Mapping[str, object] | None = None,
        *,
        stream: TextIO | None = None,
    ) -> ExitCode:
        """Print the report on `stream` (standard output): findings and `summary` as text, or everything as JSON."""
        out = stream or sys.stdout
        out.write(self.told(code, summary, result, out))
        return code

    def told(self, code: ExitCode, summary: str, result: Mapping[str, object] | None, stream: TextIO) -> str:
        """What `publish` prints on `stream`."""
        return self._json(code, result) if self.format is Format.JSON else self._text(summary, stream)

    def _json(self, code: ExitCode, result: Mapping[str, object] | None) -> str:
        from gwc.report.json import render_json

        return render_json(self.command, code, self.report.diagnostics, result)

    def _text(self, summary: str, stream: TextIO) -> str:
        from gwc.report.style import style_for
        from gwc.report.text import counts, render_text

        found = self.report.diagnostics
        joint = "\n" if "\n" in summary else "; "
        verdict = joint.join(part for part in (summary, counts(found) if found else "") if part)
        return render_text(found, self.texts, style_for(stream)) + (f"{verdict}\n" if verdict else "")
