"""A text -> what importing it gives; and the command line in a directory of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from compiling import compiled
from gwc.cli import run
from gwc.diagnostics import Diagnostic, Report
from gwc.document import parse
from gwc.imports.convert import convert
from gwc.imports.findings import Findings, ImportFailedError
from gwc.ir import Gateway, Route, Service
from gwc.source import Source


@dataclass(frozen=True)
class Outcome:
    """`files` is empty where nothing could be imported."""

    files: Mapping[str, str]
    found: tuple[Diagnostic, ...]
    directory: Path

    def said(self, code: str) -> list[str]:
        """`line: message` of each finding of a kind."""
        return [f"{one.span.line}: {one.message}" for one in self.found if one.code == code]

    def gateway(self) -> Gateway:
        for name, text in self.files.items():
            (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / name).write_text(text, encoding="utf-8")
        policies = {name: text for name, text in self.files.items() if name.endswith(".yaml")}
        gateway, report = compiled([Source(str(self.directory / name), text) for name, text in policies.items()])
        assert gateway is not None, report.diagnostics
        return gateway

    def policy(self, name: str) -> dict[str, Any]:
        document = parse(Source(name, self.files[name]), Report())
        assert document is not None
        return document.data()


def service_of(gateway: Gateway, name: str) -> Service:
    return next(service for service in gateway.services if service.name == name)


def route_of(gateway: Gateway, path: str, method: str = "GET") -> Route:
    every = [route for service in gateway.services for route in service.routes]
    return next(route for route in every if route.path.text == path and method in route.methods)


Import = Callable[..., Outcome]


@pytest.fixture
def importing(tmp_path: Path) -> Import:
    def call(form: str, text: str | bytes, name: str = "source", **options: str) -> Outcome:
        (tmp_path / "in").mkdir(exist_ok=True)
        path = tmp_path / "in" / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        findings = Findings()
        try:
            files = convert(form, str(path), findings, **options).files
        except ImportFailedError:
            files = {}
        return Outcome(files, findings.diagnostics, tmp_path / "out")

    return call


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def gwc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)

    def call(*argv: str) -> Result:
        capsys.readouterr()
        code = run(argv)
        return Result(code, *capsys.readouterr())

    return call
