"""Every expectation can fail, and does so at its own place; what the model cannot tell is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from testing.trying import gwc, project

RIGHT: dict[str, Any] = {
    "status": 200,
    "statuses": {"200": 3},
    "headers": {"Content-Type": "application/json", "X-Gone": {"present": False}, "Link": {"matches": "<.*>"}},
    "body": {"equals": "hello", "lacks": "x"},
    "cache": "none",
    "problem": "none",
    "route": "orders",
    "receives": {
        "calls": [3, 3], "method": "POST", "path": "/orders", "query": "a=1",
        "headers": {"X-User-Id": "ann", "X-Proof": {"present": True}, "X-API-Key": {"present": False}},
    },
}  # fmt: skip
WRONG: dict[str, Any] = {
    "status": {"status": [201, 429]},
    "statuses.200": {"statuses": {"200": 2}},
    "statuses": {"statuses": {"201": 0}},
    "statuses.200 above": {"statuses": {"200": [0, 2]}},
    "headers.Content-Type": {"headers": {"Content-Type": "text/html"}},
    "headers.Link": {"headers": {"Link": {"present": False}}},
    "headers.Link lacks": {"headers": {"Link": {"lacks": "a"}}},
    "headers.Link matches": {"headers": {"Link": {"matches": "<"}}},
    "headers.X-Gone": {"headers": {"X-Gone": {"present": True}}},
    "headers.X-Gone equals": {"headers": {"X-Gone": ""}},
    "body": {"body": "bye"},
    "cache": {"cache": "HIT"},
    "problem": {"problem": "unauthorized"},
    "limited_by": {"limited_by": "budget"},
    "route": {"route": "none"},
    "receives": {"receives": "none"},
    "receives.calls": {"receives": {"calls": 1}},
    "receives.method": {"receives": {"method": "GET"}},
    "receives.path": {"receives": {"path": {"matches": "/v1.*"}}},
    "receives.query": {"receives": {"query": {"present": False}}},
    "receives.headers.X-User-Id": {"receives": {"headers": {"X-User-Id": "bob"}}},
}


def written(expect: dict[str, Any]) -> str:
    answer = {"body": "hello", "headers": {"Link": "</a>; rel=<next>"}}
    case = {"name": "x", "request": "POST /orders?a=1", "user": {"name": "ann"}, "client": "192.0.2.${n}", "repeat": 3}
    case |= {"answer": answer, "expect": expect}
    tests = {"apiVersion": "gwc/v1", "kind": "Tests", "service": "shop", "tests": [case]}
    return json.dumps(tests, indent=1)


UNLIMITED: dict[str, Any] = {
    "apiVersion": "gwc/v1", "kind": "Service", "service": "shop", "upstream": "http://127.0.0.1:1",
    "routes": [{"name": "orders", "path": "/orders", "methods": ["POST"], "auth": {"any_of": ["jwt", "api_key"]}}],
}  # fmt: skip


def found(directory: Path, expect: dict[str, Any]) -> list[dict[str, Any]]:
    done = gwc(project(directory, written(expect), shop=UNLIMITED), "--format", "json")
    diagnostics: list[dict[str, Any]] = json.loads(done.stdout)["diagnostics"]
    assert (done.returncode == 1) is any(one["severity"] == "error" for one in diagnostics)
    return diagnostics


def test_what_is_right_passes(tmp_path: Path) -> None:
    assert found(tmp_path, RIGHT) == []


@pytest.mark.parametrize("what", WRONG)
def test_each_expectation_fails_at_its_place(what: str, tmp_path: Path) -> None:
    text, diagnostics = written(WRONG[what]), found(tmp_path, WRONG[what])
    assert {one["code"] for one in diagnostics} == {"GWC160"}
    key = what.partition(" ")[0].rpartition(".")[2]
    at = text[: text.index(f'"{key}":', text.index('"expect"'))].count("\n") + 1
    assert {one["line"] for one in diagnostics} <= {at, at + 1}
    assert "model says" in diagnostics[0]["hint"]


@pytest.mark.parametrize("name", ["Date", "Server", "Content-Length"])
def test_what_is_the_engines_own_the_model_does_not_tell(name: str, tmp_path: Path) -> None:
    done = gwc(project(tmp_path, written({"headers": {name: {"present": True}}}), shop=UNLIMITED), "--format", "json")
    (only,) = json.loads(done.stdout)["diagnostics"]
    assert (only["code"], only["severity"]) == ("GWC162", "warning")
    assert f"the model does not tell {name}" in only["message"]
    assert (done.returncode, done.stderr) == (1, "gwc: no test ran on model\n")


def test_an_error_has_its_problem_and_its_limit(tmp_path: Path) -> None:
    limited = {**UNLIMITED, "limits": [{"per": "service", "rate": "1/hour"}]}
    expect = {"statuses": {"200": 1, "429": 2}, "limited_by": "service/shop/0"}
    done = gwc(project(tmp_path, written(expect), shop=limited), "--format", "json")
    (only,) = json.loads(done.stdout)["diagnostics"]
    assert "repetition 1: limited by nothing, expected service/shop/0" in only["message"]
