"""The upstream is a measuring instrument: what it says it does, it does."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from conformance.client import Conversation, Request, Response, converse, exchange, exchange_kept
from conformance.script import KEY_HEADER, SCRIPT_HEADER, Script, encode
from conformance.upstream import Upstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


def ask(upstream: Upstream, *scripts: Script, key: str = "k", method: str = "GET", **more: object) -> Response:
    headers = (("Host", "h"), (KEY_HEADER, key), (SCRIPT_HEADER, encode(scripts)))
    return exchange(("127.0.0.1", upstream.ports["A"]), Request(method, "//a/%2e/..?q=%zz", headers, **more))  # type: ignore[arg-type]


def test_echo_tells_the_raw_target_and_the_body(upstream: Upstream) -> None:
    response = ask(upstream, Script(), key="echo", method="POST", body=b"12345", chunked=True)
    echo = json.loads(response.body)
    assert response.complete
    assert (echo["method"], echo["target"], echo["body_length"]) == ("POST", "//a/%2e/..?q=%zz", 5)
    assert upstream.recorder.seen("echo")[0].body == b"12345"


def test_a_sequence_counts_by_key(upstream: Upstream) -> None:
    sequence = (Script(status=503), Script(status=502), Script())
    assert [ask(upstream, *sequence, key="seq").status for _ in range(4)] == [503, 502, 200, 200]
    assert [seen.attempt for seen in upstream.recorder.seen("seq")] == [0, 1, 2, 3]
    assert ask(upstream, *sequence, key="other").status == 503


def test_delay_and_trickle(upstream: Upstream) -> None:
    slow = ask(upstream, Script(delay=0.3))
    assert 0.28 < slow.first_byte < 1.5
    trickle = ask(upstream, Script(chunks=3, every=0.2))
    assert trickle.body == b"chunk 0\nchunk 1\nchunk 2\n"
    first, last = trickle.arrival("chunk 0"), trickle.arrival("chunk 2")
    assert first is not None and last is not None and first < 0.2 and 0.38 < last < 1.5


@pytest.mark.parametrize("failure", ["reset", "close", "garbage"])
def test_failures_before_an_answer(upstream: Upstream, failure: str) -> None:
    response = ask(upstream, Script(fail=failure))  # type: ignore[arg-type]
    assert (response.status, response.complete) == (0, False)


@pytest.mark.parametrize("failure", ["reset_mid", "close_mid"])
def test_failures_in_the_body(upstream: Upstream, failure: str) -> None:
    for shape in ({"size": 100}, {"chunks": 2}):
        response = ask(upstream, Script(fail=failure, **shape))  # type: ignore[arg-type]
        assert (response.status, response.complete) == (200, False)
        assert response.body


@pytest.mark.parametrize("shape", [{"size": 100}, {"chunks": 2}])
def test_a_connection_that_ends_with_its_answer(upstream: Upstream, shape: dict[str, int]) -> None:
    response = ask(upstream, Script(fail="close_after", **shape))  # type: ignore[arg-type]
    assert (response.status, response.complete) == (200, True)


def test_silence(upstream: Upstream) -> None:
    request = Request("GET", "/", (("Host", "h"), (SCRIPT_HEADER, encode([Script(fail="hang")]))))
    with pytest.raises(TimeoutError):
        exchange(("127.0.0.1", upstream.ports["A"]), request, limit=0.3)


def test_events_are_server_sent(upstream: Upstream) -> None:
    response = ask(upstream, Script(events=2, every=0.1))
    assert response.value("content-type") == "text/event-stream"
    assert response.body == b"data: event 0\n\ndata: event 1\n\n"


def test_head_has_no_body(upstream: Upstream) -> None:
    response = ask(upstream, Script(status=503, body="<h1>no</h1>"), method="HEAD")
    assert (response.status, response.body, response.complete) == (503, b"", True)


def test_a_connection_is_kept_until_the_service_closes_it(upstream: Upstream) -> None:
    sequence = (Script(size=9), Script(chunks=2), Script(fail="close_after"), Script())
    headers = (("Host", "h"), (KEY_HEADER, "kept"), (SCRIPT_HEADER, encode(sequence)))
    responses = exchange_kept(("127.0.0.1", upstream.ports["A"]), [Request("POST", "/", headers, b"abc")] * 5)
    assert [(response.status, response.complete, response.surplus) for response in responses] == [(200, True, b"")] * 5


def test_websocket_echoes(upstream: Upstream) -> None:
    request = Request("GET", "/ws", (("Host", "h"),))
    response = converse(("127.0.0.1", upstream.ports["A"]), request, Conversation(("one", "two")))
    assert (response.status, response.messages, response.complete) == (101, ["one", "two"], True)


def test_dead_ends(upstream: Upstream) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", upstream.ports["DEAD"]), 1)
    with pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", upstream.ports["BLACKHOLE"]), 0.3)
    slammed = exchange(("127.0.0.1", upstream.ports["SLAM"]), Request("GET", "/", (("Host", "h"),)))
    assert slammed.status == 0


def test_instances_tell_who_they_are(upstream: Upstream) -> None:
    for name in Upstream.INSTANCES:
        response = exchange(("127.0.0.1", upstream.ports[name]), Request("GET", "/", (("Host", "h"),)))
        assert response.value("x-instance") == name


def test_the_peak_counts_requests_in_flight(upstream: Upstream) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ask(upstream, Script(delay=0.3), key="peak"), range(4)))
    assert upstream.recorder.peak("peak") == 4


def test_a_mark_in_the_path_tells_whose_request_it_is(upstream: Upstream) -> None:
    mark, address = "case-0123456789ab", ("127.0.0.1", upstream.ports["A"])
    request = Request("GET", f"/x/{mark}?q", (("Host", "h"),))
    assert exchange(address, request).status == 200
    upstream.recorder.mark(mark, "marked", [Script(status=404), Script(status=410)])
    assert [exchange(address, request).status for _ in range(3)] == [404, 410, 410]
    assert ask(upstream, Script(status=201), key="own").status == 201
    assert (len(upstream.recorder.seen("marked")), len(upstream.recorder.seen("own"))) == (3, 1)
