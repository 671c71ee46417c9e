"""A run's output against the build directory: what to write, what is stale, what to say about it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from types import ModuleType

from gwc import observed
from gwc.cli import drafting, output, secret_files, together
from gwc.cli.drafting import Draft, Place, Room
from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.kept import Kept, remember
from gwc.cli.output import File, NewFile, OutputError, Plan
from gwc.cli.transaction import Mode, Transaction
from gwc.compile import Rendered
from gwc.counted import counted
from gwc.discovery import InstalledTarget
from gwc.ir import Gateway
from gwc.manifest import (
    EMPTY,
    NAME,
    Manifest,
    ManifestError,
    build_manifest,
    digest,
    is_inside,
    is_secret,
    read_manifest,
)
from gwc.target import Output

MANY = 100
"""Services from which on a second process is worth its start."""

Judge = Callable[[Rendered, bool], bool]
"""Whether a target's output may be used; the second word is whether its parts were fit when they were made."""


class RefusedError(Exception):
    """A judge found faults, and has reported them. Nothing was written."""


@dataclass(frozen=True)
class Build:
    """What a run is about to write, and the manifest that an earlier one left (None: there is one, but not of ours)."""

    directory: Path
    gateway: Gateway
    inputs: Mapping[str, str]
    rendered: tuple[Rendered, ...]
    before: Manifest | None
    kept: Kept | None = None
    """What is known of the last build; None: no part of it is used, and none of this one is remembered."""

    def place(self, path: str) -> str:
        """Of a file: of ten thousand, pathlib would take longer to name one than it takes to read it."""
        return f"{self.directory}/{path}"

    @property
    def own(self) -> frozenset[str]:
        """What gwc wrote here before, for the targets of this run."""
        if self.before is None or self.before is EMPTY:
            return frozenset()
        return frozenset({NAME, *(path for one in self.rendered for path in self.before.files(one.name))})


@dataclass(frozen=True, slots=True)
class Finished:
    """A build that is written, or that was compared: everything but secrets, by path, with its manifest."""

    plan: Plan
    manifest: Manifest
    drafts: Mapping[str, Draft]

    @property
    def settled(self) -> Plan:
        """What is left to do once it has been carried out: nothing."""
        return replace(self.plan, stale=(), missing=(), extra=())


def prepare(
    directory: str,
    gateway: Gateway,
    inputs: Mapping[str, str],
    rendered: tuple[Rendered, ...],
    kept: Kept | None = None,
) -> Build:
    _check_paths(rendered)
    place = Path(directory)
    return Build(place, gateway, inputs, rendered, _manifest_in(place), kept)


def packages(targets: Sequence[InstalledTarget]) -> tuple[str, ...]:
    """The directories of their code: of a package that several distributions share, all that it has."""
    modules = {sys.modules[type(one.target).__module__.partition(".")[0]] for one in targets}
    return tuple(sorted({place for module in modules for place in _places(module)}))


def _places(module: ModuleType) -> list[str]:
    file = getattr(module, "__file__", None)
    return [str(Path(file).parent)] if file else [*module.__path__]


def libraries(targets: Sequence[InstalledTarget]) -> tuple[str, ...]:
    """What gwc and the targets stand on, with versions: others may read or print the same policy in another way."""
    names = {"gwc", *(one.distribution.partition(" ")[0] for one in targets)}
    needed = {re.split(r"[^\w.-]", one, maxsplit=1)[0] for name in names for one in _required(name)}
    return tuple(f"{name} {_version(name)}" for name in sorted(needed))


def _required(name: str) -> list[str]:
    try:
        return [one for one in requires(name) or () if "extra ==" not in one]
    except PackageNotFoundError:
        return []  # it is installed nowhere, and nothing with it


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""  # of another system, or of another version of Python


def differences(build: Build, judge: Judge | None = None) -> tuple[tuple[tuple[str, str], ...], Finished]:
    """Each file that a compile would change, with what is wrong with it: stale, missing or extra."""
    try:
        done = _finished(build, _drafts(build, None), {}, build.own, judge)
    except OSError as error:
        raise CommandError(ExitCode.USAGE, f"{error.filename or build.directory}: {error.strerror}") from error
    same_manifest = build.before is not None and build.before.undated == done.manifest.undated
    stale = [path for path in done.plan.stale if not (path == NAME and same_manifest)]
    states = {"stale": stale, "missing": done.plan.missing, "extra": done.plan.extra}
    return tuple(sorted((path, state) for state, paths in states.items() for path in paths)), done


def write(build: Build, with_secrets: bool, judge: Judge | None = None) -> Finished:
    """Bring the build directory up to date, all of it or, with a CommandError or a RefusedError, nothing."""
    secrets: Mapping[str, NewFile] = secret_files.secret_files(build.rendered) if with_secrets else {}
    own = build.own
    if with_secrets:
        own |= {path for one in build.rendered for path in secret_files.own_secret_files(build.directory, one.name)}
    try:
        with output.changing(build.directory) as transaction:
            drafts = _drafts(build, transaction.draft, divide=_divided(build, transaction))
            done = _finished(build, drafts, secrets, own, judge)
            output.check_ownership(done.plan, own)
            output.fulfil(done.plan, transaction)
    except OutputError as error:
        raise CommandError(ExitCode.USAGE, str(error)) from error
    if build.kept is not None and build.rendered:
        files = {path: (draft.sha256, draft.places) for path, draft in done.drafts.items()}
        targets = {one.name for one in build.rendered}
        remember(build.directory, build.kept.after(targets, files, build.rendered[0].survey))
    return done


def _drafts(build: Build, room: Room | None, *, divide: bool = False) -> dict[str, Draft]:
    """Every file of every target, by its path; `divide`: by two processes. Raises OSError.

    What several targets have alike is made once.
    """
    alike: dict[int, tuple[Output, list[str]]] = {}
    for path, file in _outputs(build):
        alike.setdefault(id(file), (file, []))[1].append(path)
    groups = sorted(alike.values(), key=lambda group: group[1][0].count("/"))  # the large ones first
    work = partial(_drafted, build, build.kept, room)
    drafts = together.divided(groups, work) if divide else [work(group) for group in groups]
    found = {
        path: draft
        for (_, paths), made in zip(groups, drafts, strict=True)
        for path, draft in zip(paths, made, strict=True)
    }
    return {path: found[path] for path, _ in _outputs(build)}


def _divided(build: Build, transaction: Transaction) -> bool:
    """Whether two processes pay, and find room for what they draft."""
    if len(build.gateway.services) < MANY or not together.pays():
        return False
    try:
        transaction.begin()
    except OSError:
        return False  # where nothing is to be written, nobody needs to know
    return True


def _outputs(build: Build) -> Iterator[tuple[str, Output]]:
    for one in build.rendered:
        yield from ((f"{one.name}/{name}", file) for name, file in sorted(one.artifact.files.items()))


def _drafted(build: Build, known: Kept | None, room: Room | None, group: tuple[Output, list[str]]) -> list[Draft]:
    file, paths = group
    places = [Place(build.place(path), None if known is None else known.file(path)) for path in paths]
    return drafting.draft(places, file.pieces, Mode(file.executable), room)


def _finished(
    build: Build, drafts: Mapping[str, Draft], secrets: Mapping[str, NewFile], own: frozenset[str], judge: Judge | None
) -> Finished:
    """The manifest comes first: were the run killed, it owns what it may have written. Raises RefusedError."""
    fit = {one.name: all(draft.fit for path, draft in _of(one, drafts)) for one in build.rendered}
    verdicts = [judge(one, fit[one.name]) for one in build.rendered] if judge is not None else []
    if not all(verdicts):
        raise RefusedError
    digests = {one.name: {path: draft.sha256 for path, draft in _of(one, drafts)} for one in build.rendered}
    manifest = build_manifest(build.gateway, build.inputs, build.rendered, digests, build.before or EMPTY)
    files: dict[str, File] = {NAME: NewFile(manifest.text), **drafts, **secrets}
    return Finished(output.plan(build.directory, files, own), manifest, drafts)


def _of(one: Rendered, drafts: Mapping[str, Draft]) -> Iterator[tuple[str, Draft]]:
    """The files of a target, by their paths below its directory."""
    return ((path, drafts[f"{one.name}/{path}"]) for path in sorted(one.artifact.files))


def note(build: Build, done: Finished) -> None:
    """For a later run: each file of the build is what it should be."""
    observed.output(build.place(NAME), digest(done.manifest.text), executable=False)
    for path, draft in done.drafts.items():
        observed.output(build.place(path), draft.sha256, draft.mode.executable)


def needed(build: Build) -> Iterator[str]:
    return secret_files.needed(build.rendered, build.directory)


def summary(build: Build, plan: Plan) -> str:
    """One line for people."""
    routes = sum(len(service.routes) for service in build.gateway.services)
    what = f"{counted(len(build.gateway.services), 'service')}, {counted(routes, 'route')}"
    names = ", ".join(one.name for one in build.rendered)
    changes = f"{len(plan.changed)} written, {plan.unchanged} unchanged, {len(plan.extra)} removed"
    return f"{what} compiled for {names} into {build.directory}: {changes}"


def _manifest_in(directory: Path) -> Manifest | None:
    try:
        return read_manifest((directory / NAME).read_text("utf-8"))
    except FileNotFoundError:
        return EMPTY
    except NotADirectoryError:
        return EMPTY  # writing says so
    except (ManifestError, ValueError):
        return None
    except OSError as error:
        raise CommandError(ExitCode.USAGE, f"{directory / NAME}: {error.strerror}") from error


def _check_paths(rendered: Sequence[Rendered]) -> None:
    for one in rendered:
        public, secret = one.artifact.files, [output.path for output in one.artifact.secrets]
        if not (all(map(is_inside, public)) and all(map(is_secret, secret))):
            raise ValueError(f"{one.name} emits a file that is not in its place")
