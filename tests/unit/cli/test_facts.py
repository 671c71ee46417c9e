"""What `gwc compile` says that the parts of a build follow from: forgotten, it would be a stale configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import accept
from gwc.cli.build import libraries, packages
from gwc.cli.compile import _facts
from gwc.cli.job import Job
from gwc.cli.kept import Facts
from gwc.compile import Rendered, emitted
from gwc.diagnostics import Report
from gwc.discovery import load_targets
from gwc.source import Source

PLATFORM, SERVICE = Source("policies/platform.yaml", "p"), Source("policies/a.yaml", "a")


@pytest.fixture(scope="module")
def rendered() -> tuple[Rendered, ...]:
    found = emitted(accept.gateway(None), load_targets(["nginx"]), Report())
    assert found is not None
    return found


def _told(rendered: tuple[Rendered, ...], public: dict[str, str]) -> dict[str, bytes]:
    job = Job("compile", sources=(PLATFORM, SERVICE), public=public, services={"a": SERVICE})
    facts: Facts = _facts(job, None, rendered)
    assert SERVICE.text not in facts.shared.values(), "one service would make all others anew"
    return facts.by_service()


@pytest.mark.parametrize("name", ["keys.json", PLATFORM.name, SERVICE.name])
def test_a_public_file_counts_whatever_it_is_called(rendered: tuple[Rendered, ...], name: str) -> None:
    assert len({_told(rendered, public)["a"] for public in ({}, {name: "1"}, {name: "2"})}) == 3


def test_libraries_count_by_their_versions(rendered: tuple[Rendered, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    before = libraries(rendered)
    assert {"pydantic", "pyyaml"} <= {word.split(" ")[0].lower() for word in before}
    monkeypatch.setattr("gwc.cli.build.version", lambda _: "0")
    assert libraries(rendered) != before


def test_a_target_in_a_package_without_a_file_of_its_own_counts(
    rendered: tuple[Rendered, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a company that keeps all its packages below one name."""
    shared = ModuleType("company")
    shared.__path__ = [str(tmp_path / "one"), str(tmp_path / "two")]
    monkeypatch.setitem(sys.modules, "company", shared)
    one: Any = type(rendered[0].installed.target)
    monkeypatch.setattr(one, "__module__", "company.gateways")
    assert packages(rendered) == (str(tmp_path / "one"), str(tmp_path / "two"))
