"""A change reaches the targets that it reaches by all of its uses, though only those that it is about are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

import maximal
from compiling import compiled, sources_of
from counting import calls
from gwc.diff import Change, diff
from gwc.diff.affected import affected, features_of
from gwc.discovery import load_targets
from gwc.features import FEATURES, Use
from gwc.ir import Gateway
from gwc.leaves import changed, leaves
from gwc.support import EXACT, Case, Conditional, Fidelity, SupportTable, unsupported

PEOPLE = ("owner", "description")


@pytest.fixture(scope="module")
def gateway() -> Gateway:
    found, report = compiled(sources_of(maximal.policies(), maximal.DIRECTORY))
    assert found is not None, report.diagnostics
    return found


@pytest.fixture(scope="module")
def tables() -> list[SupportTable]:
    """All there are, and two that tell the platform from its services."""
    never, at_all = unsupported("never"), lambda _, use: use.subject == "the platform"
    of_platform = Conditional(never, (Case("there", at_all, EXACT),))
    of_services = Conditional(EXACT, (Case("there", at_all, never),))
    made = [SupportTable(f"t{n}", "", dict.fromkeys(FEATURES, one)) for n, one in enumerate((of_platform, of_services))]
    return [one.target.support(profile) for one in load_targets([]) for profile in one.target.profiles] + made


def _plainly(change: Change, old: Gateway, new: Gateway, tables: Sequence[SupportTable]) -> Iterator[str]:
    """Looking at every use in both gateways."""
    names = tuple(features_of(change.field))
    for table in tables:
        other = change.field.startswith("targets.") and not change.field.startswith(f"targets.{table.target}.")
        if change.field in PEOPLE or other:
            continue
        if not names or any(_renders(table, name, change, side) for name in names for side in (old, new)):
            yield table.target


def _renders(table: SupportTable, name: str, change: Change, gateway: Gateway) -> bool:
    uses = [use for use in FEATURES[name].uses(gateway) if _concerns(use, change)]
    if uses:
        return any(table.of(name, gateway, use).fidelity is not Fidelity.UNSUPPORTED for use in uses)
    entry = table.entries[name]
    usual = entry.usual if isinstance(entry, Conditional) else entry
    return usual.fidelity is not Fidelity.UNSUPPORTED


def _concerns(use: Use, change: Change) -> bool:
    return any(
        str(subject) == use.subject or (subject.service and subject.service == use.subject.partition("/")[0])
        for subject in change.subjects
    )


def test_every_leaf_reaches_the_same_targets(gateway: Gateway, tables: list[SupportTable]) -> None:
    reached = set()
    for leaf in leaves(gateway):
        if leaf.value in (None, ()) or leaf.name in ("now", "targets"):
            continue
        new = changed(gateway, leaf)
        changes = diff(gateway, new)
        found = affected(changes, gateway, new, tables)
        assert [one.targets for one in found] == [tuple(_plainly(one, gateway, new, tables)) for one in changes], leaf
        reached |= {one.targets for one in found}
    assert len(reached) > 5


def test_a_change_that_all_inherit_is_asked_of_each_once(gateway: Gateway, tables: list[SupportTable]) -> None:
    """Not of each together with each other."""

    def cost(times: int) -> int:
        old, new = (_many(gateway, times, body) for body in (1000, 2000))
        changes = diff(old, new)
        return calls(lambda: affected(changes, old, new, tables))

    assert cost(60) / cost(10) < 6.5


def _many(gateway: Gateway, times: int, body: int) -> Gateway:
    service = gateway.services[0]
    routes = tuple(replace(route, max_body=body) for route in service.routes)
    services = (replace(service, name=f"s{n}", hosts=(f"h{n}.example",), routes=routes) for n in range(times))
    return replace(gateway, services=tuple(services))
