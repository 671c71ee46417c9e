"""What `gwc compile` says that the parts of a build follow from: forgotten, it would be a stale configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gwc.cli.build import libraries, packages
from gwc.cli.compile import _facts
from gwc.cli.job import Job
from gwc.cli.kept import Facts
from gwc.discovery import InstalledTarget, load_targets
from gwc.source import Source

PLATFORM, SERVICE = Source("policies/platform.yaml", "p"), Source("policies/a.yaml", "a")


@pytest.fixture(scope="module")
def targets() -> tuple[InstalledTarget, ...]:
    return load_targets(["nginx"])


def _told(targets: tuple[InstalledTarget, ...], public: dict[str, str]) -> dict[str, bytes]:
    job = Job("compile", sources=(PLATFORM, SERVICE), public=public, services={"a": SERVICE})
    facts: Facts = _facts(job, None, targets)
    assert SERVICE.text not in facts.shared.values(), "one service would make all others anew"
    return facts.by_service()


@pytest.mark.parametrize("name", ["keys.json", PLATFORM.name, SERVICE.name])
def test_a_public_file_counts_whatever_it_is_called(targets: tuple[InstalledTarget, ...], name: str) -> None:
    assert len({_told(targets, public)["a"] for public in ({}, {name: "1"}, {name: "2"})}) == 3


def test_libraries_count_by_their_versions(
    targets: tuple[InstalledTarget, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = libraries(targets)
    assert {"pydantic", "pyyaml"} <= {word.split(" ")[0].lower() for word in before}
    monkeypatch.setattr("gwc.cli.build.version", lambda _: "0")
    assert libraries(targets) != before


def test_a_target_in_a_package_without_a_file_of_its_own_counts(
    targets: tuple[InstalledTarget, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a company that keeps all its packages below one name."""
    shared = ModuleType("company")
    shared.__path__ = [str(tmp_path / "one"), str(tmp_path / "two")]
    monkeypatch.setitem(sys.modules, "company", shared)
    one: Any = type(targets[0].target)
    monkeypatch.setattr(one, "__module__", "company.gateways")
    assert packages(targets) == (str(tmp_path / "one"), str(tmp_path / "two"))
