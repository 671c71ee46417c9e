"""A build that copies parts of the one before, and takes from there what was found of services, is the build that would
have been made from nothing, byte for byte, manifest and findings included."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from compiling import NOW, POLICIES
from gwc import cache
from gwc.cli.build import prepare, write
from gwc.cli.compile import _kept
from gwc.cli.job import Job
from gwc.diagnostics import Diagnostic
from gwc.discovery import load_targets
from gwc.features import FEATURES
from gwc.source import Source
from property.strategies import policies

Policies = Mapping[str, Any]

PROFILES = {one.target.name: one.target.profiles for one in load_targets([])}
_LIMITS = st.lists(
    st.fixed_dictionaries(
        {"per": st.just("ip"), "rate": st.sampled_from(["7/min", "9/s"]), "burst": st.integers(1, 9)}
    ),
    max_size=2,
)


class Run:
    """What somebody compiles, and with which words. No dataclass: of that hypothesis prints all that is in it."""

    def __init__(self, sources: Sequence[Source], environment: str | None, targets: Sequence[str]) -> None:
        self.sources, self.environment, self.targets = tuple(sources), environment, targets

    def __repr__(self) -> str:
        return f"Run({[source.name for source in self.sources]}, {self.environment!r}, {self.targets})"


def _text(data: Any, style: str) -> str:
    """As people write it, or on one line; and somebody may have put a line in front of it, which moves all places."""
    if style == "json":
        return json.dumps(data, ensure_ascii=False)
    return ("# new\n" if style == "moved" else "") + yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


_STYLES = st.sampled_from(["plain", "plain", "json", "moved"])
_TARGETS = st.sampled_from([(), (), tuple(PROFILES)[:1], tuple(PROFILES)[1:]])
_ENVIRONMENTS = st.sampled_from([None, None, "prod"])
_SELDOM = st.integers(0, 5).map(lambda number: number == 0)


@st.composite
def _platforms(draw: st.DrawFn, data: Any) -> Any:
    """With other profiles, and other features that are taken knowingly. What is not supported fails; seldom here."""
    missing = draw(st.lists(st.sampled_from([*FEATURES]), max_size=2))
    accepted = [name for name in FEATURES if name not in missing]
    targets = {
        name: {"profile": draw(st.sampled_from(profiles)), "accept": accepted} for name, profiles in PROFILES.items()
    }
    return {**data, "targets": targets, "environments": {"prod": {"concurrency": 77}}}


@st.composite
def runs(draw: st.DrawFn) -> list[Run]:
    """Several after one another: of services that stay, change, come, and go. The rest mostly stays as it is."""
    one, other = draw(policies()), draw(policies())
    services = {name: data for name, data in one.items() if data["kind"] == "Service"}
    services |= {f"new-{name}": _moved(name, data) for name, data in other.items() if data["kind"] == "Service"}
    platform, targets, environment = draw(_platforms(one["platform"])), draw(_TARGETS), draw(_ENVIRONMENTS)
    styles = {name: draw(_STYLES) for name in ("platform", *services)}
    found = []
    for number in range(3):
        platform = draw(_platforms(one["platform"])) if number and draw(_SELDOM) else platform
        targets = draw(_TARGETS) if draw(_SELDOM) else targets
        environment = draw(_ENVIRONMENTS) if draw(_SELDOM) else environment
        styles[draw(st.sampled_from(sorted(services)))] = draw(_STYLES)
        there = {name: data for name, data in services.items() if not draw(_SELDOM)} or services
        changed = draw(st.sampled_from(sorted(there)))
        if number:
            there[changed] = {**there[changed], "owner": "team-other", "limits": draw(_LIMITS)}
        written = {"platform": platform} | there
        texts = {name: _text(data, styles[name]) for name, data in written.items()}
        sources = [Source(str(POLICIES / f"{name}.yaml"), text) for name, text in texts.items()]
        found.append(Run(sources, environment, targets))
    return found


def _moved(name: str, data: Any) -> Any:
    """Away from the paths of the others."""
    return {**data, "service": f"{data['service'][:40]}-new", "base_path": f"/new-{name}"}


@settings(max_examples=25)
@given(runs())
def test_what_is_kept_is_what_would_be_made(tmp_path_factory: Any, wanted: list[Run]) -> None:
    directory = tmp_path_factory.mktemp("builds")
    with pytest.MonkeyPatch.context() as environ:
        environ.delenv(cache.OFF, raising=False)
        environ.setenv(cache.DIRECTORY, str(directory / "cache"))
        (directory / "build").mkdir()
        for number, run in enumerate(wanted):
            anew = directory / f"anew-{number}"
            shutil.copytree(directory / "build", anew)  # a build of some targets leaves those of others as they are
            found = _run(run, directory / "build")
            assert found == _run(run, anew, "--no-cache")
            assert _tree(directory / "build") == _tree(anew), (number, run.targets)


@settings(max_examples=8)
@given(runs(), st.integers(0, 2**32), st.booleans())
def test_damage_is_found(tmp_path_factory: Any, wanted: list[Run], seed: int, shorter: bool) -> None:
    """Of what is kept as of what was written, wherever it is."""
    directory = tmp_path_factory.mktemp("builds")
    with pytest.MonkeyPatch.context() as environ:
        environ.delenv(cache.OFF, raising=False)
        environ.setenv(cache.DIRECTORY, str(directory / "cache"))
        for number, run in enumerate(Run(run.sources, run.environment, ()) for run in wanted):
            found = _run(run, directory / "build")
            (there := directory / f"anew-{number}").mkdir()
            assert found == _run(run, there, "--no-cache")
            files = [path for path in sorted(there.rglob("*")) if path.is_file()]
            assert {path: (directory / "build" / path.relative_to(there)).read_bytes() for path in files} == {
                path: path.read_bytes() for path in files
            }
            _damage(directory, Random(seed + number), shorter)


def _damage(directory: Path, random: Random, shorter: bool) -> None:
    """One byte of three files is another or missing; the manifest's loss would make the build somebody else's."""
    files = [path for path in sorted(directory.glob("[cb]*/**/*")) if path.is_file() and path.name != "manifest.json"]
    for path in random.sample(files, min(3, len(files))):
        data = bytearray(path.read_bytes() or b"0")
        at = random.randrange(len(data))
        data[at : at + 1] = b"" if shorter else bytes([data[at] ^ 1])
        path.write_bytes(data)


def _run(run: Run, directory: Path, *words: str) -> tuple[tuple[Diagnostic, ...], bool]:
    """What it finds, and whether it writes."""
    job = Job("compile", sources=run.sources)
    gateway = job.resolve(run.environment, NOW)
    if gateway is None:
        return job.report.diagnostics, False
    kept = None if words else _kept(job, run.environment, run.targets, str(directory))
    rendered = job.emit(gateway, run.targets, kept)
    if rendered is None:
        return job.report.diagnostics, False
    write(prepare(str(directory), gateway, job.inputs, rendered, kept), with_secrets=False, judge=job.judged)
    return job.report.diagnostics, True


def _tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
