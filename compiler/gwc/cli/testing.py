"""One run of `gwc test`: what to read, what to run it on, and what becomes of the verdicts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.guard import say
from gwc.cli.job import Job
from gwc.cli.mistakes import told
from gwc.cli.progress import progress
from gwc.discovery import target_names
from gwc.ir import Gateway
from gwc.source import STDIN, Source, policy_files, read_source
from gwc.suggest import did_you_mean
from gwc.testing.coverage import Coverage, coverage
from gwc.testing.load import load_tests
from gwc.testing.plan import PlannedTest
from gwc.testing.run import failing, on_model, plan_tests
from gwc.testing.verdicts import MODEL, State, Verdict
from gwc.units import UnitError, parse_duration

FOLDER = "tests"
"""Beside the policies: compile and lint look into no folder below theirs."""
ALL = "all"


@dataclass(slots=True)
class Testing:
    """`engines` are the model first, then gateways by name; `max_wait` in seconds, of one test on a gateway."""

    __test__ = False  # no test of pytest's

    policies: str
    files: tuple[str, ...]
    engines: tuple[str, ...]
    max_wait: float
    job: Job = field(default_factory=lambda: Job("test"))
    sources: dict[str, Source] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    measured: Coverage | None = None
    _gateway: Gateway | None = None
    _tests: list[PlannedTest] = field(default_factory=list)

    def run(self, environment: str | None, now: date) -> None:
        """Reads policies and tests, and runs what is asked for. Raises CommandError."""
        self.job.read(self.policies)
        self._gateway = self.job.resolve(environment, now)
        with told("name files of tests, or write one into policies/tests: docs/test.md shows how"):
            read = [read_source(file, self.job.report) for file in self._named()]
        self.sources = {source.name: source for source in read if source is not None}
        loaded = load_tests(tuple(self.sources.values()), self.job.report)
        if self._gateway is None or self.job.report.failed:
            return
        self._tests = plan_tests(loaded, self._gateway, target_names(), self.job.report)
        for engine in self.engines if not self.job.report.failed else ():
            self._run_on(engine, self._gateway)

    def _named(self) -> tuple[str, ...]:
        if self.files:
            return tuple(path for file in self.files for path in policy_files(file))
        directory = Path("policies" if self.policies == STDIN else self.policies)
        return policy_files(str((directory if directory.is_dir() else directory.parent) / FOLDER))

    def _run_on(self, engine: str, gateway: Gateway) -> None:
        if engine == MODEL:
            self.verdicts += [on_model(test, gateway) for test in self._tests]
            return
        from gwc.cli.engines import run_on_engine

        try:
            with progress(f"running the tests on {engine}"):
                self.verdicts += run_on_engine(engine, self._tests, gateway, self.max_wait, self.job)
        except CommandError as error:
            if error.code is not ExitCode.ENVIRONMENT or len(self.engines) == 1:
                raise
            self.missing.append(f"{engine}: {error.message}")  # the others can still say what they make of it

    def measure(self) -> None:
        """Coverage is that of the model: what engines did is the same, or a failure."""
        if self._gateway is not None and not self.job.report.failed:
            own = [one for one in self.verdicts if one.engine == MODEL] or [
                on_model(test, self._gateway) for test in self._tests
            ]
            self.measured = coverage(self._gateway, (seen for verdict in own for seen in verdict.seen))

    def publish(self, form: str, fail_under: float | None) -> ExitCode:
        code = self._code(fail_under)
        sys.stdout.write(getattr(self, f"_as_{form}")(code))
        if self.measured is not None and fail_under is not None and self.measured.percent < fail_under:
            say(f"coverage {self.measured.percent:.1f}% is below {fail_under:g}%")
        for engine in self._idle():
            say(f"no test ran on {engine}")
        for reason in self.missing:
            say(f"not run on {reason}")
        return code

    def _idle(self) -> list[str]:
        """Engines on which nothing could run at all, which is no success."""
        own = {engine: [v for v in self.verdicts if v.engine == engine] for engine in self.engines}
        return [engine for engine, found in own.items() if found and all(v.state is State.SKIPPED for v in found)]

    def _code(self, fail_under: float | None) -> ExitCode:
        if self.job.outcome is not ExitCode.OK:
            return self.job.outcome
        low = self.measured is not None and fail_under is not None and self.measured.percent < fail_under
        if failing(self.verdicts) or low or self._idle():
            return ExitCode.FINDINGS
        return ExitCode.ENVIRONMENT if self.missing else ExitCode.OK

    @property
    def _texts(self) -> dict[str, str]:
        return {**self.job.texts, **{name: source.text for name, source in self.sources.items()}}

    def _as_text(self, code: ExitCode) -> str:  # noqa: ARG002 - the forms share a signature
        from gwc.report.style import style_for
        from gwc.report.tested import as_text, coverage_text
        from gwc.report.text import counts, render_text

        found, style = self.job.report.diagnostics, style_for(sys.stdout)
        if self.job.report.failed:
            return f"{render_text(found, self._texts, style)}{counts(found)}\n"
        shown = render_text(found, self._texts, style) + as_text(self.verdicts, self._texts, style)
        return shown + (coverage_text(self.measured) if self.measured else "")

    def _as_json(self, code: ExitCode) -> str:
        from gwc.report.json import render_json
        from gwc.report.tested import as_result

        found = sorted({*self.job.report.diagnostics, *(one for v in self.verdicts for one in v.found)})
        return render_json("test", code, found, as_result(self.verdicts, self.measured))

    def _as_junit(self, code: ExitCode) -> str:  # noqa: ARG002 - the forms share a signature
        from gwc.report.tested import as_junit

        return as_junit(self.verdicts, self.job.report.diagnostics if self.job.report.failed else ())


def engines_of(names: Sequence[str]) -> tuple[str, ...]:
    """The model before any gateway; none named is the model. Raises CommandError."""
    known = (MODEL, *target_names())
    for name in names:
        if name not in (*known, ALL):
            hint = " ".join(x for x in (did_you_mean(name, (*known, ALL)), f"known: {', '.join((*known, ALL))}") if x)
            raise CommandError(ExitCode.USAGE, f"unknown engine {name!r}", hint)
    wanted = known if ALL in names else (names or (MODEL,))
    return tuple(name for name in known if name in wanted)


def parse_wait(text: str) -> float:
    try:
        return parse_duration(text)
    except UnitError as error:
        raise CommandError(ExitCode.USAGE, f"--max-wait: {error}") from error
