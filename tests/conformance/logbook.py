"""The lines of a gateway's access log, and what is wrong with one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import jsonschema

from conformance.harness import Launched
from conformance.traffic import HOST, Outcome, problem_of
from gwc.observability import access_log

Line = Mapping[str, Any]
Otherwise = Mapping[str, Callable[[Any, Outcome], Any]]
"""For a field: what a gateway below exact says in place of the usual value."""

FLUSH = 20.0
"""Seconds within which the last line is there: engines write their logs in pieces."""

_SCHEMA = jsonschema.Draft202012Validator(access_log.schema())
_SLACK = 250.0
"""Milliseconds between what the client and what the gateway measures: both share a busy machine."""


def lines(gateway: Launched, ids: Collection[str]) -> list[Line]:
    """All lines so far, as soon as every request id of `ids` has one, or it is too late for that."""
    deadline = time.monotonic() + FLUSH
    while True:
        text = gateway.running.output()
        found = [json.loads(line) for line in text.splitlines() if line.startswith("{")] if text.endswith("\n") else []
        if {line.get("request_id") for line in found} >= {*ids} or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def against_schema(line: Line) -> list[str]:
    """What the schema has against a line."""
    return [f"{'.'.join(map(str, error.path))}: {error.message}"[:300] for error in _SCHEMA.iter_errors(line)]


def expected(outcome: Outcome, base: str) -> dict[str, Any]:
    """What the line of a visit says exactly: what everybody can see, and what the visit says beside it."""
    visit, response = outcome.visit, outcome.response
    path, _, query = outcome.target.partition("?")
    service, _, route = visit.at.partition("/")
    tenant = next((value for name, value in visit.headers if name == "X-Tenant"), None)
    seen = {
        "request_id": outcome.id, "service": service, "route": route, "method": visit.method, "host": HOST,
        "path": path, "query": query, "client_ip": outcome.source, "user": "", "keys": {"x-tenant": tenant},
        "status": response.status, "bytes": len(response.body), "attempts": len(outcome.seen), "cost": None,
        "cache": response.value("x-cache") or "", "limited_by": "", "shadowed_by": [],
        "problem": problem_of(response, base),
    }  # fmt: skip
    if outcome.seen:
        seen["trace_id"] = (outcome.seen[-1].value("traceparent") or "-" * 4).split("-")[1]
    if visit.messages or response.value("transfer-encoding"):
        del seen["bytes"]  # some count the frames of a WebSocket and of a chunked body: see _size
    return {**seen, **visit.says}


def faults(line: Line, outcome: Outcome, base: str, otherwise: Otherwise, framing: bool) -> Iterator[str]:
    """What is wrong with the line of a visit, on a gateway that is known to tell some fields otherwise, and to count
    the `framing` of chunks."""
    for name, usual in expected(outcome, base).items():
        value = otherwise[name](usual, outcome) if name in otherwise else usual
        if not _same(line[name], value):
            yield f"{name} is {line[name]!r}, not {value!r}"
    yield from _size(line, outcome, framing)
    yield from _times(line, outcome, otherwise.get("time", lambda began, _: began)(outcome.began, outcome))
    yield from _waits(line, outcome)


def _same(said: object, value: object) -> bool:
    """A text with bytes that are no UTF-8 is told in some way: replaced or escaped, but with what is around them."""
    if isinstance(said, dict) and isinstance(value, dict):
        return said.keys() == value.keys() and all(_same(said[key], value[key]) for key in value)
    if isinstance(said, str) and isinstance(value, str) and not value.isascii():
        return said.startswith(next(iter(value.split(next(c for c in value if not c.isascii())))))
    return said == value and type(said) is type(value)


def _size(line: Line, outcome: Outcome, framing: bool) -> Iterator[str]:
    """Chunks cost up to twelve bytes each, the last one too, and so do the messages of a WebSocket."""
    body, messages = len(outcome.response.body), outcome.visit.messages
    pieces = len(outcome.response.arrivals) + len(messages)
    more = 12 * (pieces + 2) + sum(map(len, messages)) if framing or messages else 0
    if not body <= line["bytes"] <= body + more:
        yield f"bytes is {line['bytes']}, with {body} in {pieces} pieces"


def _times(line: Line, outcome: Outcome, moment: float) -> Iterator[str]:
    said = datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp()
    if abs(said - moment) * 1000 > _SLACK:
        yield f"time is {line['time']}, {said - moment:.3f} s from what it was for the client"
    took = outcome.response.elapsed * 1000
    if not took - _SLACK <= line["duration_ms"] <= took + _SLACK:
        yield f"duration_ms is {line['duration_ms']}, and the client waited {took:.0f}"


def _waits(line: Line, outcome: Outcome) -> Iterator[str]:
    waited = line["upstream_ms"]
    if line["attempts"] == 0:
        if waited is not None:
            yield f"upstream_ms is {waited} without a try"
        return
    scripts: Sequence[Any] = outcome.visit.upstream
    delay = sum(scripts[min(n, len(scripts) - 1)].delay for n in range(len(outcome.seen))) * 1000
    least = min(delay - 20, outcome.response.elapsed * 1000 - _SLACK)  # a client that left, or a timeout, ends the wait
    if waited is None or not least <= waited <= line["duration_ms"] + 1:
        yield f"upstream_ms is {waited}, with {least:.0f} to wait and {line['duration_ms']} in all"
