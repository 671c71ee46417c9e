"""gwc compile --check: whether a build is what the policies say, without touching it."""

from __future__ import annotations

import json

import pytest

from .conftest import Gwc, Project
from .fakes import FakeTarget

NOW = "--now=2026-11-23"


def differences(gwc: Gwc, *options: str) -> list[tuple[str, str]]:
    result = gwc("compile", NOW, "--check", "--format", "json", *options)
    document = json.loads(result.out)
    assert document["exit"] == result.code == (1 if document["result"]["differences"] else 0)
    return [(d["file"], d["state"]) for d in document["result"]["differences"]]


def test_up_to_date(gwc: Gwc, project: Project) -> None:
    gwc("compile", NOW)
    result = gwc("compile", NOW, "--check")
    assert (result.code, result.out, result.err) == (0, "the build is up to date\n", "")


def test_the_day_alone_makes_nothing_stale(gwc: Gwc, project: Project) -> None:
    gwc("compile", "--now=2026-11-23")
    assert gwc("compile", "--now=2027-01-01", "--check").code == 0
    assert json.loads((project.build / "manifest.json").read_text())["now"] == "2026-11-23"


def test_without_a_build_everything_is_missing(gwc: Gwc, project: Project) -> None:
    found = differences(gwc)
    assert len(found) == 10
    assert {state for _, state in found} == {"missing"}
    assert not project.build.exists()


def test_names_each_stale_missing_and_extra_file(gwc: Gwc, project: Project, targets: dict[str, FakeTarget]) -> None:
    targets["alpha"].extra_files = {"more.conf": "x"}
    gwc("compile", NOW)
    targets["alpha"].extra_files = {}
    (project.build / "beta/routes.conf").write_text("edited")
    (project.build / "gamma/bin/start").unlink()
    before = project.tree()
    result = gwc("compile", NOW, "--check")
    assert result.code == 1
    assert result.out.splitlines() == [
        "build/alpha/more.conf: extra",
        "build/beta/routes.conf: stale",
        "build/gamma/bin/start: missing",
        "build/manifest.json: stale",
        "4 of the build's files differ; run gwc compile",
    ]
    assert project.tree() == before
    gwc("compile", NOW)
    assert differences(gwc) == []


def test_a_lost_executable_bit_is_stale(gwc: Gwc, project: Project) -> None:
    gwc("compile", NOW)
    (project.build / "beta/bin/start").chmod(0o644)
    assert differences(gwc) == [("beta/bin/start", "stale")]


def test_a_changed_policy_is_stale_even_with_the_same_output(gwc: Gwc, project: Project) -> None:
    gwc("compile", NOW)
    project.replace("shop.yaml", "owner: team-shop", "owner: team-shop    # paged by day")
    assert differences(gwc) == [("manifest.json", "stale")]
    project.replace("shop.yaml", "owner: team-shop ", "owner: team-store ")
    described = [(f"{target}/gateway.json", "stale") for target in ("alpha", "beta", "gamma")]
    assert differences(gwc) == [*described, ("manifest.json", "stale")]


def test_a_key_set_is_an_input(gwc: Gwc, project: Project) -> None:
    key = {"kty": "oct", "k": "AAAA", "kid": "1"}
    key = {"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "alg": "ES256"}
    key |= {"x": "GjYctPPfzbbeumjZCBJsx7s8gbK3Q1-eAUYtQcoYdu0", "y": "jRY6R6a6cGz5dI_zSPCtuEqB-rf0Y8aOdptwWQYJ1vU"}
    (project.path / "policies/keys").mkdir()
    project.write("keys/jwks.json", json.dumps({"keys": [key]}))
    text = (project.path / "policies/platform.yaml").read_text()
    jwt = '{issuer: "https://id.example.com/", audience: [shop], jwks: {file: keys/jwks.json}, algorithms: [ES256]}'
    project.write("platform.yaml", f"{text}identity: {{user_header: X-User-Id, jwt: {jwt}}}\n")
    project.replace("shop.yaml", "auth: none", "auth: {any_of: [jwt]}")
    assert gwc("compile", NOW).code == 0
    inputs = json.loads((project.build / "manifest.json").read_text())["inputs"]
    assert set(inputs) == {"platform.yaml", "shop.yaml", "keys/jwks.json"}
    project.write("keys/jwks.json", json.dumps({"keys": [{**key, "kid": "2"}]}))
    assert ("manifest.json", "stale") in differences(gwc)


def test_a_broken_manifest_is_stale(gwc: Gwc, project: Project) -> None:
    gwc("compile", NOW)
    (project.build / "manifest.json").write_text("{}")
    assert differences(gwc) == [("manifest.json", "stale")]


@pytest.mark.parametrize("other", [["--with-secrets"], ["--emit", "ir"]])
def test_contradictions_are_usage_errors(gwc: Gwc, project: Project, other: list[str]) -> None:
    assert gwc("compile", "--check", *other).code == 2
