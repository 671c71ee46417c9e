"""The third lock against silent drops: whatever changes in a Gateway shows in the output, or the table owns up.

A renderer that forgot a field is caught here, whatever its support table claims.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

import maximal
from compiling import compiled, sources_of
from gwc.discovery import load_targets
from gwc.features import FEATURES
from gwc.ir import Gateway, LimitKey, TargetOptions
from gwc.leaves import OWNERS, Leaf, changed, leaves
from gwc.support import Fidelity, SupportTable
from gwc.target import Target

VARIANTS = [(one.target, profile) for one in load_targets(()) for profile in one.target.profiles]
NAMES = [f"{target.name}-{profile}" for target, profile in VARIANTS]


@cache
def everything() -> Gateway:
    gateway, report = compiled(sources_of(maximal.policies(), maximal.DIRECTORY))
    assert gateway is not None, report.diagnostics
    return gateway


@cache
def telling_leaves() -> dict[tuple[str, LimitKey | None], list[Leaf]]:
    """The leaves that hold a value, by what they are: the same field of all routes, of all limits per user, ..."""
    found: dict[tuple[str, LimitKey | None], list[Leaf]] = {}
    for leaf in leaves(everything()):
        if leaf.value not in (None, ()):
            found.setdefault((leaf.name, leaf.limit), []).append(leaf)
    return found


def test_the_maximal_policies_use_every_feature_but_those_that_exclude_each_other() -> None:
    unused = {name for name, feature in FEATURES.items() if not list(feature.uses(everything()))}
    assert unused == {"budget.cluster"}, "a budget is counted by the gateway or by the cluster, not by both"


def test_every_leaf_of_the_ir_has_a_value_somewhere() -> None:
    valued = {name for name, _ in telling_leaves()}
    empty = {leaf.name for leaf in leaves(everything())} - valued
    absent_nodes = {name for name in empty if any(other.startswith(f"{name}.") for other in valued)}
    per_header_on_a_route_alone = {"limits.header", "services.limits.header"}
    assert empty - absent_nodes - per_header_on_a_route_alone == {"environment"}


def test_every_leaf_has_an_owner_or_a_reason() -> None:
    owners = {leaf.owner for same in telling_leaves().values() for leaf in same}
    assert owners - {None} <= FEATURES.keys()
    assert set(OWNERS.values()) <= FEATURES.keys()


@pytest.mark.parametrize(("target", "profile"), VARIANTS, ids=NAMES)
def test_every_change_shows_or_the_table_says_that_it_does_not(target: Target, profile: str) -> None:
    options = TargetOptions(profile=profile, accept=tuple(FEATURES))
    gateway = replace(everything(), targets={target.name: options})
    before = _output(target, gateway, profile)
    table = target.support(profile)
    forgotten = [
        f"{same[0].name}: {same[0].value!r} ({same[0].owner} is exact)"
        for same in telling_leaves().values()
        if same[0].owner is not None
        and _exact(table, gateway, same[0].owner)
        # One of them is enough: a route that answers 401 for want of a credential check hides its other settings.
        and not any(_output(target, changed(gateway, leaf), profile) != before for leaf in same)
    ]
    assert forgotten == []


def _exact(table: SupportTable, gateway: Gateway, feature: str) -> bool:
    promises = {table.of(feature, gateway, use).fidelity for use in FEATURES[feature].uses(gateway)}
    return promises == {Fidelity.EXACT}


def _output(target: Target, gateway: Gateway, profile: str) -> dict[str, object]:
    return dict(_pieces(target, gateway, profile))


def _pieces(target: Target, gateway: Gateway, profile: str) -> Iterator[tuple[str, object]]:
    artifact = target.emit(gateway, profile)
    yield from ((path, output.text) for path, output in artifact.files.items())
    yield from ((secret.path, [(one.source, one.name) for one in secret.secrets]) for secret in artifact.secrets)
