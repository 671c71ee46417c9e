"""Routes by their settings: the same ones as by looking at each, and each setting is asked about once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

import corpus
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.features import routes
from gwc.ir import Gateway, SegmentKind
from gwc.lint import concerned
from gwc.source import read_policies

ROOT = Path(__file__).resolve().parents[2]
ASKED: dict[tuple[str, ...], Callable[..., object]] = {
    ("retries",): lambda retries: retries.attempts and 503 in retries.statuses,
    ("timeouts",): lambda timeouts: timeouts.request < 15,
    ("cache",): lambda cache: cache.ttl > 30,
    ("cors",): lambda cors: cors.credentials,
    ("cost",): lambda cost: cost > 1,
    ("headers.request",): lambda changes: changes.set,
    ("retries", "timeouts"): lambda retries, timeouts: retries.attempts * (retries.per_try or 0) < timeouts.request,
    ("cache", "auth"): lambda cache, auth: cache.per_user and not auth.scopes,
}


def gateway_of(directory: Path) -> Gateway:
    found = compile_sources(
        read_policies(str(directory), Report()), environment=None, now=date(2026, 11, 23), report=(report := Report())
    )
    assert found is not None, report.diagnostics
    return found


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> tuple[Gateway, ...]:
    corpus.write(directory := tmp_path_factory.mktemp("corpus") / "policies", 40)
    return gateway_of(ROOT / "policies"), gateway_of(directory)


@pytest.mark.parametrize("settings", ASKED, ids=" and ".join)
def test_those_that_fit_are_those_that_fit_one_by_one(settings: tuple[str, ...], gateways: tuple[Gateway, ...]) -> None:
    fits = ASKED[settings]
    for gateway in gateways:
        expected = []
        for entry in routes(gateway):
            values = [attrgetter(name)(entry[2]) for name in settings]
            if all(value is not None for value in values) and fits(*values):
                expected.append(entry)
        assert list(concerned.fitting(gateway, *settings, fits=fits)) == expected


def test_no_gateway_is_taken_for_another(gateways: tuple[Gateway, ...]) -> None:
    for gateway in (*gateways, *gateways):
        assert len(list(concerned.fitting(gateway, "max_body", fits=lambda _: True))) == len(routes(gateway))


def test_a_setting_that_routes_share_is_asked_about_once(gateways: tuple[Gateway, ...]) -> None:
    asked: list[Any] = []
    list(concerned.fitting(gateways[1], "retries", fits=asked.append))
    assert len(asked) < len(routes(gateways[1])) / 2


def test_routes_by_who_may_call_and_where_they_end(gateways: tuple[Gateway, ...]) -> None:
    for gateway in gateways:
        assert [*concerned.public(gateway), *concerned.guarded(gateway)] == [
            *(entry for entry in routes(gateway) if entry[2].auth is None),
            *(entry for entry in routes(gateway) if entry[2].auth is not None),
        ]
        ends = [entry for entry in routes(gateway) if entry[2].path.segments[-1].kind is SegmentKind.REST]
        assert list(concerned.open_ended(gateway)) == ends
