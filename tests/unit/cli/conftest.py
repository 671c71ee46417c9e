"""A project directory with policies, fake targets, and `gwc` as a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gwc import discovery
from gwc.cli import run

from .fakes import FakeEntry, FakeTarget, OfflineTarget

PLATFORM = """\
apiVersion: gwc/v1
kind: Platform
listen: {http: 8080}
errors: {type: "https://errors.example.com/"}
defaults: {timeouts: {connect: 1s, request: 15s, idle: 60s}}
bounds:
  timeouts.request: {max: 120s}
"""
SERVICE = """\
apiVersion: gwc/v1
kind: Service
service: shop
owner: team-shop
base_path: /shop
upstream: http://127.0.0.1:8000
auth: none
routes:
  - {name: goods, path: /v1/goods, methods: [GET]}
  - {name: order, path: /v1/orders, methods: [POST]}
environments:
  prod: {upstream: http://shop.internal:8000}
  staging: {upstream: http://shop.staging:8000}
"""


@dataclass(frozen=True)
class Result:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


Gwc = Callable[..., Result]


@dataclass(frozen=True)
class Project:
    """A directory with policies; `build` is where compile writes."""

    path: Path

    @property
    def build(self) -> Path:
        return self.path / "build"

    def write(self, name: str, text: str) -> None:
        (self.path / "policies" / name).write_text(text, encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.path / "policies" / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def tree(self) -> dict[str, tuple[int, bytes]]:
        """Every file of the build directory: mode and bytes."""
        files = sorted(p for p in self.build.rglob("*") if not p.is_dir())
        return {str(p.relative_to(self.build)): (p.lstat().st_mode & 0o777, p.read_bytes()) for p in files}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    project = Project(tmp_path)
    project.write("platform.yaml", PLATFORM)
    project.write("shop.yaml", SERVICE)
    return project


@pytest.fixture
def targets(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeTarget]:
    """Installed targets: two ordinary ones, and one whose engine nobody has but whose judge is enough."""
    fakes = {"alpha": FakeTarget("alpha"), "beta": FakeTarget("beta"), "gamma": OfflineTarget("gamma")}
    monkeypatch.setattr(discovery, "_entry_points", lambda: {name: FakeEntry(fake) for name, fake in fakes.items()})
    return fakes


@pytest.fixture
def gwc(capsys: pytest.CaptureFixture[str], targets: dict[str, FakeTarget]) -> Gwc:
    def call(*argv: str) -> Result:
        capsys.readouterr()
        code = run(argv)
        return Result(code, *capsys.readouterr())

    return call
