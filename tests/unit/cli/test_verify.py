"""gwc verify: the engines' word, and what is said when there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gwc.target import Artifact

from .conftest import Gwc, Project
from .fakes import FakeTarget, complain_about_first_route

NOW = "--now=2026-11-23"


def test_every_engine_accepts(gwc: Gwc, project: Project) -> None:
    result = gwc("verify", NOW)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [f"{name} (full): accepted by {name} 9.9" for name in ("alpha", "beta", "gamma")]
    assert not project.build.exists()


def test_a_complaint_comes_back_as_a_policy_line(gwc: Gwc, project: Project, targets: dict[str, FakeTarget]) -> None:
    targets["beta"].engine.complaints = complain_about_first_route
    result = gwc("verify", NOW)
    assert result.code == 1
    assert (
        "policies/shop.yaml:9:25: error GWC650 the engine refuses this route\n    9 |   - {name: goods," in result.out
    )
    assert "alpha (full): accepted by alpha 9.9\nbeta (full): refused by beta 9.9\n" in result.out
    assert result.out.endswith("gamma (full): accepted by gamma 9.9\n1 error\n")
    document = json.loads(gwc("verify", NOW, "--format", "json").out)
    assert [v["accepted"] for v in document["result"]["verdicts"]] == [True, False, True]


def test_a_missing_engine_is_an_environment_error(gwc: Gwc, project: Project, targets: dict[str, FakeTarget]) -> None:
    targets["beta"].engine.installed = False
    result = gwc("verify", NOW)
    assert result.code == 4
    assert (
        "gwc: beta: NO ENGINE HAS JUDGED THIS: there is no such binary; install it with pip install fake" in result.err
    )
    assert "beta (full): not judged" in result.out
    assert gwc("verify", NOW, "-t", "alpha").code == 0
    assert gwc("verify", NOW, "--format", "json").code == 4


def test_findings_weigh_more_than_a_missing_engine(gwc: Gwc, project: Project, targets: dict[str, FakeTarget]) -> None:
    targets["beta"].engine.installed = False
    targets["alpha"].engine.complaints = complain_about_first_route
    assert gwc("verify", NOW).code == 1


def test_a_judge_of_its_own_can_stand_in_and_says_so(
    gwc: Gwc, project: Project, targets: dict[str, FakeTarget]
) -> None:
    targets["gamma"].engine.installed = False
    result = gwc("verify", NOW)
    assert result.code == 0
    assert "gwc: gamma: NO ENGINE HAS JUDGED THIS" in result.err
    assert "gamma (full): accepted by its published schemas alone" in result.out


def test_secret_files_are_made_up(gwc: Gwc, project: Project, targets: dict[str, FakeTarget]) -> None:
    text = (project.path / "policies/platform.yaml").read_text()
    secret = "{header: X-Gateway-Secret, secret: {env: NOT_SET_ANYWHERE}}"
    project.write("platform.yaml", f"{text}identity: {{user_header: X-User-Id, gateway_secret: {secret}}}\n")
    seen: list[str] = []

    def look(directory: Path, artifact: Artifact) -> tuple[()]:
        seen.append((directory / "secrets/gateway.conf").read_text())
        return ()

    targets["alpha"].engine.complaints = look
    assert gwc("verify", NOW).code == 0
    assert seen[0].startswith('secret "placeholder-')


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [("owner:", "ownr:", 1), ("auth: none", "auth: none\ncors: {origins: ['https://a.example']}", 3)],
)
def test_what_does_not_compile_is_not_judged(gwc: Gwc, project: Project, old: str, new: str, code: int) -> None:
    project.replace("shop.yaml", old, new)
    result = gwc("verify", NOW)
    assert (result.code, "nothing judged" in result.out) == (code, True)
