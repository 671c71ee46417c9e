"""The collector stub reads both encodings of OTLP, and refuses what is neither."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request

import pytest

from otlp_collector import Collector, read, spans_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
WRITTEN = {
    "traceId": TRACE,
    "spanId": SPAN,
    "name": "GET shop/goods",
    "kind": 2,
    "startTimeUnixNano": "1764000000000000000",
    "endTimeUnixNano": "1764000000500000000",
    "attributes": [
        {"key": "http.response.status_code", "value": {"intValue": "503"}},
        {"key": "url.path", "value": {"stringValue": "/goods"}},
    ],
    "status": {"code": 2},
}


def export(**changes: object) -> bytes:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "gwc"}}]}
    spans = [{**WRITTEN, **changes}]
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).encode()


def send(collector: Collector, body: bytes, kind: str, **headers: str) -> int:
    address = f"http://127.0.0.1:{collector.port}/v1/traces"
    request = urllib.request.Request(address, body, {"Content-Type": kind, **headers})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_json_and_protobuf_are_the_same_span() -> None:
    message = read("application/json", export())
    (span,) = spans_of(message)
    assert [span] == list(spans_of(read("application/x-protobuf", message.SerializeToString())))
    assert (span.trace, span.id, span.parent, span.kind, span.status) == (TRACE, SPAN, "", "SERVER", "ERROR")
    assert span.attributes == {"http.response.status_code": 503, "url.path": "/goods"}
    assert span.resource == {"service.name": "gwc"}
    assert span.end - span.start == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    "change", [{"traceId": "00"}, {"spanId": ""}, {"endTimeUnixNano": "1"}, {"surprise": 1}, {"kind": "NO"}], ids=str
)
def test_what_is_no_span_is_a_fault(change: dict[str, object]) -> None:
    with Collector() as collector:
        assert send(collector, export(**change), "application/json") == 200
        assert (len(collector.faults), collector.spans) == (1, [])


def test_over_http() -> None:
    with Collector() as collector:
        assert send(collector, export(), "application/json; charset=utf-8") == 200
        assert send(collector, gzip.compress(export()), "application/json", **{"Content-Encoding": "gzip"}) == 200
        assert (len(collector.spans), collector.exports, collector.faults) == (2, 2, [])
        assert send(collector, b"x", "text/plain") == 200
        assert collector.faults == ["text/plain: the content type is 'text/plain'"]
        collector.mood = "failing"
        assert send(collector, export(), "application/json") == 503
        assert len(collector.of_trace(TRACE)) == 2
