"""What is found service by service is what the tables say of the whole Gateway, use by use; and what is kept of a
service is what would be found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accept
from compiling import gateway_of
from gwc.diagnostics import Diagnostic, Related, Severity, Span
from gwc.discovery import load_targets
from gwc.features import FEATURES, PLATFORM, Use
from gwc.ir import Gateway, Level, TargetOptions
from gwc.manifest import inexact
from gwc.parts import alone
from gwc.source import policy_name
from gwc.support import Case, Conditional, Fidelity, Support, SupportTable, approximate, unsupported
from gwc.survey import Survey, check, objections, survey
from property.strategies import policies

TABLES: list[SupportTable] = [
    one.target.support(profile) for one in load_targets([]) for profile in one.target.profiles
]
ACCEPTED = st.lists(st.sampled_from([*FEATURES]), max_size=20, unique=True)


def _promised(gateway: Gateway, table: SupportTable) -> Iterator[tuple[str, Support, list[Use]]]:
    """Every feature and promise below exact, with its uses: each is asked by itself, in the whole Gateway."""
    for name, feature in FEATURES.items():
        found: dict[Support, list[Use]] = {}
        for use in feature.uses(gateway):
            found.setdefault(table.of(name, gateway, use), []).append(use)
        yield from ((name, support, uses) for support, uses in found.items() if support.fidelity != Fidelity.EXACT)


def _accepted(gateway: Gateway, table: SupportTable) -> tuple[str, ...]:
    return gateway.targets[table.target].accept if table.target in gateway.targets else ()


def _listed(gateway: Gateway, table: SupportTable) -> list[dict[str, Any]]:
    return [
        {
            "feature": name,
            "fidelity": support.fidelity.value,
            "accepted": name in _accepted(gateway, table),
            "note": support.note,
            "at": [f"{policy_name(s.file)}:{s.line}:{s.column}" for s in sorted({use.span for use in uses})],
        }
        for name, support, uses in _promised(gateway, table)
    ]


def _told(gateway: Gateway, table: SupportTable) -> Iterator[Diagnostic]:
    for name, support, uses in _promised(gateway, table):
        if name not in _accepted(gateway, table):
            shown: dict[Span, Use] = {}
            for use in uses:
                if use.origin.level is not Level.DEFAULT:
                    shown.setdefault(use.span, use)
            first, *others = list(shown.values())[:4] or uses[:1]
            cannot, subjects = support.fidelity is Fidelity.UNSUPPORTED, len({use.subject for use in uses})
            named = first.subject + ("" if subjects == 1 else f" and {subjects - 1} more")
            yield Diagnostic(
                first.span,
                "GWC601" if cannot else "GWC602",
                Severity.ERROR if cannot else Severity.WARNING,
                f"{table.target} ({table.profile}) {'cannot express' if cannot else 'only approximates'} {name} for "
                f"{named}: {support.note}",
                f"change the policy, or take it knowingly: targets.{table.target}.accept: [{name}]",
                tuple(Related(use.span, "and here") for use in others),
            )


def _accepting(gateway: Gateway, accepted: list[str]) -> Gateway:
    options = TargetOptions(profile=None, accept=tuple(accepted))
    return replace(gateway, targets={table.target: options for table in TABLES})


@settings(max_examples=40)
@given(policies(), ACCEPTED)
def test_it_is_what_the_tables_say(written: Mapping[str, Any], accepted: list[str]) -> None:
    gateway = _accepting(gateway_of(written), accepted)
    found = survey(gateway, TABLES)
    for table in TABLES:
        assert inexact(found, gateway, table) == _listed(gateway, table)
        assert [*objections(gateway, found, table)] == [*check(gateway, table)] == [*_told(gateway, table)]


@pytest.mark.parametrize("number", range(len(TABLES) + 1))
def test_a_large_gateway(number: int) -> None:
    gateway, table = replace(accept.gateway(None), targets={}), [*TABLES, _shares()][number]
    assert inexact(survey(gateway, [table]), gateway, table) == _listed(gateway, table)
    assert [*check(gateway, table)] == [*_told(gateway, table)] != []


def _shares() -> SupportTable:
    """Each promise of several cases, one of which looks across services, and levels that bring them up in turns."""
    one, other, cross = approximate("one"), unsupported("other"), approximate("across")
    entry = Conditional(
        one,
        (
            Case("", lambda _, use: sum(map(ord, use.subject)) % 3 == 0, other),
            Case("", lambda _, use, words: (len(use.subject) + words[0]) % 4 == 0, cross, across=_count),
            Case("", lambda _, use: len(use.subject) % 2 == 0, approximate("one")),
            Case("", lambda gateway, _: bool(gateway.limits), other, of_all=True),
        ),
    )
    return SupportTable("shares", "only", dict.fromkeys(FEATURES, entry))


def _count(gateway: Gateway) -> tuple[int, ...]:
    return (len(gateway.services),)


@settings(max_examples=20)
@given(policies(), policies())
def test_what_is_kept_of_a_service_is_what_would_be_found(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """Under the same platform, beside other services: only what they are told of one another may differ."""
    tables = [*TABLES, _shares()]
    before = survey(gateway_of(one), tables)
    added = {f"{name}-o": data for name, data in other.items() if data["kind"] == "Service"}
    renamed = {name: {**data, "service": name, "base_path": f"/{name}"} for name, data in added.items()}
    for services in (renamed, {**one, **renamed}, dict(reversed(one.items()))):
        gateway = gateway_of({**services, "platform": one["platform"]})
        anew, recalled = survey(gateway, tables), survey(gateway, tables, partial(_recalled, before))
        assert recalled.services == anew.services and recalled.given == anew.given
        _same(gateway, recalled, anew, tables)


def _recalled(before: Survey, service: str, given: str) -> bytes | None:
    return before.services.get(service) if given == before.given else None


def _same(gateway: Gateway, one: Survey, other: Survey, tables: list[SupportTable]) -> None:
    for table in tables:
        assert inexact(one, gateway, table) == inexact(other, gateway, table)
        assert [*objections(gateway, one, table)] == [*objections(gateway, other, table)]


@settings(max_examples=25)
@given(policies())
def test_a_case_that_is_told_of_others_needs_to_see_none(written: Mapping[str, Any]) -> None:
    gateway = gateway_of(written)
    for table in TABLES:
        for name, entry in table.entries.items():
            for case in entry.cases if isinstance(entry, Conditional) else ():
                when = case.told(gateway).when
                for one in (alone(gateway, service) for service in gateway.services):
                    for use in (use for use in FEATURES[name].uses(one) if use.subject != PLATFORM):
                        assert when(gateway, use) == when(one, use), (table.target, name, case.condition)
