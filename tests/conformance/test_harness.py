"""A judge that cannot find fault proves nothing: each expectation is shown to fail."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from conformance.client import Response
from conformance.harness import merged, refused, request_of
from conformance.judge import Names, Outcome, faults
from conformance.pace import EVEN, Pace
from conformance.scenario import (
    DUMMIES,
    SCENARIOS,
    Case,
    Expectation,
    Handshake,
    Match,
    Scenario,
    Slowness,
    Step,
    Tally,
    UpstreamExpectation,
    load,
    names,
)
from conformance.script import Script
from conformance.upstream import Seen
from gwc.features import FEATURES
from gwc.support import Fidelity

NAMES = Names("X-Request-ID", "X-User-Id", "https://errors.example.com/")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Response:
    fields = {"X-Request-ID": "0123456789abcdef", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return Response(status, list(fields.items()), body, True, 0.01, 0.02, [(0.02, len(body))])


def seen(attempt: int = 0, at: float = 0.0, **headers: str) -> Seen:
    fields = {
        "X-Request-ID": "0123456789abcdef",
        "traceparent": TRACE,
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    return Seen("A", attempt, "GET", "/x", "HTTP/1.1", tuple(fields.items()), b"abc", at)


def judged(expect: dict[str, Any], response: Response, *calls: Seen, request: str = "GET /x?q") -> list[str]:
    step = Step.model_validate({"request": request, "expect": expect})
    return list(faults(step, Outcome([response], calls, 1), NAMES))


def problem(**changed: object) -> Response:
    data = {
        "type": "https://errors.example.com/not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "Nothing is served at this address.",
        "instance": "/x",
        "request_id": "0123456789abcdef",
        **changed,
    }
    return answer(404, json.dumps(data).encode(), Content_Type="application/problem+json")


@pytest.mark.parametrize(
    ("expect", "response"),
    [
        ({"status": 200}, answer(503)),
        ({"status": [200, 201]}, answer(404)),
        ({"headers": {"X-A": "1"}}, answer(X_A="2")),
        ({"headers": {"X-A": "1"}}, answer()),
        ({"headers": {"X-A": None}}, answer(X_A="2")),
        ({"headers": {"X-A": {"matches": "[0-9]"}}}, answer(X_A="22")),
        ({"headers": {"X-A": {"lacks": "2"}}}, answer(X_A="22")),
        ({"headers": {"X-A": {"one_of": ["a", "b"]}}}, answer(X_A="c")),
        ({"headers": {"X-A": {"values": ["a", "b"]}}}, answer(X_A="a")),
        ({"body": "a"}, answer(body=b"b")),
        ({"body_matches": "^a"}, answer(body=b"ba")),
        ({"body_lacks": "a"}, answer(body=b"ba")),
        ({"body_length": 3}, answer(body=b"ba")),
        ({"json": {"a": 1}}, answer(body=b'{"a": 2}')),
        ({"json": {"a": 1}}, answer(body=b"no json")),
        ({"elapsed": [1, 2]}, answer()),
        ({"first_byte": [1, 2]}, answer()),
        ({"arrivals": {"a": [0, 0.01]}}, answer(body=b"a")),
        ({"arrivals": {"b": [0, 1]}}, answer(body=b"a")),
        ({"messages": ["a"]}, answer()),
        ({"cut": True}, answer()),
        ({}, replace(answer(), complete=False)),
        ({}, replace(answer(), surplus=b"HTTP/1.1 200 OK")),
        ({}, replace(answer(), headers=[])),
        ({}, answer(X_Request_ID="short")),
        ({}, answer(Server="engine/1.0")),
        ({}, answer(X_Envoy_Upstream_Service_Time="1")),
        ({"problem": "bad-gateway"}, problem()),
        ({"problem": "not-found"}, answer(404)),
        ({"problem": "not-found"}, problem(request_id="another-one")),
        ({"problem": "not-found"}, problem(instance="/y")),
        ({"problem": "not-found"}, problem(title="404")),
        ({"problem": "not-found"}, problem(status="404")),
        ({"problem": "not-found"}, problem(detail="upstream 127.0.0.1:80 refused")),
        ({"problem": "not-found"}, problem(extra="leak")),
        ({"upstream": {"calls": 1}}, answer()),
        ({"upstream": {"target": "/x"}}, answer()),
        ({"tally": {"status": {"200": 2}}}, answer()),
        ({"tally": {"ids": 2}}, answer()),
        ({"tally": {"bodies": 2}}, answer()),
        ({"tls": "TLSv1.3"}, replace(answer(), tls="TLSv1.2")),
        ({"tls": "refused"}, replace(answer(), tls="TLSv1.2")),
        ({"tls": None}, replace(answer(), tls="TLSv1.2")),
        ({"alpn": "h2"}, replace(answer(), alpn="http/1.1")),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_a_fault(expect: dict[str, Any], response: Response) -> None:
    assert judged(expect, response)


@pytest.mark.parametrize(
    ("expect", "call"),
    [
        ({"method": "POST"}, seen()),
        ({"target": "/y"}, seen()),
        ({"headers": {"X-A": "1"}}, seen(X_A="2")),
        ({"headers": {"X-A": None}}, seen(X_A="2")),
        ({"body_length": 4}, seen()),
        ({"instance": "B"}, seen()),
        ({"instance": ["B", "C"]}, seen()),
        ({"calls": [2, 3]}, seen()),
        ({"peak": 2}, seen()),
        ({"gaps": [[0, 1]]}, seen()),
        ({"mean_gap": [1, 2]}, seen()),
        ({}, seen(X_Request_ID="another-id-than-the-client")),
        ({}, seen(traceparent="garbage")),
        ({}, seen(x_envoy_internal="true")),
        ({}, seen(X_Consumer_Username="eve")),
    ],
)  # fmt: skip
def test_a_wrong_request_at_the_service_is_a_fault(expect: dict[str, Any], call: Seen) -> None:
    assert judged({"upstream": expect}, answer(), call)


@pytest.mark.parametrize("settle", [0, 0.1])
def test_only_what_follows_an_answer_has_an_id_of_its_own(settle: float) -> None:
    step = Step.model_validate({"request": "GET /x", "settle": settle, "expect": {}})
    found = list(faults(step, Outcome([answer()], [seen(X_Request_ID="id-of-the-renewal")], 1), NAMES))
    assert bool(found) is not bool(settle)
    assert list(faults(step, Outcome([answer()], [seen(X_Request_ID="short")], 1), NAMES))


@pytest.mark.parametrize(
    ("expected", "right"),
    [({"X-Envoy-Internal": "true"}, True), ({"X-Envoy-Internal": None}, False), ({"X-Envoy-Other": None}, False)],
)
def test_an_internal_header_only_arrives_where_a_step_says_so(expected: dict[str, Any], right: bool) -> None:
    found = judged({"upstream": {"headers": expected}}, answer(), seen(x_envoy_internal="true"))
    assert (found == []) is right


def test_what_is_right_is_no_fault() -> None:
    assert judged({"status": 404, "problem": "not-found", "upstream": {"calls": 0}}, problem()) == []
    expect = {"method": "GET", "target": "/x", "headers": {"X-A": "2", "X-B": None}, "body_length": 3, "instance": "A"}
    assert judged({"status": 200, "upstream": {"calls": 1, **expect}}, answer(), seen(X_A="2")) == []
    retried = {"calls": 2, "gaps": [[0.4, 0.6]], "mean_gap": [0.4, 0.6]}
    assert judged({"upstream": retried}, answer(), seen(), seen(1, 0.5)) == []


def test_tries_too_close_are_a_fault() -> None:
    assert judged({"upstream": {"gaps": [[0.4, 0.6]]}}, answer(), seen(), seen(1, 0.1))
    assert judged({"upstream": {"mean_gap": [0.4, 0.6]}}, answer(), seen(), seen(1, 0.1))


@pytest.mark.parametrize(
    "data",
    [
        {"name": "x", "proves": ["path"], "request": "GET /", "expect": {"stauts": 200}},
        {"name": "x", "proves": ["no-such-feature"], "request": "GET /", "expect": {}},
        {"name": "x", "proves": ["path"], "request": "GET /", "expect": {"problem": "no-such-type"}},
        {"name": "x", "proves": ["path"], "request": "GET /", "upstream": {"fail": "perhaps"}, "expect": {}},
        {"name": "x", "proves": ["path"], "steps": [], "unknown": 1},
        {"name": "x", "proves": ["path"], "steps": [{"request": "GET /"}]},
    ],
)
def test_a_mistake_in_a_scenario_is_an_error(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Case.model_validate(data)


def test_a_repeated_key_in_a_scenario_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("summary: a\nsummary: b\n", encoding="utf-8")
    with pytest.raises(ValueError, match="duplicate key"):
        load(path, DUMMIES)


def test_an_unknown_placeholder_in_a_scenario_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("summary: ${NOBODY}\n", encoding="utf-8")
    with pytest.raises(KeyError):
        load(path, DUMMIES)


def test_a_deviation_keeps_what_it_does_not_change() -> None:
    data = {
        "name": "x",
        "proves": ["path"],
        "request": "GET /",
        "expect": {"status": 200},
        "deviations": {"nginx/plain": {"feature": "path", "expect": {"status": 400}}},
    }
    case = Case.model_validate(data)
    assert [step.request for step in case.deviations["nginx/plain"].steps] == ["GET /"]
    assert case.deviations["nginx/plain"].steps[0].expect.status == 400


def test_only_unsupported_features_are_refused() -> None:
    case = Case.model_validate({"name": "x", "proves": ["path"], "needs": ["hosts"], "steps": []})
    assert refused(case, {"hosts": Fidelity.UNSUPPORTED}) == "hosts"
    assert refused(case, {"hosts": Fidelity.APPROXIMATE, "cors": Fidelity.UNSUPPORTED}) is None


def test_maps_merge_and_lists_replace() -> None:
    assert merged({"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"c": [2]}}) == {"a": {"b": 1, "c": [2]}, "d": 2}


@pytest.mark.parametrize("name", names())
def test_every_scenario_reads(name: str) -> None:
    scenario = load(SCENARIOS / f"{name}.yaml", DUMMIES)
    assert scenario.cases or name.startswith("observability/")  # policies for traffic that no case describes
    assert all(case.steps and set(case.proves) <= FEATURES.keys() for case in scenario.cases)


REFUSAL = {"Retry_After": "30"}


@pytest.mark.parametrize(
    ("expect", "response"),
    [
        ({"retry_after": [1, 60]}, answer(429)),
        ({"retry_after": [1, 29]}, answer(429, **REFUSAL)),
        ({"retry_after": [31, 60]}, answer(429, **REFUSAL)),
        ({"retry_after": [0, 60]}, answer(429, Retry_After="0")),
        ({"retry_after": [0, 60]}, answer(429, Retry_After="1.5")),
        ({"retry_after": [0, 60]}, answer(429, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT")),
        ({"renewal": 86400}, answer(429, Retry_After="90000")),
        ({"by_status": {"429": {"retry_after": [1, 29]}}}, answer(429, **REFUSAL)),
        ({"by_status": {"429": {"elapsed": [1, 2]}}}, answer(429)),
    ],
)
def test_a_wrong_refusal_is_a_fault(expect: dict[str, Any], response: Response) -> None:
    assert judged(expect, response)


def test_a_right_refusal_is_no_fault() -> None:
    left = str(round(86400 - time.time() % 86400))
    expect = {"retry_after": [30, 30], "by_status": {"429": {"retry_after": [30, 30]}, "200": {"elapsed": [1, 2]}}}
    assert judged(expect, answer(429, **REFUSAL)) == []
    assert judged({"renewal": 86400}, answer(429, Retry_After=left)) == []


def test_what_a_step_sends_is_filled_by_repetition() -> None:
    step = Step.model_validate(
        {"request": "GET /${n}", "headers": {"X-A": "a-${n}"}, "source": "127.0.1.${n}", "expect": {"status": 200}}
    )
    request = request_of(step, "key", 3)
    assert (request.target, request.source) == ("/3", "127.0.1.3")
    assert ("X-A", "a-3") in request.headers


def test_the_mark_of_a_case_is_sent_and_expected() -> None:
    data = {"request": "GET /${case}/${n}", "upstream": {"body": "${case}"}, "expect": {"body": "${case}"}}
    step = Step.model_validate(data).of_case("case-0123456789ab")
    assert request_of(step, "key", 3).target == "/case-0123456789ab/3"
    assert (step.upstream[0].body, step.expect.body) == ("case-0123456789ab", "case-0123456789ab")
    assert step.expect.cut is False


@pytest.mark.parametrize(
    "model", [Scenario, Case, Step, Script, Expectation, UpstreamExpectation, Tally, Match, Handshake, Slowness]
)
def test_the_format_is_documented(model: type[BaseModel]) -> None:
    page = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`([^`]+)`", page))))
    assert {field.alias or name for name, field in model.model_fields.items()} <= words


def test_a_machine_that_stands_still_is_noticed() -> None:
    pace = Pace()
    began = pace.now()
    time.sleep(0.05)
    sum(range(30_000_000))  # one call that lets no other thread run
    time.sleep(0.05)
    assert pace.worst(began) > EVEN
    assert pace.worst(time.monotonic() + 60) == 0
