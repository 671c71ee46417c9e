"""What diff says of a change is what the model of the gateway does, for policies that nobody would think of.

Most of these changes are felt by no request; tests/diff/test_model.py has those that are, field by field.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiling import gateway_of
from gwc.diff import Level, diff
from gwc.ir import Gateway, SegmentKind
from gwc.leaves import Leaf, changed, leaves
from gwc.model import Answer, Model, Request
from gwc.routing import host_tables
from property.strategies import policies

NOON = 1_795_435_200.0
TIMES = 12
GRAVER = {Level.BREAKING, Level.TIGHTENED}
OPENER = {Level.LOOSENED, Level.ADDED}


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(policies(), policies(), st.randoms(use_true_random=False))
def test_two_policies(first: dict[str, Any], second: dict[str, Any], chance: random.Random) -> None:
    _agree(gateway_of(first), gateway_of(second), chance)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(policies(), st.randoms(use_true_random=False))
def test_one_leaf_changed(written: dict[str, Any], chance: random.Random) -> None:
    """The hard case: nothing else that changed can be what diff means."""
    old = gateway_of(written)
    telling = [leaf for leaf in leaves(old) if leaf.value not in (None, ()) and leaf.name not in ("now", "targets")]
    name = chance.choice(sorted({leaf.name for leaf in telling}))  # by field: most leaves are those of a few fields
    leaf = chance.choice([leaf for leaf in telling if leaf.name == name])
    if leaf.name.endswith(("routes.name", "services.name", "limits.id", "jwks", "strip", "base_path")):
        return  # names: two of the same are no Gateway
    new = changed(old, leaf)
    _agree(old, new, chance)
    _agree_at(old, new, leaf, chance)


def _agree_at(old: Gateway, new: Gateway, leaf: Leaf, chance: random.Random) -> None:
    """Requests for the routes that the leaf belongs to, on both sides of its two values."""
    if leaf.path[0] != "services" or not isinstance(leaf.path[1], int):
        return
    service = old.services[leaf.path[1]]
    sizes = {
        route.max_body + more for one in (old, new) for route in one.services[leaf.path[1]].routes for more in (0, 1)
    }
    for table in host_tables(old):
        for entry in table.entries:
            if any(found.service.name == service.name for found in entry.routes):
                request = _request(table.host or "anywhere.example", entry, chance)
                asked = [replace(request, user="ann", scopes=None, body=size) for size in sorted(sizes)[:8]]
                _judge(old, new, [(one, Answer(200, 0.0, None)) for one in asked])


def _agree(old: Gateway, new: Gateway, chance: random.Random) -> None:
    _judge(old, new, _requests(old, chance) + _requests(new, chance))


def _judge(old: Gateway, new: Gateway, asked: list[tuple[Request, Answer]]) -> None:
    levels = {change.level for change in diff(old, new)}
    for request, answer in asked:
        was, now = _admitted(old, request, answer), _admitted(new, request, answer)
        if now < was:
            assert levels & GRAVER, (request, was, now, diff(old, new))
        if now > was:
            assert levels & OPENER, (request, was, now, diff(old, new))


def _admitted(gateway: Gateway, request: Request, answer: Answer) -> int:
    """How many of some equal requests at one moment are not refused."""
    model = Model(gateway)
    return sum(not model.ask(request, answer).refused for _ in range(TIMES))


def _requests(gateway: Gateway, chance: random.Random) -> list[tuple[Request, Answer]]:
    every = [(table.host, entry) for table in host_tables(gateway) for entry in table.entries]
    chosen = chance.sample(every, min(len(every), 6))
    return [(_request(host or "anywhere.example", entry, chance), _answer(chance)) for host, entry in chosen]


def _request(host: str, entry: Any, chance: random.Random) -> Request:
    parts = [s.text if s.kind is SegmentKind.LITERAL else chance.choice(("a", "b")) for s in entry.path.segments]
    return Request(
        time=NOON + chance.random(),
        method=chance.choice(entry.allow),
        host=host,
        path="/" + "/".join(parts),
        client_ip=chance.choice(("192.0.2.1", "2001:db8::1")),
        user=chance.choice(("", "ann")),
        credential=chance.choice(("jwt", "api_key")),
        scopes=chance.choice((None, frozenset())),
        body=chance.choice((0, 0, 5000, 10**7)),
    )


def _answer(chance: random.Random) -> Answer:
    return Answer(chance.choice((200, 200, 404, 503)), chance.choice((0.0, 0.5, 5.0, 500.0)), chance.choice((None, 3)))
