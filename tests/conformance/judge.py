"""Holds what happened against what a scenario expects. Every fault is a sentence; a step has all of its faults."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from conformance.client import Response
from conformance.scenario import Expectation, Expected, Match, Problem, Range, Step, UpstreamExpectation
from conformance.upstream import Seen
from gwc.problems import PROBLEMS

_ID = re.compile(r"[A-Za-z0-9_.:-]{8,128}\Z")
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")
_BANNERS = re.compile(r"(server|via|x-(envoy|kong|accel|consumer)-.*)\Z", re.IGNORECASE)
_INTERNAL = re.compile(r"(x-(envoy|consumer|credential|accel)-.*|x-anonymous-consumer)\Z", re.IGNORECASE)
_LEAKS = re.compile(r"127\.0\.0\.1|localhost|nginx|envoy|kong|openresty|upstream|lua|stack", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Names:
    """What the platform calls things."""

    request_id: str
    user_header: str
    error_type_base: str
    shown: frozenset[str] = frozenset()  # banners, lower case, that a target declares it cannot leave out


@dataclass(frozen=True, slots=True)
class Outcome:
    """All responses of a step, and all that the service saw for it."""

    responses: Sequence[Response]
    seen: Sequence[Seen]
    peak: int


def faults(step: Step, outcome: Outcome, names: Names) -> Iterator[str]:
    """What is wrong, nothing when all is well."""
    for response in outcome.responses:
        yield from _response(step, step.expect, response, names)
        if response.status in step.expect.by_status:
            yield from _response(step, step.expect.by_status[response.status], response, names)
        if not step.parser and response.status:
            yield from _hygiene(response, names)
    yield from _correlation(step, outcome, names)
    yield from _private(step, outcome)
    if step.expect.upstream is not None:
        yield from _upstream(step.expect.upstream, outcome)
    yield from _tally(step.expect, outcome.responses, names)


def _response(step: Step, expect: Expectation, response: Response, names: Names) -> Iterator[str]:
    if expect.status is not None:
        wanted = expect.status if isinstance(expect.status, list) else [expect.status]
        if response.status not in wanted:
            yield f"status {response.status}, expected {expect.status}; body {response.body[:300]!r}"
    if expect.cut is not None and response.complete is expect.cut:
        yield f"the answer was {'complete' if response.complete else 'cut'}: {response.status} {response.body[-80:]!r}"
    if response.surplus:
        yield f"after the answer came what nobody asked for: {response.surplus[:200]!r}"
    for name, wanted_value in expect.headers.items():
        yield from _text(f"response header {name}", response.values(name), wanted_value)
    yield from _text("the version of TLS", [response.tls] if response.tls else [], expect.tls)
    if expect.alpn is not None and response.alpn != expect.alpn:
        yield f"the protocol {response.alpn!r} was agreed on, expected {expect.alpn!r}"
    yield from _body(expect, response)
    yield from _times(expect, response)
    if expect.problem is not None:
        yield from _problem(step, expect.problem, response, names)
    yield from _retry_after(expect, response)
    if expect.messages is not None and response.messages != expect.messages:
        yield f"messages {response.messages}, expected {expect.messages}"


def _text(what: str, values: list[str], expected: Expected) -> Iterator[str]:
    if expected is None:
        if values:
            yield f"{what} should be absent, is {values}"
    elif isinstance(expected, str):
        if values != [expected]:
            yield f"{what} is {values}, expected {expected!r}"
    else:
        yield from _match(what, values, expected)


def _match(what: str, values: list[str], match: Match) -> Iterator[str]:
    joined = ", ".join(values)
    if match.values is not None and values != match.values:
        yield f"{what} is {values}, expected {match.values}"
    if match.one_of is not None and joined not in match.one_of:
        yield f"{what} is {values}, expected one of {match.one_of}"
    if match.matches is not None and not (values and re.fullmatch(match.matches, joined)):
        yield f"{what} is {values}, expected /{match.matches}/"
    if match.lacks is not None and re.search(match.lacks, joined):
        yield f"{what} is {values}, should lack /{match.lacks}/"


def _body(expect: Expectation, response: Response) -> Iterator[str]:
    text = response.body.decode("utf-8", "replace")
    if expect.body is not None and text != expect.body:
        yield f"body {text[:300]!r}, expected {expect.body!r}"
    if expect.body_matches is not None and not re.search(expect.body_matches, text):
        yield f"body {text[:300]!r} does not match /{expect.body_matches}/"
    if expect.body_lacks is not None and re.search(expect.body_lacks, text):
        yield f"body {text[:300]!r} should lack /{expect.body_lacks}/"
    if expect.body_length is not None and len(response.body) != expect.body_length:
        yield f"body of {len(response.body)} bytes, expected {expect.body_length}"
    if expect.json_ is not None:
        data = _parsed(text)
        wrong = {k: data.get(k) for k, v in expect.json_.items() if data.get(k) != v}
        if wrong:
            yield f"body has {wrong}, expected {expect.json_}"


def _parsed(text: str) -> dict[str, object]:
    """The JSON object, or nothing: the fault then shows as missing keys."""
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _outside(value: float, wanted: int | Range) -> bool:
    low, high = (wanted, wanted) if isinstance(wanted, int) else wanted
    return not low <= value <= high


def _times(expect: Expectation, response: Response) -> Iterator[str]:
    if expect.elapsed is not None and _outside(response.elapsed, expect.elapsed):
        yield f"took {response.elapsed:.2f} s, expected {expect.elapsed}"
    if expect.first_byte is not None and _outside(response.first_byte, expect.first_byte):
        yield f"first byte after {response.first_byte:.2f} s, expected {expect.first_byte}"
    for text, wanted in expect.arrivals.items():
        at = response.arrival(text)
        if at is None or _outside(at, wanted):
            yield f"{text!r} arrived at {at}, expected {wanted}"


def _retry_after(expect: Expectation, response: Response) -> Iterator[str]:
    """In whole seconds, at least one; `renewal`: until the next multiple of so many seconds of the clock."""
    wanted = expect.retry_after
    if expect.renewal is not None:
        left = expect.renewal - time.time() % expect.renewal
        wanted = (left - 1.5, left + 1.5)
    if wanted is None:
        return
    values = response.values("retry-after")
    if len(values) != 1 or not re.fullmatch(r"[1-9][0-9]*", values[0]) or _outside(int(values[0]), wanted):
        yield f"Retry-After is {values}, expected {wanted[0]:g} to {wanted[1]:g} s"


def _problem(step: Step, problem: Problem, response: Response, names: Names) -> Iterator[str]:
    """RFC 9457 with the vocabulary of policy.md, and nothing of the inside."""
    known, data = PROBLEMS[problem.type], _parsed(response.body.decode("utf-8", "replace"))
    yield from _text("content type", response.values("content-type"), "application/problem+json")
    expected: dict[str, object] = {
        "type": names.error_type_base + problem.type,
        "title": known.title,
        "status": response.status,
        "detail": known.detail,
        "instance": step.target.split("?", 1)[0],
        "request_id": response.value(names.request_id),
    }
    for key in problem.lacks:
        expected.pop(key)
        data.pop(key, None)
    if data != expected:
        yield f"problem {data or response.body[:300]!r}, expected {expected}"
    if leak := _LEAKS.search(f"{data.get('detail')}{data.get('title')}"):
        yield f"the problem tells of the inside: {leak[0]}"


def _hygiene(response: Response, names: Names) -> Iterator[str]:
    ids = response.values(names.request_id)
    if len(ids) != 1 or not _ID.match(ids[0]):
        yield f"request ids of the response: {ids}"
    if banners := [n for n, _ in response.headers if _BANNERS.match(n) and n.lower() not in names.shown]:
        yield f"the response shows the engine: {banners}"


def _correlation(step: Step, outcome: Outcome, names: Names) -> Iterator[str]:
    """A step that waits for what follows its answers sees requests of the gateway's own, with ids of their own."""
    answered = {response.value(names.request_id) for response in outcome.responses if response.status}
    for seen in outcome.seen:
        ids, parents = seen.values(names.request_id), seen.values("traceparent")
        told = answered and len(outcome.responses) == len(answered) and not step.settle
        if len(ids) != 1 or not _ID.match(ids[0]) or (told and ids[0] not in answered):
            yield f"the service saw the request ids {ids}, the client {answered}"
        if len(parents) != 1 or not _TRACEPARENT.match(parents[0]):
            yield f"the service saw the traceparent {parents}"


def _private(step: Step, outcome: Outcome) -> Iterator[str]:
    """Headers of the engines' own at the service. One that a step says arrives is what a deviation declares."""
    expected = step.expect.upstream.headers if step.expect.upstream is not None else {}
    declared = {name.lower() for name, wanted in expected.items() if wanted is not None}
    for seen in outcome.seen:
        internal = [name for name, _ in seen.headers if _INTERNAL.match(name) and name.lower() not in declared]
        if internal:
            yield f"the service saw {internal}"


def _upstream(expect: UpstreamExpectation, outcome: Outcome) -> Iterator[str]:
    if expect.calls is not None and _outside(len(outcome.seen), expect.calls):
        yield f"the service was called {len(outcome.seen)} times, expected {expect.calls}"
    if expect.peak is not None and _outside(outcome.peak, expect.peak):
        yield f"{outcome.peak} requests in flight at once, expected {expect.peak}"
    yield from _gaps(expect, outcome.seen)
    if outcome.seen:
        yield from _last_seen(expect, outcome.seen[-1])
    elif expect.calls is None:
        yield "the service was not called"


def _gaps(expect: UpstreamExpectation, seen: Sequence[Seen]) -> Iterator[str]:
    gaps = [round(later.at - earlier.at, 3) for earlier, later in pairwise(seen)]
    if expect.gaps is not None and (len(gaps) != len(expect.gaps) or any(map(_outside, gaps, expect.gaps))):
        yield f"tries were {gaps} s apart, expected {expect.gaps}"
    if expect.mean_gap is not None and _outside(mean := _mean_gap(seen), expect.mean_gap):
        yield f"the tries of a request were {mean:.3f} s apart on average, expected {expect.mean_gap}"


def _mean_gap(seen: Sequence[Seen]) -> float:
    """Between the tries of one request, told by its traceparent's trace id, over all requests."""
    requests: dict[str, list[float]] = {}
    for one in seen:
        requests.setdefault((one.value("traceparent") or "")[3:35], []).append(one.at)
    gaps = [later - earlier for times in requests.values() for earlier, later in pairwise(sorted(times))]
    return sum(gaps) / len(gaps) if gaps else 0.0


def _last_seen(expect: UpstreamExpectation, seen: Seen) -> Iterator[str]:
    if expect.method is not None and seen.method != expect.method:
        yield f"the service saw {seen.method}, expected {expect.method}"
    if expect.target is not None:
        yield from _text("the target that the service saw", [seen.target], expect.target)
    for name, wanted in expect.headers.items():
        yield from _text(f"header {name} at the service", seen.values(name), wanted)
    if expect.body_length is not None and len(seen.body) != expect.body_length:
        yield f"the service got {len(seen.body)} bytes, expected {expect.body_length}"
    instances = [expect.instance] if isinstance(expect.instance, str) else expect.instance
    if instances is not None and seen.instance not in instances:
        yield f"{seen.instance} was called, expected {expect.instance}"


def _tally(expect: Expectation, responses: Sequence[Response], names: Names) -> Iterator[str]:
    if expect.tally is None:
        return
    ids = {response.value(names.request_id) for response in responses}
    if expect.tally.ids is not None and len(ids) != expect.tally.ids:
        yield f"{len(ids)} different request ids, expected {expect.tally.ids}"
    bodies = {response.body for response in responses}
    if expect.tally.bodies is not None and len(bodies) != expect.tally.bodies:
        yield f"{len(bodies)} different bodies, expected {expect.tally.bodies}"
    statuses: Counter[int | str | None] = Counter(response.status for response in responses)
    instances: Counter[int | str | None] = Counter(response.value("x-instance") for response in responses)
    for count, wanted in ((statuses, expect.tally.status), (instances, expect.tally.instance)):
        for value, bound in wanted.items():
            if _outside(count[value], bound):
                yield f"{value} came {count[value]} times, expected {bound}: {dict(count)}"
