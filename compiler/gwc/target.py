"""What a target is: a support table, an emitter, and the engine that runs what it emits.

Targets are found by the entry point group `gwc.targets`, so a fourth gateway can be another distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from gwc.diagnostics import Diagnostic, Span
from gwc.ir import Gateway, Secret
from gwc.observability.metrics import Family
from gwc.parts import Assembled as Assembled
from gwc.parts import Made
from gwc.support import SupportTable


class Lines(Mapping[int, Span]):
    """Spans by line that are found out when somebody asks, which is seldom: when an engine complains."""

    __slots__ = ("_find", "_found")

    def __init__(self, find: Callable[[], Mapping[int, Span]]) -> None:
        self._find = find
        self._found: Mapping[int, Span] | None = None

    def _all(self) -> Mapping[int, Span]:
        if self._found is None:
            self._found = self._find()
        return self._found

    def __getitem__(self, line: int) -> Span:
        return self._all()[line]

    def __iter__(self) -> Iterator[int]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One rendered file. `lines` says for each line of `text` (from 1) which policy text it came from, where known."""

    text: str
    lines: Mapping[int, Span]
    executable: bool = False

    def pieces(self) -> tuple[Made]:
        """As an Assembled file has them."""
        return (Made(self.text),)


Output = OutputFile | Assembled


@dataclass(frozen=True, slots=True)
class SecretOutput:
    """A file that the gateway reads because its engine cannot take the reference itself.

    `path` starts with `secrets/` and, like all paths of an Artifact, is relative to `build/<target>/`.
    `render` turns the values of `secrets`, in their order, into the file's text, or raises ValueError for a value
    that the file cannot hold; it is called by `compile --with-secrets`, and by `verify` with made-up values.
    """

    path: str
    secrets: tuple[Secret, ...]
    render: Callable[[tuple[str, ...]], str]


@dataclass(frozen=True, slots=True)
class Artifact:
    """Everything a target emits for one Gateway. Paths are relative to `build/<target>/`, with forward slashes."""

    target: str
    profile: str
    files: Mapping[str, Output]
    secrets: tuple[SecretOutput, ...] = ()


class EngineMissingError(Exception):
    """No usable binary; the message says how to get one."""


@dataclass(frozen=True, slots=True)
class Binary:
    """A runnable engine: its path, its own version and, where it matters, what it is made of."""

    path: Path
    version: str


class Running(Protocol):
    """A gateway process that answers on its listeners."""

    def output(self) -> str:
        """What it has written to standard output so far: the access log."""

    def stop(self) -> None:
        """End it and its workers, by process id; returns when they are gone."""


class Engine(Protocol):
    """The real binary. Its raw error output never reaches a user: it may hold the whole configuration."""

    def find(self, profile: str) -> Binary:
        """The binary from GWC_<NAME>, PATH or the engines extra. Raises EngineMissingError."""

    def verify(self, binary: Binary, directory: Path, artifact: Artifact) -> tuple[Diagnostic, ...]:
        """The engine's judgement of the files of `artifact` in `directory`, as policy lines. Empty: accepted."""

    def launch(self, binary: Binary, directory: Path, environ: Mapping[str, str]) -> Running:
        """Start a gateway from `directory` and return once it is ready. Raises RuntimeError with a redacted reason.

        `environ` is added to the process's environment: the secrets that the configuration refers to.
        """


class Target(Protocol):
    """One gateway. `profiles` starts with the default."""

    name: str
    profiles: tuple[str, ...]
    engine: Engine

    def support(self, profile: str) -> SupportTable: ...

    def emit(self, gateway: Gateway, profile: str) -> Artifact:
        """Pure and deterministic. The Gateway has passed the support check, so nothing in it is unknown here."""

    def judge(self, artifact: Artifact) -> tuple[Diagnostic, ...]:
        """Checks of our own that need no binary: for what the engine's check misses, or where none can be had."""


@runtime_checkable
class JudgesOffline(Protocol):
    """A target whose `judge` stands in for its engine's check where there is no binary that everybody can install."""

    offline_judge: str
    """What it judges by, to complete "judged by ..."."""


@runtime_checkable
class MeasuresInPart(Protocol):
    """A target that does not serve all metric families in every profile."""

    def families(self, profile: str) -> frozenset[Family]:
        """Those that it serves, itself or by the recording rules that it emits."""


def profile_of(target: Target, gateway: Gateway) -> str:
    """The profile that the platform chose for the target, or the target's default."""
    options = gateway.targets.get(target.name)
    return options.profile if options and options.profile else target.profiles[0]
