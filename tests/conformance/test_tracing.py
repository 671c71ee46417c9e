"""The gateway's span is the root of its request's trace, or the child of a caller that may be believed; it reaches a
collector over OTLP, and a collector that is down costs nothing but spans."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from conformance.client import Request, Response, exchange
from conformance.conftest import skip_where_missing
from conformance.harness import Launched, Service, accepted_gateway, launched
from conformance.scenario import DUMMIES, SCENARIOS, load
from conformance.script import KEY_HEADER, SCRIPT_HEADER, Script, encode
from conformance.upstream import Seen
from conformance.variants import Variant, variants
from gwc.observability import tracing
from gwc.support import Fidelity
from otlp_collector import Collector, Span, report

KEY = "a-key-that-nobody-guesses-1"
TRUSTED = "127.0.99.1"
"""The address of a proxy whose traceparent and request id are kept."""

SPANS, SAMPLED = (SCENARIOS / f"observability/{name}.yaml" for name in ("spans", "sampled"))


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of a request: the answer, what the service saw, and the traceparent that it got."""

    response: Response
    seen: list[Seen]
    began: float

    @property
    def traceparent(self) -> list[str]:
        """version, trace id, parent id, flags"""
        return (self.seen[-1].value("traceparent") or "").split("-")


@dataclass(frozen=True, slots=True)
class Traced:
    """A gateway and the collector of its spans."""

    gateway: Launched
    collector: Collector

    def ask(
        self, target: str, *headers: tuple[str, str], source: str = "127.0.0.1", upstream: tuple[Script, ...] = ()
    ) -> Asked:
        key = uuid.uuid4().hex
        own = (("Host", "gateway.test"), (KEY_HEADER, key), (SCRIPT_HEADER, encode(upstream)))
        request, began = Request("GET", target, (*own, *headers), source=source), time.time()
        response = exchange(self.gateway.address, request)
        return Asked(response, self.gateway.upstream.recorder.seen(key), began)

    def span(self, asked: Asked) -> Span:
        """The only span of the request's trace."""
        (found,) = self.spans(asked.traceparent[1])
        return found

    def spans(self, trace: str) -> list[Span]:
        self.collector.wait(lambda: bool(self.collector.of_trace(trace)))
        return self.collector.of_trace(trace)

    def span_of_id(self, request_id: str) -> Span:
        """For a request that never reached the service."""

        def found() -> list[Span]:
            return [
                span for span in list(self.collector.spans) if span.attributes.get(tracing.REQUEST_ID) == request_id
            ]

        self.collector.wait(lambda: bool(found()))
        (span,) = found()
        return span


Start = Callable[[Any, Variant], Traced]


def _tracing(variant: Variant) -> bool:
    """Whether the target exports spans at all; the refusal of one that does not is a case of test_scenarios.py."""
    _, declared = accepted_gateway(load(SPANS, DUMMIES), variant, DUMMIES)
    return "GWC_CONFORMANCE_ANYWAY" in os.environ or declared.get("tracing") is not Fidelity.UNSUPPORTED


def _params() -> list[object]:
    return [
        pytest.param(v, id=v.name, marks=pytest.mark.xdist_group(f"tracing-{v.name}"))
        for v in variants()
        if _tracing(v)
    ]


pytestmark = pytest.mark.live
by_variant = pytest.mark.parametrize("variant", _params())


@pytest.fixture(scope="module")
def start(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """The gateway of a scenario on a variant, with a collector of its own; the next one takes its place."""
    current: dict[tuple[Any, str], Traced] = {}
    stack = contextlib.ExitStack()

    def started(path: Any, variant: Variant) -> Traced:
        if reason := variant.missing():
            pytest.skip(f"{variant.name} does not run here: {reason}")
        if (path, variant.name) not in current:
            current.clear()
            stack.close()
            collector = stack.enter_context(Collector())
            directory = tmp_path_factory.mktemp("traced")
            gateway = launched(path, variant, service, directory, {"COLLECTOR": collector.port})
            current[path, variant.name] = Traced(stack.enter_context(gateway), collector)
        return current[path, variant.name]

    yield started
    stack.close()


@by_variant
def test_the_span_of_a_request_is_the_root_of_its_trace(start: Start, variant: Variant) -> None:
    traced = start(SPANS, variant)
    asked = traced.ask("/ok/x?page=1", upstream=(Script(delay=0.3),))
    span = traced.span(asked)
    assert asked.traceparent == ["00", span.trace, span.id, "01"], "the service's parent is our span"
    assert (span.parent, span.kind, span.name) == ("", "SERVER", "GET main/ok")
    assert span.status != "ERROR"
    assert span.resource["service.name"] == tracing.RESOURCE_SERVICE_NAME
    assert {name: str(span.attributes[name]) for name in tracing.ATTRIBUTES} == {
        tracing.METHOD: "GET",
        tracing.PATH: "/ok/x",
        tracing.STATUS: "200",
        tracing.SERVER: "gateway.test",
        tracing.SERVICE: "main",
        tracing.ROUTE: "ok",
        tracing.REQUEST_ID: asked.response.value("x-request-id"),
    }
    assert abs(span.start - asked.began) < 0.25
    assert abs(span.end - span.start - asked.response.elapsed) < 0.25


@by_variant
def test_gateway_and_service_make_one_trace(start: Start, variant: Variant) -> None:
    traced = start(SPANS, variant)
    asked = traced.ask("/ok/x")
    address = f"http://127.0.0.1:{traced.collector.port}"
    child = report(address, "-".join(asked.traceparent), "the-service")
    trace = asked.traceparent[1]
    assert traced.collector.wait(lambda: len(traced.collector.of_trace(trace)) == 2)
    spans = {span.id: span for span in traced.collector.of_trace(trace)}
    (root,) = [span for span in spans.values() if span.parent not in spans]
    assert (root.parent, root.resource["service.name"], spans[child].parent) == ("", "gwc", root.id)


@by_variant
def test_a_trusted_caller_is_the_parent(start: Start, variant: Variant) -> None:
    traced = start(SPANS, variant)
    trace, caller = uuid.uuid4().hex, "00f067aa0ba902b7"
    asked = traced.ask("/ok/x", ("traceparent", f"00-{trace}-{caller}-01"), source=TRUSTED)
    (span,) = traced.spans(trace)
    assert span.parent == caller
    assert asked.traceparent == ["00", trace, span.id, "01"]


@by_variant
def test_what_a_trusted_caller_does_not_sample_has_no_span(start: Start, variant: Variant) -> None:
    traced = start(SPANS, variant)
    trace = uuid.uuid4().hex
    asked = traced.ask("/ok/x", ("traceparent", f"00-{trace}-00f067aa0ba902b7-00"), source=TRUSTED)
    assert (asked.traceparent[1], asked.traceparent[3]) == (trace, "00")
    traced.span(traced.ask("/ok/after"))
    assert traced.collector.of_trace(trace) == []


@by_variant
def test_anybody_else_s_trace_is_replaced(start: Start, variant: Variant) -> None:
    traced = start(SPANS, variant)
    trace = uuid.uuid4().hex
    asked = traced.ask("/ok/x", ("traceparent", f"00-{trace}-00f067aa0ba902b7-01"))
    assert asked.traceparent[1] != trace
    assert traced.span(asked).parent == ""
    assert traced.collector.of_trace(trace) == []


@by_variant
@pytest.mark.parametrize("status", [500, 503])
def test_a_failure_is_an_error(start: Start, variant: Variant, status: int) -> None:
    traced = start(SPANS, variant)
    span = traced.span(traced.ask("/ok/x", upstream=(Script(status=status),)))
    assert (span.status, str(span.attributes[tracing.STATUS])) == ("ERROR", str(status))


@by_variant
def test_what_the_gateway_answers_itself_has_a_span(start: Start, variant: Variant) -> None:
    traced = start(SPANS, variant)
    for target, status, name, at in (
        ("/nowhere", 404, "GET", ["", ""]),
        ("/who", 401, "GET main/who", ["main", "who"]),
    ):
        asked = traced.ask(target)
        assert asked.response.status == status
        span = traced.span_of_id(asked.response.value("x-request-id") or "")
        assert (span.name, span.kind, span.parent) == (name, "SERVER", "")
        assert (span.status != "ERROR", str(span.attributes[tracing.STATUS])) == (True, str(status))
        assert [span.attributes.get(part) or "" for part in (tracing.SERVICE, tracing.ROUTE)] == at


@by_variant
def test_all_tries_have_one_parent(start: Start, variant: Variant) -> None:
    traced = start(SPANS, variant)
    asked = traced.ask("/tried", upstream=(Script(status=503), Script(status=503), Script()))
    span = traced.span(asked)
    assert len(asked.seen) == 3
    assert {seen.value("traceparent") for seen in asked.seen} == {f"00-{span.trace}-{span.id}-01"}


@by_variant
def test_nothing_secret_is_in_a_span(start: Start, variant: Variant) -> None:
    traced = start(SPANS, variant)
    asked = traced.ask("/who?page=s3cret", ("X-API-Key", KEY), ("Cookie", "s3cret"), ("Authorization", "Bearer s3cret"))
    assert asked.response.status == 200
    assert traced.span(asked).attributes[tracing.PATH] == "/who"
    sent = b"".join(traced.collector.bodies)
    assert b"/who" in sent and b"s3cret" not in sent and KEY.encode() not in sent


@by_variant
def test_spans_come_in_batches(start: Start, variant: Variant) -> None:
    traced = start(SPANS, variant)
    exports = traced.collector.exports
    with ThreadPoolExecutor(4) as pool:
        traces = {asked.traceparent[1] for asked in pool.map(lambda _: traced.ask("/ok/batch"), range(100))}
    assert len(traces) == 100
    assert traced.collector.wait(lambda: traces <= {span.trace for span in list(traced.collector.spans)})
    assert traced.collector.exports - exports <= 50
    assert traced.collector.faults == []


@by_variant
def test_a_fifth_is_sampled_and_the_service_knows_which(start: Start, variant: Variant) -> None:
    traced = start(SAMPLED, variant)
    with ThreadPoolExecutor(4) as pool:
        parents = [asked.traceparent for asked in pool.map(lambda _: traced.ask("/ok/x"), range(400))]
    assert {parent[3] for parent in parents} == {"00", "01"}
    sampled = {parent[1] for parent in parents if parent[3] == "01"}
    assert 40 <= len(sampled) <= 125, "a fifth of 400 is 80, and within five standard deviations of it"
    assert traced.collector.wait(lambda: sampled <= {span.trace for span in list(traced.collector.spans)})
    assert {span.trace for span in traced.collector.spans} == sampled


@by_variant
def test_a_trusted_caller_s_sample_is_kept(start: Start, variant: Variant) -> None:
    traced = start(SAMPLED, variant)
    for _ in range(10):
        trace = uuid.uuid4().hex
        traced.ask("/ok/x", ("traceparent", f"00-{trace}-00f067aa0ba902b7-01"), source=TRUSTED)
        assert len(traced.spans(trace)) == 1


@by_variant
@pytest.mark.parametrize("mood", ["failing", "hanging"])
def test_a_collector_in_trouble_costs_nothing_but_spans(start: Start, variant: Variant, mood: Any) -> None:
    traced = start(SPANS, variant)
    traced.collector.mood = mood
    try:
        asked = [traced.ask("/ok/x") for _ in range(150)]
    finally:
        traced.collector.mood = "well"
    assert {one.response.status for one in asked} == {200}
    assert max(one.response.elapsed for one in asked) < 1.0
    later: set[str] = set()

    def recovered() -> bool:
        later.add(traced.ask("/ok/x").traceparent[1])
        return bool(later & {span.trace for span in list(traced.collector.spans)})

    assert traced.collector.wait(recovered, 40.0)


@by_variant
def test_a_collector_that_is_not_there_costs_nothing_but_spans(
    variant: Variant, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> None:
    skip_where_missing(variant)
    nobody = {"COLLECTOR": service.upstream.ports["DEAD"]}
    with launched(SPANS, variant, service, tmp_path_factory.mktemp("untraced"), nobody) as gateway:
        asked = [Traced(gateway, Collector()).ask("/ok/x") for _ in range(100)]
    assert {(one.response.status, one.traceparent[3]) for one in asked} == {(200, "01")}
    assert max(one.response.elapsed for one in asked) < 1.0
