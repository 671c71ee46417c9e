"""The schema of the access log: it takes right lines and no others, and says what the code says."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from gwc.observability import access_log
from gwc.problems import PROBLEMS
from testkit import PLATFORM, gateway

VALIDATOR = jsonschema.Draft202012Validator(access_log.schema())
LINE: dict[str, Any] = {
    "time": "2026-11-23T04:16:05.123Z",
    "request_id": "0123456789abcdef",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "service": "assistant",
    "route": "ask",
    "method": "POST",
    "host": "api.example.com:8080",
    "path": "/assistant/v1/ask",
    "query": "page=1&token=***",
    "client_ip": "2001:db8::1",
    "user": "alice",
    "keys": {"x-tenant": "one", "x-plan": None},
    "status": 200,
    "bytes": 17,
    "duration_ms": 3.5,
    "upstream_ms": 3,
    "attempts": 1,
    "cost": 20,
    "cache": "",
    "limited_by": "",
    "shadowed_by": ["platform/0", "route/assistant/ask/1"],
    "problem": "",
}
WRONG: list[dict[str, Any]] = [
    *({"time": text} for text in ("2026-11-23T04:16:05Z", "2026-11-23T04:16:05.123+00:00", "2026-13-23T04:16:05.123Z")),
    *({"status": value} for value in ("200", 99, 600, None, 200.5)),
    *({"request_id": text} for text in ("short", "with space", "-")),
    *({"trace_id": text} for text in ("-", "0AF7651916CD43DD8448EB211C80319C", "00-0af7651916cd43dd8448eb211c80319c")),
    *({"path": "/a?b"}, {"client_ip": "127.0.0.1:80"}, {"client_ip": ""}, {"service": "-"}, {"user": None}),
    *({"keys": {"X-Tenant": "one"}}, {"keys": {"x-tenant": 1}}, {"keys": ""}),
    *({"bytes": "0"}, {"duration_ms": "0.1"}, {"upstream_ms": "-"}, {"attempts": None}, {"cost": "1"}),
    *({"cache": "hit"}, {"limited_by": "-"}, {"shadowed_by": "platform/0"}, {"shadowed_by": ["budget"]}),
    *({"problem": "urn:gwc:problem:timeout"}, {"surprise": ""}),
]


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(access_log.schema())


def test_a_right_line_is_taken() -> None:
    VALIDATOR.validate(LINE)
    refused = {"upstream_ms": None, "attempts": 0, "cost": None, "limited_by": "upstream.concurrency", "status": 503}
    VALIDATOR.validate({**LINE, **refused, "problem": "overloaded"})


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_a_wrong_line_is_not(change: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid({**LINE, **change})


@pytest.mark.parametrize("name", access_log.FIELDS)
def test_every_field_is_required(name: str) -> None:
    assert not VALIDATOR.is_valid({key: value for key, value in LINE.items() if key != name})


def test_the_schema_has_the_words_of_the_code() -> None:
    schema = access_log.schema()
    assert tuple(schema["required"]) == tuple(schema["properties"]) == access_log.FIELDS
    assert schema["properties"]["problem"]["enum"] == ["", *PROBLEMS]
    for cause in access_log.CAUSES:
        VALIDATOR.validate({**LINE, "limited_by": cause})


@pytest.mark.parametrize("address", ["127.0.0.1", "::", "::1", "2001:db8::ff", "::ffff:192.0.2.1"])
def test_addresses(address: str) -> None:
    VALIDATOR.validate({**LINE, "client_ip": address})


def test_key_headers_are_those_of_all_levels() -> None:
    service = """\
apiVersion: gwc/v1
kind: Service
service: one
upstream: http://127.0.0.1:8000
limits: [{per: {header: X-Tenant}, rate: 1/s}, {per: ip, rate: 1/s}]
routes:
  - name: a
    path: /a
    methods: [GET]
    limits: [{per: {header: X-Plan}, rate: 1/s}, {per: {header: x-tenant}, rate: 2/s}]
"""
    platform = PLATFORM + "limits: [{per: {header: X-Region}, rate: 9/s}]\n"
    assert access_log.key_headers(gateway(service, platform=platform)) == ("x-plan", "x-region", "x-tenant")


def test_credential_headers_are_those_of_them_that_hold_credentials() -> None:
    limits = ", ".join(f"{{per: {{header: {name}}}, rate: 1/s}}" for name in ("Authorization", "X-API-Key", "X-Tenant"))
    platform = PLATFORM + (
        f"limits: [{limits}]\n"
        "identity: {api_key: {header: X-API-Key, consumers: [{name: one, secret: {env: ONE}}]}}\n"
    )
    service = (
        "apiVersion: gwc/v1\nkind: Service\nservice: one\nupstream: http://127.0.0.1:8000\n"
        "routes: [{name: a, path: /a, methods: [GET]}]\n"
    )
    assert access_log.credential_headers(gateway(service, platform=platform)) == ("authorization", "x-api-key")
