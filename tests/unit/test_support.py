"""The check of a Gateway against what targets promise: what it asks of each use, and what it opens for places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import accept
import corpus
from compiling import NOW
from gwc import plain
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.discovery import load_targets
from gwc.ir import Gateway
from gwc.manifest import inexact
from gwc.source import read_policies
from gwc.support import EXACT, Case, Conditional, Support, SupportTable, approximate
from gwc.survey import objections, survey

TABLES: list[SupportTable] = [
    one.target.support(profile) for one in load_targets(["envoy", "kong", "nginx"]) for profile in one.target.profiles
]
ONE, OTHER = approximate("one"), approximate("other")


class _Untouchable:
    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"it looks at the {name} of a use")


def test_a_case_of_all_uses_looks_at_none_of_them() -> None:
    every = [entry for table in TABLES for entry in table.entries.values() if isinstance(entry, Conditional)]
    of_all = [case for entry in every for case in entry.cases if case.of_all]
    untouchable: Any = _Untouchable()
    assert of_all
    for case in of_all:
        case.when(accept.gateway(None), untouchable)


@pytest.mark.parametrize(("holds", "rest"), [(True, ONE), (False, EXACT)])
def test_what_holds_of_all_is_decided_once(holds: bool, rest: object) -> None:
    use: Any = None
    gateway = accept.gateway(None)
    assert Conditional(EXACT, (Case("", lambda *_: holds, ONE, of_all=True),)).after(gateway, use) == rest


def test_a_case_before_one_of_all_uses_still_comes_first() -> None:
    use: Any = None
    first, always = Case("", lambda *_: True, OTHER), Case("", lambda *_: True, ONE, of_all=True)
    left = Conditional(EXACT, (first, always, Case("", lambda *_: True, EXACT))).after(accept.gateway(None), use)
    assert left == Conditional(ONE, (first,))


def test_what_is_found_is_known_by_all_that_is_promised() -> None:
    """And by what is told of all services: kept under other words, it would be what another table says."""
    gateway, (table, *_) = accept.gateway(None), TABLES
    fewer = replace(gateway, services=gateway.services[1:])

    def given(entry: Support | Conditional, gateway: Gateway = gateway, **changed: str) -> str:
        return survey(gateway, [replace(table, entries={**table.entries, "cors": entry}, **changed)]).given

    told = Conditional(ONE, (Case("", lambda *_: False, OTHER, across=lambda gateway: (len(gateway.services),)),))
    words = [given(ONE), given(OTHER), given(ONE, profile="other"), given(ONE, target="other"), given(told)]
    assert len({*words, given(told, fewer)}) == len(words) + 1
    assert given(ONE, fewer) == given(ONE)


def test_each_policy_is_opened_once_for_the_places_of_all_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus.write(tmp_path / "policies", 80)
    sources = read_policies(str(tmp_path / "policies"), Report())
    gateway = compile_sources(sources, environment=None, now=NOW, report=Report())
    assert gateway is not None
    opened: list[str] = []
    entries = plain.entries

    def counted(text: str) -> tuple[list[int], str]:
        opened.append(text)
        return entries(text)

    monkeypatch.setattr(plain, "entries", counted)
    monkeypatch.setattr("gwc.composer.Composer.document", lambda self: pytest.fail(f"{self._file} is read for places"))
    found = survey(gateway, TABLES)
    assert 1 < len(opened) == len(set(opened)) <= 81
    opened.clear()
    assert all([*objections(gateway, found, table)] for table in TABLES)
    assert sum(len(entry["at"]) for table in TABLES for entry in inexact(found, gateway, table)) > 80
    assert not opened
