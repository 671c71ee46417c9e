"""Each kind of wrong policy: the right code, line and column, exit 1, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gwc.cli import run

from .wrong_policies import CASES, MARK, Wrong


def _unmarked(text: str) -> tuple[str, tuple[int, int] | None]:
    before, mark, after = text.partition(MARK)
    position = (before.count("\n") + 1, len(before) - before.rfind("\n")) if mark else None
    return before + after, position


def _write(case: Wrong, directory: Path) -> dict[str, tuple[int, int] | None]:
    """Writes the policies; returns the marked position of each file."""
    texts = {"service.yaml": case.service, "platform.yaml": case.platform}
    texts |= {f"a-other-{index}.yaml": text for index, text in enumerate(case.others)}
    positions = {}
    for name, text in texts.items():
        clean, positions[name] = _unmarked(text)
        if name != "platform.yaml" or text:
            (directory / name).write_text(clean, encoding="utf-8")
    return positions


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_wrong_policy(
    case: Wrong, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    policies = tmp_path / "policies"
    policies.mkdir()
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "sentinel").write_text("untouched")
    positions = _write(case, policies)

    exit_code = run(["compile", "--format", "json", "--now", "2026-11-23"])

    captured = capsys.readouterr()
    found = [d for d in json.loads(captured.out)["diagnostics"] if d["code"] == case.code and case.says in d["message"]]
    assert found, captured.out
    marked = {(f"policies/{name}", *position) for name, position in positions.items() if position}
    if marked:
        assert marked & {(d["file"], d["line"], d["column"]) for d in found}, found
    assert exit_code == 1
    assert "Traceback" not in captured.out + captured.err
    assert [p.name for p in (tmp_path / "build").iterdir()] == ["sentinel"]


SECRETS = [case for case in CASES if case.code == "GWC109"]


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize("case", SECRETS, ids=[case.name for case in SECRETS])
def test_no_report_repeats_a_secret(
    case: Wrong, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    _write(case, tmp_path / "policies")
    assert run(["compile", "--format", output]) == 1
    captured = capsys.readouterr()
    assert "GWC109" in captured.out
    assert "hunter" not in captured.out + captured.err


def test_a_secret_over_several_lines_is_not_repeated_by_another_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "p.yaml").write_text(
        "apiVersion: gwc/v1\nkind: Platform\nowner: [wrong]\n"
        "rate_limit_store: {redis: 1, on_failure: x, password: 'hunter-2\n  hunter-3', service: 2}\n"
    )
    assert run(["compile"]) == 1
    captured = capsys.readouterr().out
    assert captured.count("GWC") >= 4
    assert "hunter" not in captured


def test_every_kind_is_covered() -> None:
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)


def test_several_faults_are_reported_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    first = CASES[0].service
    (tmp_path / "policies" / "a.yaml").write_text(_unmarked(first)[0])
    (tmp_path / "policies" / "b.yaml").write_text("apiVersion: gwc/v1\nkind: Service\ntimeouts: {request: 10}\nx: 1\n")
    assert run(["compile", "--format", "json"]) == 1
    codes = {d["code"] for d in json.loads(capsys.readouterr().out)["diagnostics"]}
    assert {"GWC001", "GWC101", "GWC102", "GWC105"} <= codes
