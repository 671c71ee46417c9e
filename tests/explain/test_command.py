"""`gwc explain` as people and programs see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from explain.test_explain import ANYWHERE, PLATFORM, SHOP
from gwc.cli import explaining, run

ACCEPTING = "targets: {kong: {accept: [auth.jwt.jwks_url]}, nginx: {accept: [auth.jwt.jwks_url]}}\n"


@pytest.fixture
def policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "policies"
    place.mkdir()
    for name, text in (("platform", PLATFORM + ACCEPTING), ("shop", SHOP), ("files", ANYWHERE)):
        (place / f"{name}.yaml").write_text(text, encoding="utf-8")
    return place


@pytest.mark.usefixtures("policies")
def test_people_read_the_way_of_a_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "GET /shop/items/1", "--host", "shop.example.com", "--user", "alice", "-t", "nginx"]) == 0
    out = capsys.readouterr().out
    assert "is answered by shop/item: /shop/items/{id}" in out
    assert "policies/shop.yaml:12" in out
    assert "Checks, in this order, for alice" in out
    assert "At worst: 3250ms, 3 tries" in out
    assert "nginx/admin.conf:" in out
    assert "\x1b" not in out
    assert all(line == line.rstrip() for line in out.splitlines())


def test_what_is_forwarded_is_without_the_base_path(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = policies / "shop.yaml"
    shop.write_text(SHOP.replace("base_path: /shop\n", "base_path: /shop\nkeep_base_path: true\n"), encoding="utf-8")
    asked = ["explain", "GET https://shop.example.com/shop//items/1"]
    assert run(asked) == 0
    out = capsys.readouterr().out
    assert "the path is matched as /shop/items/1\n  the service gets the path /shop/items/1\n" in out
    shop.write_text(SHOP, encoding="utf-8")
    assert run(asked) == 0
    assert "the service gets the path /items/1\n" in capsys.readouterr().out
    assert run(["explain", "GET /shop//nothing"]) == 0
    assert "the service gets" not in capsys.readouterr().out


@pytest.mark.usefixtures("policies")
def test_programs_read_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["explain", "GET https://shop.example.com/shop/items/1", "--format", "json", "-t", "kong"]
    assert run(asked) == 0
    said = json.loads(capsys.readouterr().out)["result"]
    assert said["route"] == {
        "service": "shop", "route": "item", "owner": "", "path": "/shop/items/{id}",
        "level": "route", "file": "policies/shop.yaml", "line": 12,
    }  # fmt: skip
    assert (said["worst_case"]["tries"], said["worst_case"]["seconds"]) == (3, 3.25)
    traced = {one["field"]: one["lines"] for one in said["rendered"]["kong"]}
    assert {line["file"] for line in traced["timeouts.connect"]} == {"kong/kong.yml"}


@pytest.mark.usefixtures("policies")
def test_what_nobody_answers_is_explained_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "DELETE /shop/items/1", "--host", "shop.example.com"]) == 0
    out = capsys.readouterr().out
    assert "405 Method Not Allowed, type method-not-allowed" in out
    assert "Allow: GET, PATCH" in out
    assert run(["explain", "GET /shop/items%2F1"]) == 0
    assert "400 Bad Request" in capsys.readouterr().out


@pytest.mark.usefixtures("policies")
def test_a_header_that_a_policy_sets_is_named_and_not_quoted(
    policies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = policies / "shop.yaml"
    shop.write_text(SHOP + "headers: {request: {set: {X-Inner: hunter2hunter2}}}\n", encoding="utf-8")
    assert run(["explain", "POST /shop/orders"]) == 0
    out = capsys.readouterr().out
    assert "headers.request.set" in out
    assert "hunter2" not in out


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize("target", ["envoy", "nginx", "kong"])
def test_no_line_shows_the_value_of_a_header_that_is_set(
    policies: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = policies / "shop.yaml"
    headers = 'headers: {request: {set: {X-Inner: hunter2}}, response: {set: {X-Outer: "hunter\'3"}}}'
    route = f"  - {{name: flow, path: /flow, methods: [GET], auth: none, {headers}}}\n"
    shop.write_text(SHOP + route, encoding="utf-8")
    assert run(["explain", "GET /shop/flow", "-t", target]) == 0
    out = capsys.readouterr().out
    assert "X-Inner: *******" in out
    assert "hunter" not in out


def test_a_gateway_that_cannot_express_the_policies_is_told(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (policies / "platform.yaml").write_text(PLATFORM, encoding="utf-8")
    assert run(["explain", "POST /shop/orders", "-t", "kong"]) == 3
    out, err = capsys.readouterr()
    assert "kong unsupported auth.jwt.jwks_url (not accepted)" in out
    assert "gwc compile says why" in err


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize("asked", ["shop/items", "GET", "GET /x --host"])
def test_what_is_no_request_is_a_usage_error(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", asked]) == 2
    assert 'write it as in "POST /v1/ask"' in capsys.readouterr().err


@pytest.mark.usefixtures("policies")
def test_a_broken_policy_is_a_finding(policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (policies / "shop.yaml").write_text(SHOP.replace("60/min", "60/fortnight"), encoding="utf-8")
    assert run(["explain", "POST /shop/orders"]) == 1
    assert "policies/shop.yaml:7" in capsys.readouterr().out


@pytest.mark.usefixtures("policies")
def test_of_a_large_platform_the_service_alone_is_rendered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["explain", "GET /shop/items/1", "--host", "shop.example.com", "-t", "nginx", "--format", "json"]
    assert run(asked) == 0
    whole = json.loads(capsys.readouterr().out)["result"]
    monkeypatch.setattr(explaining, "MOST_SERVICES", 1)
    assert run(asked) == 0
    alone = json.loads(capsys.readouterr().out)["result"]
    assert (whole["rendered_alone"], alone["rendered_alone"]) == (False, True)
    assert whole["values"] == alone["values"]
    assert [one["field"] for one in whole["rendered"]["nginx"]] == [one["field"] for one in alone["rendered"]["nginx"]]
    assert run(asked[:-2]) == 0
    assert "Where nginx has it, rendered for this service alone" in capsys.readouterr().out
