"""`gwc test`: what it says, in every format, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema

from docs.blocks import REPOSITORY
from testing.trying import HEAD, PASSING, PLATFORM, SHOP, gwc, project

FAILING = f"""{HEAD}
tests:
  - name: nobody orders without a token
    request: POST /orders
    expect: {{status: 200, headers: {{X-Missing: here}}, receives: {{calls: 1}}}}
  - {{name: goods are there, request: GET /goods/1, expect: {{status: 200}}}}
"""


def test_what_holds_passes(tmp_path: Path) -> None:
    done = gwc(project(tmp_path, PASSING))
    assert (done.returncode, done.stderr) == (0, "")
    assert "passed   model  shop: two orders at once are a user's" in done.stdout
    assert "model: 2 passed in" in done.stdout


def test_what_does_not_hold_is_said_with_its_place(tmp_path: Path) -> None:
    done = gwc(project(tmp_path, FAILING))
    assert done.returncode == 1
    assert "FAILED   model  shop: nobody orders without a token" in done.stdout
    assert "policies/tests/shop.yaml:8:22: error GWC160" in done.stdout
    assert "status 401, expected 200" in done.stdout
    assert "model says 401 unauthorized (shop/orders)" in done.stdout
    assert "X-Missing is absent, expected 'here'" in done.stdout
    assert "the service was asked 0 times, expected 1" in done.stdout
    assert "model: 1 passed, 1 failed" in done.stdout


def test_the_same_for_programs(tmp_path: Path) -> None:
    report = json.loads(gwc(project(tmp_path, FAILING), "--format", "json", "--coverage").stdout)
    assert report["exit"] == 1
    assert [(test["engine"], test["state"]) for test in report["result"]["tests"]] == [
        ("model", "failed"), ("model", "passed"),
    ]  # fmt: skip
    assert {one["code"] for one in report["diagnostics"]} == {"GWC160"}
    assert report["result"]["coverage"]["services"]["shop"] == {"covered": 2, "items": 5}


@pytest.mark.parametrize("text", [PASSING, FAILING, HEAD + "tests: []\n", HEAD + 'tests: [{name: "\\u0007", x: 1}]\n'])
def test_junit_keeps_to_its_schema(text: str, tmp_path: Path) -> None:
    report = gwc(project(tmp_path, text), "--format", "junit").stdout
    xmlschema.XMLSchema(REPOSITORY / "schema/junit.xsd").validate(report)
    root = ElementTree.fromstring(report.encode())
    assert int(root.get("failures", "0")) == len(root.findall(".//failure"))
    assert int(root.get("tests", "0")) == len(root.findall(".//testcase"))


def test_coverage_says_what_no_test_exercises(tmp_path: Path) -> None:
    directory = project(tmp_path, PASSING)
    done = gwc(directory, "--coverage")
    assert done.returncode == 0
    assert "coverage: 80.0%" in done.stdout
    assert "shop: auth orders: no test has a request without good credentials" in done.stdout
    assert "cache goods" not in done.stdout
    assert gwc(directory, "--fail-under", "80").returncode == 0
    low = gwc(directory, "--fail-under", "80.5")
    assert low.returncode == 1
    assert "coverage 80.0% is below 80.5%" in low.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--engine", "envy"], 2, "did you mean `envoy`?"),
        (["--max-wait", "soon"], 2, "--max-wait: 'soon' is not a duration"),
        (["nowhere.yaml"], 2, "nowhere.yaml: No such file"),
        (["--fail-under", "101"], 2, "--fail-under"),
        (["--policies", "policies/keys"], 2, "holds no policies"),
        (["--env", "nowhere"], 2, "unknown environment"),
    ],
)
def test_wrong_words_are_usage(words: list[str], code: int, says: str, tmp_path: Path) -> None:
    done = gwc(project(tmp_path, PASSING), *words)
    assert done.returncode == code
    assert says in done.stderr


def test_no_tests_is_no_success(tmp_path: Path) -> None:
    (project(tmp_path, PASSING) / "policies/tests/shop.yaml").unlink()
    done = gwc(tmp_path)
    assert done.returncode == 2
    assert "docs/test.md shows how" in done.stderr


def test_an_engine_that_is_missing(tmp_path: Path) -> None:
    done = gwc(project(tmp_path, PASSING), "--engine", "envoy", GWC_ENVOY="/nowhere/envoy")
    assert done.returncode == 4
    assert "GWC_ENVOY" in done.stderr


def test_an_engine_that_is_missing_keeps_no_other_from_running(tmp_path: Path) -> None:
    done = gwc(project(tmp_path, PASSING), "--engine", "model", "--engine", "envoy", GWC_ENVOY="/nowhere/envoy")
    assert done.returncode == 4
    assert "model: 2 passed" in done.stdout
    assert "not run on envoy: GWC_ENVOY names /nowhere/envoy" in done.stderr


def test_the_model_needs_nothing_heavy(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "gwc", "test", "--now", "2026-11-23"]
    done = subprocess.run(
        command, cwd=project(tmp_path, PASSING), capture_output=True, text=True, check=True, timeout=60
    )
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "gwc.model.edge" in modules
    heavy = {"cryptography", "http.client", "http.server", "jinja2", "gwc_envoy", "gwc_nginx", "gwc_kong", "rich"}
    assert not modules & heavy


def test_what_a_gateway_cannot_express_ends_the_run(tmp_path: Path) -> None:
    """As it does when compiling."""
    platform = {**PLATFORM, "targets": {"nginx": {"profile": "plain"}}}
    done = gwc(project(tmp_path, PASSING, platform), "--engine", "nginx")
    assert done.returncode == 3, done.stdout
    assert "GWC601" in done.stdout


def test_a_wrong_policy_is_told_first(tmp_path: Path) -> None:
    directory = project(tmp_path, PASSING, shop={**SHOP, "budgte": {}})
    done = gwc(directory)
    assert done.returncode == 1
    assert "GWC102" in done.stdout
    assert "passed" not in done.stdout
