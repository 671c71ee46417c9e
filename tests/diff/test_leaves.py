"""Nothing changes in a Gateway without diff saying so, and nothing is said where nothing changed."""

from __future__ import annotations

import random
from typing import Any

import pytest

import maximal
from compiling import compiled, sources_of
from gwc.diff import diff
from gwc.ir import Gateway
from gwc.leaves import Leaf, changed, leaves
from gwc.source import Source

SILENT = frozenset(
    {
        "environment",  # names the environment
        "access_log",  # has one value so far
        "services.routes.description",  # for people
        "identity.jwt.name",  # a label made from the position of the issuer
    }
)


def everything() -> Gateway:
    gateway, report = compiled(sources_of(maximal.policies(), maximal.DIRECTORY))
    assert gateway is not None, report.diagnostics
    return gateway


_BEFORE = everything()
_UNCHANGEABLE = ("now", "targets")  # the day that waivers are judged by; diff's own pairs change the options


def _tells(leaf: Leaf) -> bool:
    """Whether another value is possible, and means something: without attempts nothing else of retries does."""
    if leaf.value in (None, ()) or leaf.name in _UNCHANGEABLE:
        return False
    if ".retries." in leaf.name and not leaf.name.endswith("attempts"):
        _, service, _, route, *_ = leaf.path
        assert isinstance(service, int) and isinstance(route, int)
        return _BEFORE.services[service].routes[route].retries.attempts > 0
    return changed(_BEFORE, leaf) != _BEFORE


_LEAVES = [leaf for leaf in leaves(_BEFORE) if _tells(leaf)]


@pytest.mark.parametrize("leaf", _LEAVES, ids=lambda leaf: ".".join(map(str, leaf.path)))
def test_every_leaf_shows(leaf: Leaf) -> None:
    silent = leaf.name in SILENT or leaf.name.endswith("limits.id")
    found = diff(_BEFORE, changed(_BEFORE, leaf))
    assert bool(found) is not silent, found


def test_a_gateway_does_not_differ_from_itself() -> None:
    assert diff(_BEFORE, everything()) == ()


def test_the_order_of_keys_and_comments_mean_nothing() -> None:
    shuffled = {name: _shuffled(data) for name, data in maximal.policies().items()}
    sources = [Source(s.name, f"# a comment\n{s.text}\n") for s in sources_of(shuffled, maximal.DIRECTORY)]
    gateway, report = compiled(sources)
    assert gateway is not None, report.diagnostics
    assert diff(_BEFORE, gateway) == ()


def _shuffled(data: Any) -> Any:
    if isinstance(data, dict):
        items = [(key, _shuffled(value)) for key, value in data.items()]
        random.Random(7).shuffle(items)
        return dict(items)
    return [_shuffled(item) for item in data] if isinstance(data, list) else data
