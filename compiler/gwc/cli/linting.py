"""One run of `gwc lint`: what to read, the findings, and what becomes of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from gwc import observed
from gwc.cli import again
from gwc.cli.asking import Asked
from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.guard import in_one_go, say
from gwc.cli.mistakes import told
from gwc.cli.now import parse_now
from gwc.cli.progress import progress
from gwc.diagnostics import Diagnostic, Report, Severity
from gwc.frozen import dataclass, field
from gwc.lint.code import CodeError
from gwc.lint.run import lint_sources
from gwc.source import STDIN, Source, display_name, is_directory, is_file, normal, policy_files, read_source

if TYPE_CHECKING:
    from pathlib import Path

    from gwc.lint.rule import Rule

PLATFORM = ("platform.yaml", "platform.yml")
FIRST_RULE = "GWC300"
POLICIES = (".yaml", ".yml")
CODE = (".py", ".txt", ".toml")
"""What the findings about services point at; they belong to whoever named the services."""
NAMED = "name directories or files of policies"
ROUNDS = 5
"""A fix may uncover another one; a sixth round would mean that two undo one another."""


@in_one_go
def perform(asked: Asked) -> ExitCode:
    """One `gwc lint`, from its options to what is printed. Raises CommandError."""
    now = parse_now(asked.now)
    paths = asked.paths or ("policies",)
    linting = Linting(paths, split(asked.select), split(asked.ignore), asked.env, now, asked.services)
    _held[:] = [linting]
    linting.run()
    if asked.changed is not None:
        linting.only(changed_files(asked.changed))
    if asked.fix and not asked.diff:
        linting.fix()
    if asked.diff:
        linting.show_fixes()
        return ExitCode.OK
    if asked.write_baseline is not None:
        linting.write_baseline(asked.write_baseline)
        return ExitCode.OK
    if asked.baseline is not None:
        linting.forget(asked.baseline)
    return linting.publish(asked.format, asked.fail_on)


_held: list[object] = []
"""The last run. It ends with its process, which needs not take millions of objects apart, one by one, before."""


def split(selectors: Sequence[str]) -> tuple[str, ...]:
    """`--select GWC303,GWC4` is `--select GWC303 --select GWC4`."""
    return tuple(part.strip() for text in selectors for part in text.split(",") if part.strip())


@dataclass(frozen=True, slots=True)
class _Group:
    """The files of one gateway, all of them or not, and the names of those that somebody asked about."""

    files: tuple[str, ...]
    named: frozenset[str]
    whole: bool

    def about(self, diagnostic: Diagnostic) -> bool:
        """A fault anywhere keeps the rules from running, and has to be seen."""
        if diagnostic.span.file in self.named or diagnostic.code < FIRST_RULE:
            return True
        return diagnostic.span.file.endswith(CODE)


@dataclass(slots=True)
class Linting:
    """`paths` are directories, each one gateway, and files, each looked at with the platform's policy beside it."""

    paths: tuple[str, ...]
    select: tuple[str, ...]
    ignore: tuple[str, ...]
    environment: str | None
    now: date
    services: str | None = None
    sources: dict[str, Source] = field(default_factory=dict)
    found: tuple[Diagnostic, ...] = ()
    made: list[object] = field(default_factory=list)
    """What a run looked at, held as long as the run itself."""

    notes: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Reads everything anew. Raises CommandError."""
        rules = self._rules()
        found: set[Diagnostic] = set()
        for group in self._gateways():
            found |= self._found(group, rules)
        self.found = tuple(sorted(found))

    def _found(self, group: _Group, rules: tuple[type[Rule], ...] | None) -> set[Diagnostic]:
        report = Report()
        sources = tuple(s for file in group.files if (s := self._read(file, report)) is not None)
        self._lint(sources, rules, report, whole=group.whole)
        return {diagnostic for diagnostic in report.diagnostics if group.about(diagnostic)}

    def _rules(self) -> tuple[type[Rule], ...] | None:
        """None: all of them."""
        if not self.select and not self.ignore:
            return None
        from gwc.lint.registry import RULES
        from gwc.lint.select import UnknownRuleError, selected

        try:
            return selected(RULES, self.select, self.ignore)
        except UnknownRuleError as error:
            raise CommandError(ExitCode.USAGE, str(error), error.hint) from error

    def _gateways(self) -> Iterator[_Group]:
        single: dict[str, list[str]] = {}
        for path in self.paths:
            if path == STDIN or not is_directory(path):
                single.setdefault(_directory(path), []).append(path)
            else:
                yield _Group(files := _files(path), _names(files), whole=True)
        yield from (_beside(directory, tuple(dict.fromkeys(files))) for directory, files in single.items())

    def _read(self, file: str, report: Report) -> Source | None:
        with told(NAMED):
            source = read_source(file, report)
        if source is not None:
            self.sources[source.name] = source
        return source

    def _lint(
        self, sources: Sequence[Source], rules: Sequence[type[Rule]] | None, report: Report, *, whole: bool
    ) -> None:
        try:
            with told(), progress("linting"):
                modules = lint_sources(
                    sources,
                    rules,
                    environment=self.environment,
                    now=self.now,
                    report=report,
                    whole=whole,
                    code=self.services,
                    hold=self.made.append,
                )
        except CodeError as error:
            raise CommandError(
                ExitCode.USAGE, str(error), "--services names the folder of the services' code"
            ) from error
        self.sources |= {module.file: Source(module.file, module.shown) for module in modules}

    @property
    def texts(self) -> dict[str, str]:
        return {name: source.text for name, source in self.sources.items()}

    def only(self, files: Collection[Path]) -> None:
        from pathlib import Path

        self.found = tuple(d for d in self.found if Path(d.span.file).resolve() in files)

    def fix(self) -> None:
        """Mends until nothing is left to mend, each file whole or not at all."""
        from pathlib import Path

        from gwc.cli.output import replace_text

        mended: set[str] = set()
        for _ in range(ROUNDS):
            changes = self._fixes()
            for name, text in changes.items():
                replace_text(Path(name), text)
            mended |= changes.keys()
            if not changes:
                break
            self.run()
        self.notes += [f"mended {name}" for name in sorted(mended)]

    def _fixes(self) -> dict[str, str]:
        from gwc.lint.fix import fixed

        return fixed(self.found, {name: text for name, text in self.texts.items() if name.endswith(POLICIES)})

    def show_fixes(self) -> None:
        import difflib

        for name, text in self._fixes().items():
            before, after = self.texts[name].splitlines(keepends=True), text.splitlines(keepends=True)
            sys.stdout.writelines(difflib.unified_diff(before, after, name, name))

    def write_baseline(self, file: str) -> None:
        from pathlib import Path

        from gwc.cli.output import replace_text
        from gwc.lint import baseline

        replace_text(Path(file), baseline.written(self.found, self.texts))
        say(f"{len(self.found)} findings written to {file}")

    def forget(self, file: str) -> None:
        """Leaves out what the baseline knows."""
        from gwc.lint import baseline

        try:
            observed.file(file)
            with open(file, encoding="utf-8") as stream:
                known = baseline.read(stream.read())
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(ExitCode.USAGE, f"{file}: {error}", "write it with --write-baseline") from error
        except baseline.BaselineError as error:
            raise CommandError(ExitCode.USAGE, f"{file}: {error}") from error
        compared = baseline.compared(self.found, known, self.texts)
        self.found = compared.found
        self.notes += [f"{compared.known} known findings not shown"] if compared.known else []
        self.notes += [f"{compared.gone} known findings are mended: write the baseline anew"] if compared.gone else []

    def publish(self, form: str, fail_on: str) -> ExitCode:
        least = Severity[fail_on.upper()]
        code = ExitCode.FINDINGS if any(d.severity >= least for d in self.found) else ExitCode.OK
        text = self._text() if form == "text" else self._machine(form, code)
        sys.stdout.write(text)
        again.keep(code, text)
        return code

    def _text(self) -> str:
        from gwc.report.style import style_for
        from gwc.report.text import counts, render_text

        body = render_text(self.found, self.texts, style_for(sys.stdout))
        return body + "".join(f"{line}\n" for line in (*self.notes, counts(self.found)))

    def _machine(self, form: str, code: ExitCode) -> str:
        if form == "json":
            from gwc.report.json import render_json

            return render_json("lint", code, self.found, {"notes": self.notes})
        if form == "sarif":
            from gwc.lint.registry import RULES
            from gwc.lint.rule import documentation
            from gwc.report.sarif import render_sarif

            return render_sarif(self.found, {rule.code: documentation(rule).summary for rule in RULES})
        if form == "gitlab":
            from gwc.report.gitlab import render_gitlab

            return render_gitlab(self.found)
        if form == "junit":
            from gwc.report.junit import render_junit

            return render_junit("lint", self.found)
        from gwc.report.github import render_github

        return render_github(self.found)


def _directory(path: str) -> str:
    """Where the platform's policy is looked for. Standard input stands for a file among the policies."""
    return "policies" if path == STDIN and is_directory("policies") else os.path.dirname(normal(path))


def _beside(directory: str, named: tuple[str, ...]) -> _Group:
    """Files with their platform's policy. That itself means something only together with all of its services."""
    platform = [name for name in (os.path.join(directory, name) for name in PLATFORM) if is_file(name)]
    about = _names(named)
    if about & _names(platform):
        return _Group(_files(directory or "."), about, whole=True)
    return _Group((*platform, *named), about, whole=False)


def _names(files: Sequence[str]) -> frozenset[str]:
    return frozenset(STDIN if file == STDIN else display_name(file) for file in files)


def _files(path: str) -> tuple[str, ...]:
    with told(NAMED):
        return policy_files(path)


def changed_files(revision: str) -> frozenset[Path]:
    """What differs from the merge base with `revision`, untracked files included. Raises CommandError."""
    from pathlib import Path

    from gwc.git import GitError, git, merge_base

    try:
        top = Path(git("rev-parse", "--show-toplevel").strip())
        names = git("diff", "--name-only", "-z", merge_base(revision), "--").split("\0")
        names += git("ls-files", "--others", "--exclude-standard", "--full-name", "-z", "--", str(top)).split("\0")
    except GitError as error:
        raise CommandError(ExitCode.ENVIRONMENT, f"--changed: {error}") from error
    return frozenset((top / name).resolve() for name in names if name)
