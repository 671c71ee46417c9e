"""The access log: whatever a client sends, each line is JSON in the one schema, and what it says is what happened."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import logbook
from conformance.client import Request, Tls, exchange
from conformance.conftest import Launcher, on_each_gateway, skip_where_missing
from conformance.harness import Launched
from conformance.mix import Mix, mix
from conformance.traffic import CREDENTIALS, Outcome
from conformance.variants import Variant
from gwc.model import Model
from gwc.model.paths import canonical
from gwc.observability import access_log
from gwc.replay import formats
from gwc.support import Fidelity

SCENARIO = "request_id/always"
_HOSTILE = (
    *('/"},{"', "/\\", "/\xff\xfe", "/a\xed\xa0\x80", "/a\xc0\xaf", "/\xc3\xa4?\xff", "/%22%00", "/?\xff"),
    *("/" + "\xc3\xa4" * 2000, "?", "*"),
)
"""One character stands for one byte."""

_MALFORMED = (
    *(b"nonsense\r\n\r\n", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    *(b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"),
    *(b'GET / HTTP/1.1\r\nHost: "\xff{}\r\n\r\n', b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"),
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)
"""What the engines' own parsers may answer, or not at all."""


def _canonical(path: str, _: Outcome) -> str:
    """A path that is refused stays as it is."""
    return re.sub(r'["<>^`{|}]', lambda found: f"%{ord(found[0]):02X}", canonical(path) or path)


def _all_or_nothing(query: str, _: Outcome) -> str:
    return access_log.REDACTED if "s3cret" in query or access_log.REDACTED in query else query


def _empty_for_absent(keys: dict[str, str | None], _: Outcome) -> dict[str, str]:
    return {name: value or "" for name, value in keys.items()}


OTHERWISE: dict[str, logbook.Otherwise] = {
    "envoy/default": {"path": _canonical},
    "nginx/plain": {
        "time": lambda began, outcome: began + outcome.response.elapsed,
        "query": _all_or_nothing,
        "keys": _empty_for_absent,
    },
}
"""What gateways below exact say of some fields: the bound that their tables declare."""


@pytest.fixture
def played(variant: Variant, launch: Launcher) -> Mix:
    skip_where_missing(variant)
    return mix(variant, launch)


pytestmark = pytest.mark.live
by_variant = on_each_gateway("mix")


@by_variant
def test_each_request_has_one_line_in_the_schema(variant: Variant, played: Mix) -> None:
    asked = Counter(outcome.id for outcome in played.outcomes)
    assert Counter(line.get("request_id") for line in played.lines) == asked
    names = {outcome.id: outcome.visit.name for outcome in played.outcomes}
    wrong = {names[str(line["request_id"])]: found for line in played.lines if (found := logbook.against_schema(line))}
    assert wrong == {}


@by_variant
def test_each_line_says_what_happened(variant: Variant, played: Mix) -> None:
    otherwise, framing = OTHERWISE.get(variant.promise, {}), variant.target.name == "nginx"
    assert not otherwise or played.declared.get("access_log") is Fidelity.APPROXIMATE
    lines = {line["request_id"]: line for line in played.lines}
    wrong = {}
    for outcome in played.outcomes:
        if outcome.response.status != outcome.visit.status:
            wrong[outcome.visit.name] = [f"answered {outcome.response.status}, not {outcome.visit.status}"]
        elif found := list(logbook.faults(lines[outcome.id], outcome, played.base, otherwise, framing)):
            wrong[outcome.visit.name] = found
    assert wrong == {}, "\n".join(f"{name}: {'; '.join(found)}" for name, found in wrong.items())


@by_variant
def test_the_log_is_enough_to_replay_the_limits(variant: Variant, played: Mix) -> None:
    """From the lines and the policies alone: who is refused by which limit, and who would be."""
    decided = Counter[str]()
    model = Model(played.gateway)
    for line in sorted(played.lines, key=lambda line: line["time"]):
        entry = formats.gwc(json.dumps(line))
        outcome, at = model.ask(entry.request, entry.answer), f"{line['time']} {line['path']}"
        assert _limit(outcome.limited_by) == _limit(line["limited_by"]), at
        assert outcome.shadowed_by == tuple(line["shadowed_by"]), at
        decided.update([limit for limit in (_limit(outcome.limited_by), *outcome.shadowed_by) if limit])
    asked = [outcome.visit.says for outcome in played.outcomes]
    assert decided.total() == sum("/" in says.get("limited_by", "") or "shadowed_by" in says for says in asked)


def _limit(cause: str) -> str:
    """The id of a limit; empty for what else refuses a request."""
    return "" if cause in access_log.CAUSES else cause


@by_variant
def test_no_credential_is_in_the_log(variant: Variant, played: Mix) -> None:
    assert [part for part in CREDENTIALS if part in played.output] == []


@by_variant
def test_a_credential_that_a_limit_counts_by_is_not_in_the_log(variant: Variant, launch: Launcher) -> None:
    skip_where_missing(variant)
    gateway = launch("observability/credentials", variant)
    nothing = dict.fromkeys(("authorization", "cookie", "x-other-key", "x-tenant"))
    expected = {}
    for path, name in (
        ("token", "Authorization"),
        ("cookie", "Cookie"),
        ("key", "X-Other-Key"),
        ("tenant", "X-Tenant"),
    ):
        request_id = f"credentials-{path}"
        headers = (
            ("Host", "gateway.test"),
            ("X-Request-ID", request_id),
            (name, "s3cret" if path != "tenant" else "red"),
        )
        exchange(gateway.address, Request("GET", f"/{path}", headers))
        expected[request_id] = {**nothing, name.lower(): "red" if path == "tenant" else access_log.REDACTED}
    lines = logbook.lines(gateway, expected)
    assert "s3cret" not in gateway.running.output()
    assert [found for line in lines for found in logbook.against_schema(line)] == []
    said = {line["request_id"]: line["keys"] for line in lines}
    if variant.promise == "nginx/plain":
        expected = {
            request_id: {name: value or "" for name, value in keys.items()} for request_id, keys in expected.items()
        }
    assert said == expected


@by_variant
def test_every_line_is_json(variant: Variant, launch: Launcher) -> None:
    skip_where_missing(variant)
    gateway = launch(SCENARIO, variant)
    for target in _HOSTILE:
        _send(gateway, target, "hostile\xff\"'{}\\")
    for request in _MALFORMED:
        _send_bytes(gateway, request)
    _send(gateway, "/the-last-line", "plain")
    lines = [line for line in _written(gateway) if line.startswith("{")]
    assert len(lines) > 1
    for line in lines:
        assert logbook.against_schema(json.loads(line)) == [], line
        assert "\N{REPLACEMENT CHARACTER}" not in line, f"bytes that are no UTF-8: {line}"


@by_variant
def test_over_tls_and_on_the_way_there(variant: Variant, launch: Launcher) -> None:
    skip_where_missing(variant)
    gateway = launch("listen/redirect", variant)
    https = gateway.gateway.listen.https
    if Fidelity.UNSUPPORTED in {gateway.declared.get(name) for name in ("listen.https", "listen.https.redirect")}:
        return  # the compiler refuses such a policy: test_scenarios.py shows it
    assert https is not None
    request = Request("GET", "/v1/x?a=1", (("Host", "gateway.test"),))
    tls = Tls(Path(https.certificate).parent / "ca.pem", alpn=("h2",))
    asked = [
        exchange(gateway.address, request),
        exchange((https.address.host, https.address.port), replace(request, tls=tls)),
    ]
    ids = [response.value("x-request-id") or "" for response in asked]
    found = {line["request_id"]: line for line in logbook.lines(gateway, ids)}
    lines = [found[request_id] for request_id in ids]
    assert [logbook.against_schema(line) for line in lines] == [[], []]
    said = [tuple(line[key] for key in ("status", "service", "route", "method", "path", "query")) for line in lines]
    assert said == [(308, "", "", "GET", "/v1/x", "a=1"), (200, "main", "any", "GET", "/v1/x", "a=1")]
    assert [line["attempts"] for line in lines] == [0, 1]


def _send(gateway: Launched, target: str, agent: str) -> None:
    exchange(gateway.address, Request("GET", target, (("Host", "gateway.test"), ("User-Agent", agent))))


def _send_bytes(gateway: Launched, request: bytes) -> None:
    """And wait for whatever the gateway has to say."""
    with socket.create_connection(gateway.address, 1) as sock, contextlib.suppress(OSError):
        sock.sendall(request)
        sock.recv(4096)


def _written(gateway: Launched) -> list[str]:
    """All lines up to that of the last request; standard output is read with bytes that are no UTF-8 replaced."""
    deadline = time.monotonic() + logbook.FLUSH
    while time.monotonic() < deadline:
        text = gateway.running.output()
        if "/the-last-line" in text and text.endswith("\n"):
            return text.splitlines()
        time.sleep(0.1)
    raise AssertionError("the access log does not get as far as the last request")
