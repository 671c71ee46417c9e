"""Rules are printed with holes for words: what goes into a hole is what would stand there, whatever the word is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import accept
from gwc.observability.alerts import of_platform, of_service
from gwc.observability.cases import Case, names, text
from gwc.observability.metrics import DURATION, FAMILIES, REQUESTS, Family, named_in
from gwc.observability.rules import printed
from property.strategies import HOSTILE

ALL = frozenset(FAMILIES)
SPEAKING = [*HOSTILE, "\ue000", "\ue001%s", "{{", "{{ $value", "~a", "it's", "a.b", "\u2028", "\ufeff", "\x85", "gwc_x"]
"""Also such as no policy can have."""


def cases() -> Iterator[Case]:
    """Of the examples, one of each kind."""
    given = accept.gateway("prod")
    found = (*of_platform(given), *(case for one in given.services for case in of_service(one)))
    yield from {(case.alerts, case.settings, tuple(map(bool, case.words))): case for case in found}.values()


def plainly(case: Case, served: frozenset[Family]) -> str:
    place = f"{case.span.file.rpartition('/')[2]}:{case.span.line}"
    alerts = case.alerts(*case.settings, *case.words, place)
    return "".join(printed(alert) for alert in alerts if named_in(alert.expr) <= served)


@pytest.mark.parametrize("word", SPEAKING, ids=ascii)
def test_holes_hold_what_would_stand_there(word: str) -> None:
    for case in cases():
        for place in range(len(case.words)):
            spoken = case._replace(words=(*case.words[:place], word, *case.words[place + 1 :]))
            assert text(spoken, ALL) == plainly(spoken, ALL)


def test_all_kinds_are_among_them() -> None:
    found = {case.alerts.__name__ for case in cases()}
    assert len(found) == 9, "one of alerts.py's functions is not looked at"


@pytest.mark.parametrize("served", [frozenset([REQUESTS]), ALL - {DURATION}, frozenset[Family](), ALL])
def test_what_is_not_served_is_not_watched(served: frozenset[Family]) -> None:
    for case in cases():
        assert text(case, served) == plainly(case, served)
        possible, lost = names(case, served)
        shown = plainly(case, served)
        assert all(f"alert: '{name}'" in shown for name in possible)
        assert possible | lost == names(case, ALL)[0]
        assert bool(shown) == bool(possible)
