"""What is wrong with a file of tests is said with its place, and with what to write instead."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from compiling import POLICIES
from gwc.diagnostics import Report
from gwc.document import parse
from gwc.source import Source
from gwc.testing.schema import json_schema
from testing.trying import HEAD, PASSING, gwc, project

SCHEMA = jsonschema.Draft202012Validator(json_schema())


def first(text: str) -> str:
    return f"{HEAD}tests:\n  - {text}\n"


WRONG = {
    "a key that is not there": (
        first("{name: x, request: GET /goods/1, expext: {status: 200}}"), 5, 38, "GWC102", "did you mean `expect`?",
    ),
    "a key in the wrong place": (
        first("{name: x, request: GET /goods/1, cache: HIT, expect: {status: 200}}"), 5, 38, "GWC102",
        "`cache` is a key of `expect`",
    ),
    "no expectation": (first("{name: x, request: GET /goods/1}"), 5, 5, "GWC108", "write both, or a list of steps"),
    "an empty expectation": (
        first("{name: x, request: GET /goods/1, expect: {}}"), 5, 38, "GWC108", "at least a status",
    ),
    "an expectation of no header": (
        first("{name: x, request: GET /goods/1, expect: {headers: {}}}"), 5, 38, "GWC108", "at least a status",
    ),
    "a range from more to less": (
        first("{name: x, request: GET /goods/1, expect: {statuses: {'200': [5, 1]}}}"), 5, 58, "GWC108", "lower",
    ),
    "what a request that never arrives has": (
        first("{name: x, request: GET /goods/1, expect: {receives: {calls: 0, path: /goods/2}}}"), 5, 47, "GWC108",
        "or expect calls",
    ),
    "no path": (first("{name: x, request: GET goods, expect: {status: 200}}"), 5, 24, "GWC107", ""),
    "a word for a status": (first("{name: x, request: GET /goods/1, expect: {status: ok}}"), 5, 55, "GWC103", ""),
    "no duration": (first("{name: x, request: GET /goods/1, at: 61, expect: {status: 200}}"), 5, 42, "GWC105", "10s"),
    "a problem that nobody has": (
        first("{name: x, request: GET /goods/1, expect: {problem: rate-limit}}"), 5, 56, "GWC104", "rate-limited",
    ),
    "a wrong pattern": (
        first("{name: x, request: GET /goods/1, expect: {headers: {ETag: {matches: '('}}}}"), 5, 73, "GWC107", "",
    ),
    "a step beside steps": (
        first("{name: x, repeat: 2, steps: [{request: GET /goods/1, expect: {status: 200}}]}"), 5, 5, "GWC108", "step",
    ),
    "two clocks": (
        first("{name: x, at: 1s, wait: 1s, request: GET /goods/1, expect: {status: 200}}"), 5, 5, "GWC108", "keep one",
    ),
    "two tests of one name": (
        HEAD + "tests:\n" + 2 * "  - {name: x, request: GET /goods/1, expect: {status: 200}}\n", 4, 1, "GWC108",
        "its own",
    ),
    "a route that is not there": (
        first("{name: x, request: GET /goods/1, expect: {route: good}}"), 5, 54, "GWC150", "did you mean `shop/goods`?",
    ),
    "a limit that is not there": (
        first("{name: x, request: GET /goods/1, expect: {limited_by: route/shop/orders/1}}"), 5, 59, "GWC150",
        "did you mean `route/shop/orders/0`?",
    ),
    "a consumer that is not there": (
        first("{name: x, api_key: ap, request: GET /goods/1, expect: {status: 200}}"), 5, 24, "GWC150", "app",
    ),
    "an issuer that is not there": (
        first("{name: x, user: {name: a, issuer: x}, request: GET /goods/1, expect: {status: 200}}"), 5, 15, "GWC150",
        "known: https://id.example.com/",
    ),
    "a gateway that is not there": (
        first("{name: x, not_on: {envoi: cache}, request: GET /goods/1, expect: {status: 200}}"), 5, 31, "GWC150",
        "did you mean `envoy`?",
    ),
    "a feature that is not there": (
        first("{name: x, not_on: {envoy: cach}, request: GET /goods/1, expect: {status: 200}}"), 5, 31, "GWC150",
        "did you mean `cache`?",
    ),
    "no address": (
        first("{name: x, client: '1.2.3.4.5', request: GET /goods/1, expect: {status: 200}}"), 5, 23, "GWC152", "",
    ),
    "a service that is not there": (
        PASSING.replace("service: shop", "service: shoop"), 3, 10, "GWC150", "did you mean `shop`?",
    ),
    "times that go back": (
        first("name: x\n    steps:\n      - {at: 2s, request: GET /goods/1, expect: {status: 200}}\n"
              "      - {at: 1s, request: GET /goods/1, expect: {status: 200}}"), 8, 14, "GWC151",
        "order of their times",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_has_its_place(what: str, tmp_path: Path) -> None:
    text, line, column, code, hint = WRONG[what]
    done = gwc(project(tmp_path, text), "--format", "json")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)["diagnostics"]
    assert [(one["line"], one["column"], one["code"]) for one in found[:1]] == [(line, column, code)], found
    assert hint in found[0]["hint"] + found[0]["message"]


def test_a_time_that_has_passed_is_said(tmp_path: Path) -> None:
    text = first(
        "name: x\n    steps:\n      - {request: GET /goods/1, answer: {delay: 5s}, repeat: 2, expect: {status: 200}}\n"
        "      - {at: 1s, request: GET /goods/2, expect: {status: 200}}"
    )
    done = gwc(project(tmp_path, text))
    assert done.returncode == 1
    assert "GWC151" in done.stdout


def test_compile_knows_tests_when_it_sees_them(tmp_path: Path) -> None:
    import subprocess
    import sys

    project(tmp_path, PASSING)
    command = [sys.executable, "-m", "gwc", "compile", "--policies", "policies/tests"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "gwc test runs them" in done.stdout


@pytest.mark.parametrize("file", sorted((POLICIES / "tests").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_examples_keep_to_the_schema(file: Path) -> None:
    assert [error.message for error in SCHEMA.iter_errors(data(file.read_text(encoding="utf-8")))] == []


@pytest.mark.parametrize("what", [name for name, wrong in WRONG.items() if wrong[3] in ("GWC102", "GWC103", "GWC104")])
def test_the_schema_finds_what_the_loader_finds(what: str) -> None:
    assert not SCHEMA.is_valid(data(WRONG[what][0]))


def data(text: str) -> dict[str, object]:
    document = parse(Source("tests.yaml", text), Report())
    assert document is not None
    return document.data()
