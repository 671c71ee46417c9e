"""Holds what happened against what a test expects. Every fault is a sentence, with the place of what it parts from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from gwc.document import Path
from gwc.model.wire import UNTOLD, UNTOLD_INSIDE
from gwc.testing.checks import qualified
from gwc.testing.language import Expectation, Receipt, TextExpectation
from gwc.testing.plan import PlannedStep
from gwc.testing.seen import Seen, SeenStep

_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Fault:
    """`path` leads to what was expected. `unknowable`: no fault, but nothing that this engine could tell."""

    path: Path
    message: str
    seen: str
    unknowable: bool = False


def faults(step: PlannedStep, happened: SeenStep, service: str, *, modelled: bool) -> Iterator[Fault]:
    """Nothing when all is well. `modelled`: some headers are nobody's business there."""
    path: Path = (*step.path, "expect")
    told: set[str] = set()
    for index, seen in enumerate(happened.seen, 1):
        for key, message, unknowable in _each(step.expect, seen, service, modelled=modelled):
            if message not in told:  # a thousand repetitions have one fault, not a thousand
                told.add(message)
                which = f"repetition {index}: " if len(happened.seen) > 1 else ""
                yield Fault((*path, *key), which + message, seen.words, unknowable)
    words = summary(happened.seen)
    for key, message, unknowable in _together(step.expect, happened, modelled=modelled):
        yield Fault((*path, *key), message, words, unknowable)


def summary(seen: Sequence[Seen]) -> str:
    """In short what all repetitions came to, the most frequent first."""
    counts = Counter(one.words for one in seen)
    return "; ".join(f"{number} x {words}" if number > 1 else words for words, number in counts.most_common(4))


_Found = Iterator[tuple[Path, str, bool]]


def _each(expect: Expectation, seen: Seen, service: str, *, modelled: bool) -> _Found:
    if expect.status is not None and seen.status not in expect.status:
        wanted = " or ".join(map(str, expect.status))
        yield ("status",), f"status {seen.status}, expected {wanted}", False
    if expect.cache is not None and seen.cache != expect.cache.replace("none", ""):
        yield ("cache",), f"X-Cache is {seen.cache or 'absent'}, expected {expect.cache}", False
    if expect.problem is not None and seen.problem != expect.problem.replace("none", ""):
        yield ("problem",), f"the problem is {seen.problem or 'none'}, expected {expect.problem}", False
    if expect.limited_by is not None and seen.limited_by != expect.limited_by:
        yield ("limited_by",), f"limited by {seen.limited_by or 'nothing'}, expected {expect.limited_by}", False
    if expect.route is not None:
        yield from _route(expect.route, seen, service)
    for name, wanted_text in expect.headers.items():
        known = not (modelled and name.lower() in UNTOLD)
        yield from _text(("headers", name), name, seen.values(name), wanted_text, known)
    if expect.body is not None:
        yield from _text(("body",), "the body", [seen.body.decode("utf-8", "replace")], expect.body, True)


def _route(wanted: str, seen: Seen, service: str) -> _Found:
    place = "none" if not seen.route else f"{seen.service}/{seen.route}"
    expected = wanted if wanted == "none" else qualified(wanted, service)
    if seen.route is None:
        yield ("route",), "nobody can tell which route matched", True
    elif place != expected:
        yield ("route",), f"the route is {place}, expected {expected}", False


def _together(expect: Expectation, happened: SeenStep, *, modelled: bool) -> _Found:
    counts = Counter(str(one.status) for one in happened.seen)
    for status, number in (expect.statuses or {}).items():
        if not number[0] <= counts[status] <= number[1]:
            yield ("statuses", status), f"{counts[status]} answers with {status}, expected {_range(number)}", False
    if expect.statuses is not None and (others := counts.keys() - expect.statuses.keys()):
        yield ("statuses",), f"answers with {', '.join(sorted(others))}, which nobody expects", False
    if expect.receives == "none":
        if happened.received:
            yield ("receives",), f"the service was asked {len(happened.received)} times, expected never", False
    elif expect.receives is not None:
        yield from _received(expect.receives, happened, modelled=modelled)


def _received(expect: Receipt, happened: SeenStep, *, modelled: bool) -> _Found:
    received = happened.received
    if expect.calls is not None and not expect.calls[0] <= len(received) <= expect.calls[1]:
        message = f"the service was asked {len(received)} times, expected {_range(expect.calls)}"
        yield ("receives", "calls"), message, False
    if not received:
        if expect.calls is None:
            yield ("receives",), "the service was not asked", False
        return
    last = received[-1]
    if expect.method is not None and last.method != expect.method:
        yield ("receives", "method"), f"the service received {last.method}, expected {expect.method}", False
    for key, wanted in (("path", expect.path), ("query", expect.query)):
        if wanted is not None:
            value = getattr(last, key)
            yield from _text(("receives", key), f"the {key} at the service", [value] if value else [], wanted, True)
    for name, wanted in expect.headers.items():
        values = [value for header, value in last.headers if header.lower() == name.lower()]
        known = not (modelled and name.lower() in UNTOLD_INSIDE)
        yield from _text(("receives", "headers", name), f"{name} at the service", values, wanted, known)


def _text(path: Path, what: str, values: Collection[str], wanted: TextExpectation, known: bool) -> _Found:
    if not known:
        yield path, f"the model does not tell {what}", True
        return
    text, shown = ", ".join(values), _shown(values)
    if wanted.present is not None and bool(values) is not wanted.present:
        yield path, f"{what} is {shown}, expected {'a value' if wanted.present else 'none'}", False
    if wanted.equals is not None and (not values or text != wanted.equals):
        yield path, f"{what} is {shown}, expected {wanted.equals!r}", False
    if wanted.matches is not None and (not values or not re.fullmatch(wanted.matches, text)):
        yield path, f"{what} is {shown}, expected a match of /{wanted.matches}/", False
    if wanted.lacks is not None and re.search(wanted.lacks, text):
        yield path, f"{what} is {shown}, which should lack /{wanted.lacks}/", False


def _range(number: tuple[int, int]) -> str:
    return str(number[0]) if number[0] == number[1] else f"{number[0]} to {number[1]}"


def _shown(values: Collection[str]) -> str:
    text = ", ".join(values)
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...") if values else "absent"
