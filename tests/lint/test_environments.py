"""Environments are read once and share what they do not change; what they mean stays the same."""

from __future__ import annotations

from pathlib import Path

import pytest

import corpus
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.ir import Gateway
from gwc.lint import run
from gwc.lint.context import Context
from gwc.lint.registry import RULES
from gwc.lint.rule import Rule
from gwc.source import Source, policy_files, read_source
from lint.rules import NOW

EXAMPLES = Path(__file__).parents[2] / "policies"
OVERLAYS = {
    "nothing": "{}",
    "upstream": "{upstream: {concurrency: 8}}",
    "a route": "{routes: [{name: FIRST, timeouts: {request: 3s}}]}",
    "a level above": "{timeouts: {request: 3s}}",
    "a new section": "{max_body: 3KiB}",
    "none": "{retries: none}",
    "base": "{base_path: /other}",
}


def _sources(directory: Path) -> list[Source]:
    report = Report()
    return [s for file in policy_files(str(directory)) if (s := read_source(file, report)) is not None]


def _seen(sources: list[Source], monkeypatch: pytest.MonkeyPatch) -> dict[str | None, Gateway]:
    """The Gateways that lint looks at."""
    seen: dict[str | None, Gateway] = {}

    def lint(contexts: list[Context], _: list[type[Rule]]) -> tuple[()]:
        seen.update({context.gateway.environment: context.gateway for context in contexts})
        return ()

    monkeypatch.setattr(run, "lint", lint)
    report = Report()
    run.lint_sources(sources, RULES, environment=None, now=NOW, report=report)
    assert not report.failed, report.diagnostics
    return seen


def _compiled(sources: list[Source], environment: str | None) -> Gateway:
    gateway = compile_sources(sources, environment=environment, now=NOW, report=Report())
    assert gateway is not None
    return gateway


@pytest.mark.parametrize("overlay", OVERLAYS.values(), ids=OVERLAYS)
@pytest.mark.parametrize("defaults", ["", "    defaults: {timeouts: {request: 4s}}\n"], ids=["", "other defaults"])
def test_lint_sees_what_compile_makes(
    overlay: str, defaults: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus.write(tmp_path / "policies", 4)
    platform = tmp_path / "policies/platform.yaml"
    platform.write_text(platform.read_text() + defaults)
    shop = tmp_path / "policies/service-0001.yaml"
    before = shop.read_text().partition("environments:")[0]
    first = before.partition("- name: ")[2].partition("\n")[0]
    shop.write_text(f"{before}environments: {{prod: {overlay.replace('FIRST', first)}}}\n")
    sources = _sources(tmp_path / "policies")
    assert _seen(sources, monkeypatch) == {name: _compiled(sources, name) for name in (None, "prod")}


def test_lint_sees_the_examples_as_compile_does(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = _sources(EXAMPLES)
    assert _seen(sources, monkeypatch) == {name: _compiled(sources, name) for name in (None, "prod")}
