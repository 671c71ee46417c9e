"""One run of `gwc import`: convert, write all files or none, report."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from gwc.cli import output
from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.mistakes import told
from gwc.cli.options import Format
from gwc.cli.output import NewFile, OutputError
from gwc.cli.progress import progress
from gwc.counted import counted
from gwc.diagnostics import Report, Span
from gwc.document import ScalarNode, parse
from gwc.imports.convert import Imported, convert
from gwc.imports.findings import Findings, ImportFailedError
from gwc.imports.values import slug
from gwc.policy.addresses import parse_url
from gwc.policy.types import SecretValueError
from gwc.source import SourceError, is_policy, read_source

PLATFORM = "platform.yaml"
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(slots=True)
class Importing:
    """`imported` is None after findings that leave nothing to write."""

    kind: str
    file: str
    directory: str | None
    format: Format
    findings: Findings = field(default_factory=Findings)
    imported: Imported | None = None
    written: tuple[str, ...] = ()

    def run(self, service: str, endpoint: str) -> None:
        check_endpoint(endpoint)
        check_service(service)
        with told("name a file, or - for standard input"), progress(f"reading {self.file}"):
            try:
                self.imported = convert(self.kind, self.file, self.findings, service=service, endpoint=endpoint)
            except ImportFailedError:
                self.imported = None

    def write(self, *, force: bool) -> None:
        """Raises CommandError, with nothing written."""
        if self.imported is None or self.directory is None:
            return
        files = dict(self.imported.files)
        existing = platform_in(Path(self.directory))
        if existing is not None and not force and PLATFORM in files:
            del files[PLATFORM]
            place = Span(existing, 1, 1, 1, 1)
            hint = f"run it without -o to see the {PLATFORM} that the import would have written"
            self.findings.assumed(place, "this platform policy stays as it is; the import's own is not written", hint)
        self.written = write_new(Path(self.directory), files, force=force)

    def publish(self, *, strict: bool) -> ExitCode:
        failed = self.imported is None
        code = ExitCode.FINDINGS if failed or (strict and self.findings.lossy) else ExitCode.OK
        if self.format is Format.JSON:
            self._json(code)
        elif self.imported is not None and self.directory is None:
            sys.stdout.write(_all(self.imported.files))
            self._text(sys.stderr)
        else:
            self._text(sys.stdout)
        return code

    def _json(self, code: ExitCode) -> None:
        from gwc.report.json import render_json

        files = dict(self.imported.files) if self.imported else {}
        result = {"files": files, "written": list(self.written)}
        sys.stdout.write(render_json("import", code, self.findings.diagnostics, result))

    def _text(self, out: TextIO) -> None:
        from gwc.report.style import style_for
        from gwc.report.text import counts, render_text

        found = self.findings.diagnostics
        out.write(render_text(found, self._quotable(), style_for(out)))
        out.write("; ".join(part for part in (self._summary(), counts(found)) if part) + "\n")

    def _quotable(self) -> Mapping[str, str]:
        from gwc.imports.masking import masked_text

        return {name: masked_text(text) for name, text in self.findings.texts.items()}

    def _summary(self) -> str:
        if self.imported is None:
            return "nothing imported"
        services = counted(len(self.imported.draft.services), "service")
        what = f"{services}, {counted(self.imported.routes, 'route')} imported"
        if self.directory is None:
            return what
        return f"{what} into {self.directory}: {', '.join(self.written) or 'unchanged'}"


def check_endpoint(endpoint: str) -> None:
    """Raises CommandError."""
    try:
        if endpoint and parse_url(endpoint, ("http", "https")).path not in ("", "/"):
            raise ValueError("it has a path; only scheme, host and port belong here")
    except SecretValueError as error:
        raise CommandError(ExitCode.USAGE, f"--endpoint: {error}", error.hint) from error
    except ValueError as error:
        raise CommandError(ExitCode.USAGE, f"--endpoint: {error}", "write it as http://127.0.0.1:8000") from error


def check_service(name: str) -> None:
    """Raises CommandError."""
    if name and not LABEL.fullmatch(name):
        hint = f"write it as `{slug(name)}`"
        raise CommandError(ExitCode.USAGE, f"--service {name[:60]!r} is not a DNS label", hint)


def write_new(
    directory: Path,
    files: Mapping[str, str],
    *,
    force: bool,
    hint: str = "--force overwrites; -o chooses another directory",
) -> tuple[str, ...]:
    """Write `files` all or none, and none over another's unless `force`; what was written. Raises CommandError."""
    plan = output.plan(directory, {name: NewFile(text) for name, text in sorted(files.items())}, frozenset())
    if plan.stale and not force:
        there = ", ".join(str(directory / name) for name in plan.stale)
        raise CommandError(ExitCode.USAGE, f"{there}: there already, and something else", hint)
    try:
        output.carry_out(plan)
    except OutputError as error:
        raise CommandError(ExitCode.USAGE, str(error)) from error
    return plan.changed


def platform_in(directory: Path) -> str | None:
    """The platform policy that a directory has already."""
    if not directory.is_dir():
        return None
    names = sorted(path.name for path in directory.iterdir() if is_policy(path.name) and path.is_file())
    return next((str(directory / name) for name in names if _is_platform(directory / name)), None)


def _is_platform(path: Path) -> bool:
    report = Report()
    try:
        source = read_source(str(path), report)
    except SourceError:
        return False
    document = parse(source, report) if source else None
    kind = document.root.items.get("kind") if document else None
    return isinstance(kind, ScalarNode) and kind.value == "Platform"


def _all(files: Mapping[str, str]) -> str:
    return "".join(f"# --- {name}\n{text.rstrip()}\n" for name, text in files.items())
