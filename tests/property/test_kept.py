"""A build that copies parts of the one before is the build that would have been made from nothing, byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiling import gateway_of, sources_of
from gwc import cache
from gwc.cli.build import Finished, packages, prepare, write
from gwc.cli.kept import Facts
from gwc.compile import emitted
from gwc.diagnostics import Report
from gwc.discovery import load_targets
from gwc.features import FEATURES
from gwc.ir import Gateway, TargetOptions
from property.strategies import policies

Policies = Mapping[str, Any]

PROFILES = [(one.target.name, profile) for one in load_targets([]) for profile in one.target.profiles]


@st.composite
def changes(draw: st.DrawFn) -> tuple[Policies, Policies]:
    """Policies, and what became of them: services left out, others instead, and one that is another."""
    one, other = draw(policies()), draw(policies())
    services = [name for name, data in one.items() if data["kind"] == "Service"]
    after = {name: data for name, data in one.items() if name not in services or draw(st.integers(0, 3))}
    added = {
        f"new-{name}": {**data, "service": f"{data['service'][:40]}-new"}
        for name, data in other.items()
        if data["kind"] == "Service" and draw(st.booleans())
    }
    changed = draw(st.sampled_from(services))
    return one, {**after, **(_moved(added)), changed: {**one[changed], "owner": "team-other", "limits": draw(_LIMITS)}}


_LIMITS = st.lists(
    st.fixed_dictionaries(
        {"per": st.just("ip"), "rate": st.sampled_from(["7/min", "9/s"]), "burst": st.integers(1, 9)}
    ),
    max_size=2,
)


def _moved(services: Policies) -> Policies:
    """Away from the paths of the others."""
    return {name: {**data, "base_path": f"/{name}"} for name, data in services.items()}


@settings(max_examples=25)
@given(changes())
def test_what_is_copied_is_what_would_be_made(tmp_path_factory: Any, change: tuple[Policies, Policies]) -> None:
    before, after = change
    for target, profile in PROFILES:
        directory: Path = tmp_path_factory.mktemp("kept")
        with pytest.MonkeyPatch.context() as environ:
            environ.delenv(cache.OFF, raising=False)
            environ.setenv(cache.DIRECTORY, str(directory / "cache"))
            _written(before, target, profile, directory / "build")
            _written(after, target, profile, directory / "build")
        _written(after, target, profile, directory / "anew", keep=False)
        assert _tree(directory / "build") == _tree(directory / "anew"), (target, profile)


def _written(policies: Policies, target: str, profile: str, directory: Path, *, keep: bool = True) -> Finished:
    gateway = _accepting(gateway_of(policies), target, profile)
    rendered = emitted(gateway, load_targets([target]), Report())
    assert rendered is not None
    texts = {source.name: source.text for source in sources_of(policies)}
    own = {data["service"]: str(data) for data in policies.values() if data["kind"] == "Service"}
    shared = {name: str(data) for name, data in policies.items() if data["kind"] == "Platform"}
    facts = Facts(None, shared, own, packages(rendered)) if keep else None
    return write(prepare(str(directory), gateway, texts, rendered, facts), with_secrets=False)


def _accepting(gateway: Gateway, target: str, profile: str) -> Gateway:
    return replace(gateway, targets={target: TargetOptions(profile=profile, accept=tuple(FEATURES))})


def _tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
