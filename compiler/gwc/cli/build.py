"""A run's output against the build directory: what to write, what is stale, what to say about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gwc import observed
from gwc.cli import output, secret_files
from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.output import NewFile, OutputError, Plan
from gwc.compile import Rendered
from gwc.counted import counted
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


@dataclass(frozen=True, slots=True)
class Build:
    """A run that succeeded, and the manifest that an earlier one left (None: there is one, but not of ours)."""

    directory: Path
    gateway: Gateway
    rendered: tuple[Rendered, ...]
    manifest: Manifest
    before: Manifest | None

    @property
    def files(self) -> dict[str, NewFile]:
        """Everything but secrets, the manifest first: were the run killed, it owns what it may have written."""
        return {NAME: NewFile(self.manifest.text), **dict(_files(self.rendered))}

    @property
    def own(self) -> frozenset[str]:
        """What gwc wrote here before, for the targets of this run."""
        if self.before is None or self.before is EMPTY:
            return frozenset()
        return frozenset({NAME, *(path for one in self.rendered for path in self.before.files(one.name))})


def prepare(directory: str, gateway: Gateway, inputs: Mapping[str, str], rendered: tuple[Rendered, ...]) -> Build:
    _check_paths(rendered)
    place = Path(directory)
    before = _manifest_in(place)
    return Build(place, gateway, rendered, build_manifest(gateway, inputs, rendered, before or EMPTY), before)


def differences(build: Build) -> tuple[tuple[str, str], ...]:
    """Each file that a compile would change, with what is wrong with it: stale, missing or extra."""
    plan = output.plan(build.directory, build.files, build.own)
    same_manifest = build.before is not None and build.before.undated == build.manifest.undated
    stale = [path for path in plan.stale if not (path == NAME and same_manifest)]
    states = {"stale": stale, "missing": plan.missing, "extra": plan.extra}
    return tuple(sorted((path, state) for state, paths in states.items() for path in paths))


def settled(plan: Plan) -> Plan:
    """What is left to do once it has been carried out: nothing."""
    return replace(plan, stale=(), missing=(), extra=())


def write(build: Build, with_secrets: bool) -> Plan:
    """Bring the build directory up to date, all of it or, with a CommandError, nothing."""
    files, own = build.files, build.own
    if with_secrets:
        files |= secret_files.secret_files(build.rendered)
        own |= {path for one in build.rendered for path in secret_files.own_secret_files(build.directory, one.name)}
    try:
        plan = output.plan(build.directory, files, own)
        output.check_ownership(plan, own)
        output.carry_out(plan)
    except OutputError as error:
        raise CommandError(ExitCode.USAGE, str(error)) from error
    return plan


def note(build: Build) -> None:
    """For a later run: each file of the build is what it should be."""
    digests = {path: sha for one in build.rendered for path, sha in build.manifest.files(one.name).items()}
    digests[NAME] = digest(build.manifest.text)
    for path, file in build.files.items():
        observed.output(str(build.directory / path), digests[path], file.executable)


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


def _files(rendered: Sequence[Rendered]) -> Iterator[tuple[str, NewFile]]:
    for one in rendered:
        for path, file in sorted(one.artifact.files.items()):
            yield f"{one.name}/{path}", NewFile(file.text, file.executable)
