from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gwc.target import Artifact, EngineMissingError, OutputFile
from gwc_envoy import TARGET
from gwc_envoy.engine import redact
from gwc_envoy.judge import judge
from unit.envoy.policies import gateway


def test_a_variable_that_names_no_binary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GWC_ENVOY", str(tmp_path / "none"))
    with pytest.raises(EngineMissingError, match="GWC_ENVOY"):
        TARGET.engine.find("default")


def test_a_binary_that_is_no_envoy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GWC_ENVOY", "/bin/true")
    with pytest.raises(EngineMissingError, match="--version"):
        TARGET.engine.find("default")


@pytest.mark.parametrize(
    ("complaint", "shown"),
    [
        (
            '[2026][1][critical] error `x\n{secret} | caused by field: "engine_type", reason: is required)',
            "engine_type",
        ),
        ("route: unknown cluster 'a'\n{\"secret\": 1}", "unknown cluster"),
        ("", "no reason given"),
    ],
)
def test_a_complaint_is_shown_without_the_configuration(complaint: str, shown: str) -> None:
    assert shown in redact(complaint)
    assert "secret" not in redact(complaint)


def _broken(change: dict[str, str]) -> Artifact:
    artifact = TARGET.emit(gateway({"service": "a"}), "default")
    output = artifact.files["envoy.json"]
    text = output.text
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    return Artifact("envoy", "default", {"envoy.json": OutputFile(text, output.lines)})


@pytest.mark.live
def test_envoy_complains_at_a_line_of_the_policy(tmp_path: Path) -> None:
    try:
        binary = TARGET.engine.find("default")
    except EngineMissingError as missing:
        pytest.skip(str(missing))
    artifact = _broken({'"cluster": "a"': '"cluster": "nowhere"'})
    (tmp_path / "envoy.json").write_text(artifact.files["envoy.json"].text, encoding="utf-8")
    (found,) = TARGET.engine.verify(binary, tmp_path, artifact)
    assert found.code == "GWC603"
    assert found.span.file.endswith(".yaml")
    assert len(found.message) < 300


def test_a_misspelt_filter_is_found_although_envoy_accepts_it() -> None:
    artifact = _broken({'"gwc.max_body": {"@type"': '"gwc.max_bodi": {"@type"'})
    assert any("gwc.max_bodi" in found.message for found in judge(artifact))


def test_a_route_without_timeout_is_found() -> None:
    artifact = TARGET.emit(gateway({"service": "a"}), "default")
    text = artifact.files["envoy.json"].text
    data = json.loads(text)
    hosts = data["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]
    del hosts["virtual_hosts"][0]["routes"][2]["route"]["timeout"]
    broken = Artifact("envoy", "default", {"envoy.json": OutputFile(json.dumps(data, indent=1), {})})
    assert [found.code for found in judge(broken)] == ["GWC604"]


@pytest.mark.live
def test_a_missing_secret_keeps_envoy_from_starting(tmp_path: Path) -> None:
    try:
        binary = TARGET.engine.find("default")
    except EngineMissingError as missing:
        pytest.skip(str(missing))
    assert "GWC_TEST_ABSENT" not in os.environ
    secret = {"header": "X-Gateway-Secret", "secret": {"env": "GWC_TEST_ABSENT"}}
    given = gateway({"service": "a"}, identity={"user_header": "X-User-Id", "gateway_secret": secret})
    (tmp_path / "envoy.json").write_text(TARGET.emit(given, "default").files["envoy.json"].text, encoding="utf-8")
    with pytest.raises(RuntimeError, match="GWC_TEST_ABSENT"):
        TARGET.engine.launch(binary, tmp_path, {})
