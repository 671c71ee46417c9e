"""One run of `gwc diff`: both sides read and resolved, compared, printed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from gwc.cli.asking_diff import AskedDiff
from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.guard import in_one_go
from gwc.cli.mistakes import check_targets, told
from gwc.cli.now import parse_now
from gwc.cli.progress import progress
from gwc.compile import Compiled, Rendered, compiled, render
from gwc.diagnostics import Report
from gwc.diff import Change, Level, diff
from gwc.diff.affected import affected
from gwc.discovery import load_targets
from gwc.git import GitError, Revision, revision
from gwc.ir import Gateway
from gwc.resolve import ReadPublic, read_beside
from gwc.source import STDIN, Source, SourceError, read_policies
from gwc.support import SupportTable
from gwc.target import profile_of

_Side = tuple[tuple[Source, ...], ReadPublic]
"""The policies of a side, and how to read the public files that they name."""


@in_one_go
def perform(asked: AskedDiff, replayed: Callable[[Diffing], str] | None = None) -> ExitCode:
    """One `gwc diff`, from its options to what is printed; `replayed` is printed, too. Raises CommandError."""
    diffing = diffing_of(asked)
    levels = among(asked.fail_on or "breaking,loosened", tuple(Level), "level")
    with progress("comparing"):
        diffing.run()
    diffing.publish(asked.format, "" if replayed is None else replayed(diffing))
    return diffing.outcome(levels) if asked.judges else ExitCode.OK


def diffing_of(asked: AskedDiff) -> Diffing:
    """Raises CommandError."""
    check_targets(asked.target)
    return Diffing(asked.policies, asked.against, asked.env, parse_now(asked.now), asked.target)


def among(text: str, known: Sequence[str], what: str) -> tuple[str, ...]:
    """What `--fail-on` lists. Raises CommandError for what is not `known`."""
    wanted = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [one for one in wanted if one not in known]
    if unknown:
        raise CommandError(ExitCode.USAGE, f"--fail-on {unknown[0]!r} is no {what}", f"known: {', '.join(known)}")
    return wanted


@dataclass(slots=True)
class Diffing:
    policies: str
    against: str | None
    environment: str | None
    now: date
    targets: Sequence[str] = ()
    before: Gateway | None = None
    after: Gateway | None = None
    changes: tuple[Change, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)
    shown: str = ""
    read: dict[str, tuple[Source, ...]] = field(default_factory=dict)
    """Policies from disk, by their path."""
    compiled: Compiled | None = None
    """The side that was compiled first: most of the other one is the same."""

    def run(self) -> None:
        """Raises CommandError, also where one of the sides is not valid."""
        old, new = self.before, self.after = self.sides()
        if found := diff(old, new):  # or else no target is of interest
            self.changes = affected(found, old, new, _tables(new, self.targets))

    def sides(self) -> tuple[Gateway, Gateway]:
        """The old and the new Gateway. Raises CommandError."""
        before = self._old()  # says in which environment both are
        new = self.new()
        return self._resolved(*before), new

    def new(self) -> Gateway:
        """What the policies are now. Raises CommandError."""
        return self._resolved(self._read(self.policies), read_beside)

    def _old(self) -> _Side:
        if self.against is not None and Path(self.against).exists():
            from gwc.built import manifest_at

            if (manifest := manifest_at(self.against)) is not None:
                return self._built(manifest)
        if self.against is not None and self.against != STDIN and Path(self.against).is_dir():
            self.shown = self.against
            return self._read(self.against), read_beside
        return self._of_git(self._revision, "--against takes a revision, a directory or a build")

    def _of_git(self, find: Callable[[], Revision], hint: str) -> _Side:
        report = Report()
        try:
            old = find()
            sources = old.sources(report, self._beside())
        except (GitError, SourceError) as error:
            raise CommandError(ExitCode.ENVIRONMENT, f"cannot compare: {error}", hint) from error
        self.shown = old.shown
        self._refuse(report, {})
        return sources, old.read

    def _built(self, file: Path) -> _Side:
        """What a build was compiled from, in its environment: the policies as they are, or a commit of them."""
        from gwc.built import made_from, manifest_in, revision_of
        from gwc.manifest import ManifestError

        self.shown = str(file)
        try:
            manifest = manifest_in(file)
        except (ManifestError, OSError, UnicodeDecodeError) as error:
            raise CommandError(ExitCode.USAGE, f"cannot read {file}: {error}") from error
        self._settle(manifest.content["environment"])
        sources = self._read(self.policies)
        if made_from(manifest, sources, lambda name: read_beside(sources[0], name)):
            return sources, read_beside
        directory = self._directory()
        hint = "commit what you build, or compare with the revision that it was built from"
        return self._of_git(lambda: revision_of(manifest, directory, self.shown, sources), hint)

    def _settle(self, environment: str | None) -> None:
        """Both sides are of the build's environment."""
        if self.environment not in (None, environment):
            raise CommandError(ExitCode.USAGE, f"the build is one of --env {environment}, not {self.environment}")
        self.environment = environment

    def _revision(self) -> Revision:
        return revision(self.against, self._directory())

    def _directory(self) -> Path:
        directory = Path(self.policies)
        if self.policies == STDIN or directory.is_file():
            raise CommandError(ExitCode.USAGE, "only a directory of policies has revisions", "name one with --policies")
        return directory

    def _beside(self) -> tuple[Source, ...]:
        """What the policies are now; nothing where they cannot be read, which is told when it is their turn."""
        if self.policies not in self.read:
            try:
                sources = read_policies(self.policies, report := Report())
            except (SourceError, OSError):
                return ()
            if report.failed:
                return ()
            self.read[self.policies] = sources
        return self.read[self.policies]

    def _read(self, path: str) -> tuple[Source, ...]:
        """Once: standard input cannot be read again."""
        if path not in self.read:
            report = Report()
            with told():
                sources = read_policies(path, report)
            self._refuse(report, {})
            self.read[path] = sources
        return self.read[path]

    def _resolved(self, sources: tuple[Source, ...], read: ReadPublic) -> Gateway:
        report = Report()
        texts = {source.name: source.text for source in sources}
        self.texts |= texts
        with told():
            found = compiled(
                sources, environment=self.environment, now=self.now, report=report, read=read, like=self.compiled
            )
        self._refuse(report, texts)
        assert found is not None
        self.compiled = found
        return found.gateway

    def _refuse(self, report: Report, texts: dict[str, str]) -> None:
        if report.failed:
            _print(report, texts)
            raise CommandError(ExitCode.FINDINGS, "policies that are not valid have no meaning to compare")

    def publish(self, form: str, traffic: str = "") -> None:
        """The changes, with what `traffic` came to, and with targets named what becomes different in their files."""
        from gwc.report import changes

        targets = tuple(one.target.name for one in load_targets(self.targets)) if self.changes else ()
        beside = changes.Beside(self._files(), traffic, targets)
        if form == "text":
            from gwc.report.style import style_for

            sys.stdout.write(changes.as_text(self.changes, self.shown, style_for(sys.stdout), beside))
            return
        render = {"json": changes.as_json, "markdown": changes.as_markdown, "github": changes.as_github}[form]
        sys.stdout.write(render(self.changes, self.shown, beside))

    def _files(self) -> dict[str, str]:
        if not self.targets or self.before is None or self.after is None:
            return {}
        from gwc.cli.rendering import file_diffs

        return file_diffs(self.before, self.after, self.targets)

    def outcome(self, levels: tuple[str, ...]) -> ExitCode:
        if any(change.level in levels for change in self.changes):
            return ExitCode.CHANGED_GRAVELY
        return ExitCode.CHANGED if self.changes else ExitCode.OK


def rendered(gateway: Gateway, targets: Sequence[str]) -> tuple[Rendered, ...]:
    """What targets make of a Gateway. Raises CommandError where one cannot express it."""
    report = Report()
    every = render(gateway, load_targets(targets), report)
    if every is None:
        _print(report, {})
        raise CommandError(ExitCode.UNSUPPORTED, "what a target cannot express cannot be compared")
    return every


def _print(report: Report, texts: Mapping[str, str]) -> None:
    from gwc.report.style import style_for
    from gwc.report.text import render_text

    sys.stderr.write(render_text(report.diagnostics, texts, style_for(sys.stderr)))


def _tables(gateway: Gateway, targets: Sequence[str]) -> list[SupportTable]:
    """A profile that a target does not have is for compile to refuse."""
    every = [one.target for one in load_targets(targets)]
    return [one.support(profile_of(one, gateway)) for one in every if profile_of(one, gateway) in one.profiles]
