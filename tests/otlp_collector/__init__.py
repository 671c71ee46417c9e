"""A collector of spans: OTLP over HTTP, as protobuf or as JSON, read strictly. It can also be down, in several ways."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

Value = str | int | float | bool | tuple["Value", ...]
Mood = Literal["well", "failing", "hanging"]
_HANG = 30.0  # seconds
_IDS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}


@dataclass(frozen=True, slots=True)
class Span:
    """Ids in hex; `parent` empty for a root. `kind` and `status` by their names in the protocol, times in seconds."""

    trace: str
    id: str
    parent: str
    name: str
    kind: str
    start: float
    end: float
    status: str
    attributes: Mapping[str, Value]
    resource: Mapping[str, Value]


@dataclass(slots=True)
class Collector:
    """`exports` counts the requests that came, `bodies` holds them; `faults` is what they had that they must not."""

    mood: Mood = "well"
    exports: int = 0
    spans: list[Span] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.server_address[1])

    def __enter__(self) -> Collector:
        handler = type("Handler", (_Handler,), {"collector": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads, self._server.block_on_close = True, False
        threading.Thread(target=self._server.serve_forever, name="collector", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def of_trace(self, trace: str) -> list[Span]:
        return [span for span in list(self.spans) if span.trace == trace]

    def wait(self, done: Callable[[], bool], limit: float = 15.0) -> bool:
        """Whether `done` became true in time: spans come in batches."""
        deadline = time.monotonic() + limit
        while not done() and time.monotonic() < deadline:
            time.sleep(0.05)
        return done()

    def take(self, path: str, kind: str, body: bytes) -> None:
        self.exports += 1
        self.bodies.append(body)
        if path != "/v1/traces":
            self.faults.append(f"asked for {path}")
        try:
            self.spans.extend(spans_of(read(kind, body)))
        except ValueError as error:
            self.faults.append(f"{kind}: {error}")


class _Handler(BaseHTTPRequestHandler):
    collector: Collector
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self._body()
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if self.collector.mood == "hanging":
            self.collector.exports += 1
            time.sleep(_HANG)
        if self.collector.mood != "well":
            self.collector.exports += 1
            self._answer(503, b"")
            return
        kind = (self.headers.get("Content-Type") or "").partition(";")[0]
        self.collector.take(self.path, kind, body)
        self._answer(200, b"{}" if kind == "application/json" else ExportTraceServiceResponse().SerializeToString())

    def _body(self) -> bytes:
        if "chunked" not in (self.headers.get("Transfer-Encoding") or "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", self.headers.get("Content-Type") or "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the tests look at what was collected."""


def read(kind: str, body: bytes) -> ExportTraceServiceRequest:
    """An export. ValueError for what is no OTLP: unknown keys of JSON, ids of a wrong length, another type."""
    if kind == "application/x-protobuf":
        message = ExportTraceServiceRequest()
        try:
            message.ParseFromString(body)
        except Exception as error:
            raise ValueError(f"no protobuf: {error}") from error
        return message
    if kind != "application/json":
        raise ValueError(f"the content type is {kind!r}")
    try:
        return json_format.ParseDict(_decoded(json.loads(body)), ExportTraceServiceRequest())
    except json_format.ParseError as error:
        raise ValueError(str(error)) from error


def _decoded(node: Any) -> Any:
    """OTLP writes ids in hex where protobuf's own JSON has base64."""
    if isinstance(node, list):
        return [_decoded(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {key: _id(key, value) if key in _IDS else _decoded(value) for key, value in node.items()}


def _id(key: str, value: object) -> str:
    if not isinstance(value, str) or len(value) not in (_IDS[key], 0):
        raise ValueError(f"{key} is {value!r}")
    return base64.b64encode(bytes.fromhex(value)).decode()


def spans_of(message: ExportTraceServiceRequest) -> Iterator[Span]:
    """ValueError for a span without ids or times."""
    for resource in message.resource_spans:
        for scope in resource.scope_spans:
            yield from (_span(resource, span) for span in scope.spans)


def _span(resource: ResourceSpans, span: Message) -> Span:
    if len(span.trace_id) != 16 or len(span.span_id) != 8 or len(span.parent_span_id) not in (0, 8):
        raise ValueError(f"ids of {len(span.trace_id)}, {len(span.span_id)} and {len(span.parent_span_id)} bytes")
    if not 0 < span.start_time_unix_nano <= span.end_time_unix_nano:
        raise ValueError("a span that ends before it begins")
    return Span(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex() if any(span.parent_span_id) else "",
        span.name,
        Message.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        span.start_time_unix_nano / 1e9,
        span.end_time_unix_nano / 1e9,
        type(span.status).StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        {one.key: _value(one.value) for one in span.attributes},
        {one.key: _value(one.value) for one in resource.resource.attributes},
    )


def _value(value: AnyValue) -> Value:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(map(_value, value.array_value.values))
    if kind not in ("string_value", "int_value", "bool_value", "double_value"):
        raise ValueError(f"an attribute that is {kind}")
    found: Value = getattr(value, kind)
    return found


def report(address: str, traceparent: str, name: str) -> str:
    """What a traced service does with a request that carries `traceparent`: a span of its own goes to the collector at
    `address`. Returns its id."""
    _, trace, parent, _ = traceparent.split("-")
    own, now = secrets.token_hex(8), time.time_ns()
    span = {"traceId": trace, "spanId": own, "parentSpanId": parent, "name": name, "kind": 2}
    span |= {"startTimeUnixNano": str(now - 1000), "endTimeUnixNano": str(now)}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": name}}]}
    body = json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}).encode()
    request = urllib.request.Request(f"{address}/v1/traces", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10):
        return own
