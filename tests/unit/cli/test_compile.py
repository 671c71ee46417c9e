"""gwc compile: what is written, when, and what is said."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from gwc.diagnostics import Diagnostic, Severity, Span

from .conftest import Gwc, Project
from .fakes import FakeTarget

NOW = "--now=2026-11-23"


def test_writes_every_target_and_a_manifest(gwc: Gwc, project: Project) -> None:
    result = gwc("compile", NOW)
    assert (result.code, result.err) == (0, "")
    assert (
        result.out
        == "1 service, 2 routes compiled for alpha, beta, gamma into build: 10 written, 0 unchanged, 0 removed\n"
    )
    assert (project.build / "alpha/routes.conf").read_text() == "shop/goods\nshop/order\n"
    assert (project.build / "beta/bin/start").stat().st_mode & stat.S_IXUSR
    assert not (project.build / "beta/routes.conf").stat().st_mode & stat.S_IXUSR
    assert set(project.tree()) == {"manifest.json"} | {
        f"{t}/{f}" for t in ("alpha", "beta", "gamma") for f in ("routes.conf", "bin/start", "gateway.json")
    }


def test_a_second_run_changes_nothing(gwc: Gwc, project: Project) -> None:
    gwc("compile", NOW)
    before = project.tree()
    times = {path: path.stat().st_mtime_ns for path in project.build.rglob("*")}
    result = gwc("compile", NOW)
    assert project.tree() == before
    assert {path: path.stat().st_mtime_ns for path in project.build.rglob("*")} == times
    assert "0 written, 10 unchanged, 0 removed" in result.out


def test_the_same_policies_elsewhere_give_the_same_bytes(
    gwc: Gwc, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    gwc("compile", NOW)
    before = project.tree()
    elsewhere = project.path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    gwc("compile", NOW, "--policies", str(project.path / "policies"), "-o", str(elsewhere / "out"))
    assert Project(elsewhere).path.joinpath("out/manifest.json").read_bytes() == before["manifest.json"][1]


def test_one_target_leaves_the_others_alone(gwc: Gwc, project: Project) -> None:
    gwc("compile", NOW)
    before = project.tree()
    project.replace("shop.yaml", "name: goods", "name: wares")
    assert gwc("compile", NOW, "-t", "beta").code == 0
    after = project.tree()
    assert after["alpha/routes.conf"] == before["alpha/routes.conf"]
    assert after["beta/routes.conf"][1] == b"shop/wares\nshop/order\n"
    entries = json.loads(after["manifest.json"][1])["targets"]
    assert set(entries) == {"alpha", "beta", "gamma"}
    assert entries["alpha"]["made_from"] != entries["beta"]["made_from"]
    assert gwc("compile", NOW, "-t", "beta", "--check").code == 0
    assert gwc("compile", NOW, "--check").code == 1


def test_files_of_an_earlier_run_go_and_others_stay(gwc: Gwc, project: Project, targets: dict[str, FakeTarget]) -> None:
    targets["alpha"].extra_files = {"lua/old/gone.lua": "return 1\n"}
    gwc("compile", NOW)
    (project.build / "alpha/notes.txt").write_text("mine")
    targets["alpha"].extra_files = {}
    result = gwc("compile", NOW)
    assert "1 removed" in result.out
    assert not (project.build / "alpha/lua").exists()
    assert (project.build / "alpha/notes.txt").read_text() == "mine"


def test_never_overwrites_what_it_did_not_write(gwc: Gwc, project: Project) -> None:
    (project.build / "alpha").mkdir(parents=True)
    (project.build / "alpha/routes.conf").write_text("by hand\n")
    result = gwc("compile", NOW)
    assert result.code == 2
    assert "build/alpha/routes.conf is in the way" in result.err
    assert project.tree().keys() == {"alpha/routes.conf"}
    assert (project.build / "alpha/routes.conf").read_text() == "by hand\n"


def test_a_manifest_cannot_point_at_other_peoples_files(gwc: Gwc, project: Project) -> None:
    gwc("compile", NOW)
    (project.path / "precious").write_text("keep")
    manifest = json.loads((project.build / "manifest.json").read_text())
    for path in ("../../precious", "secrets/key", "/etc/hostname"):
        manifest["targets"]["alpha"]["files"] = {path: "0" * 64}
        (project.build / "manifest.json").write_text(json.dumps(manifest))
        assert gwc("compile", NOW).code == 2
        assert (project.path / "precious").read_text() == "keep"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 99, "targets": {}}', "<<<<<<< ours", '{"schema": 1, "targets": {"a": 1}}']
)
def test_a_broken_manifest_is_nobodys_word(gwc: Gwc, project: Project, text: str) -> None:
    project.build.mkdir()
    (project.build / "manifest.json").write_text(text)
    result = gwc("compile", NOW)
    assert (result.code, (project.build / "manifest.json").read_text()) == (2, text)
    assert "manifest.json is in the way" in result.err


def test_a_symbolic_link_does_not_lead_the_output_astray(gwc: Gwc, project: Project) -> None:
    (project.path / "elsewhere").mkdir()
    project.build.mkdir()
    (project.build / "alpha").symlink_to(project.path / "elsewhere")
    result = gwc("compile", NOW)
    assert (result.code, list((project.path / "elsewhere").iterdir())) == (2, [])
    assert [p.name for p in project.build.iterdir()] == ["alpha"]


def test_a_symbolic_link_does_not_lead_the_removal_astray(
    gwc: Gwc, project: Project, targets: dict[str, FakeTarget]
) -> None:
    targets["alpha"].extra_files = {"lua/one.lua": "x"}
    gwc("compile", NOW)
    targets["alpha"].extra_files = {}
    (project.build / "alpha/lua").rename(project.path / "elsewhere")
    (project.build / "alpha/lua").symlink_to(project.path / "elsewhere")
    result = gwc("compile", NOW)
    assert (result.code, "leads out of the build directory" in result.err) == (2, True)
    assert (project.path / "elsewhere/one.lua").exists()


WRONG = {
    "syntax": ("routes:", "routes: ]", 1),
    "unknown key": ("owner:", "ownr:", 1),
    "dangling": ("auth: none", "auth: {any_of: [jwt]}", 1),
    "unsupported": ("auth: none", "auth: none\ncors: {origins: [https://app.example.com]}", 3),
}


@pytest.mark.parametrize("kind", WRONG)
def test_an_error_leaves_the_build_as_it_was(gwc: Gwc, project: Project, kind: str) -> None:
    gwc("compile", NOW)
    before = project.tree()
    old, new, code = WRONG[kind]
    project.replace("shop.yaml", old, new)
    result = gwc("compile", NOW)
    assert result.code == code
    assert result.out.startswith("policies/shop.yaml:")
    assert "nothing written; " in result.out
    assert "error" in result.out
    assert project.tree() == before
    as_json = json.loads(gwc("compile", NOW, "--format", "json").out)
    assert as_json["exit"] == code
    assert as_json["summary"]["errors"] == len([d for d in as_json["diagnostics"] if d["severity"] == "error"]) > 0


def test_no_build_appears_after_an_error(gwc: Gwc, project: Project) -> None:
    project.replace("shop.yaml", "owner:", "ownr:")
    assert gwc("compile", NOW).code == 1
    assert not project.build.exists()


def test_an_unsupported_feature_can_be_accepted(gwc: Gwc, project: Project) -> None:
    project.replace("shop.yaml", "auth: none", "auth: none\ncors: {origins: [https://app.example.com]}")
    project.write(
        "platform.yaml", (project.path / "policies/platform.yaml").read_text() + "targets: {alpha: {accept: [cors]}}\n"
    )
    assert gwc("compile", NOW).code == 3
    assert gwc("compile", NOW, "-t", "alpha").code == 0
    manifest = json.loads((project.build / "manifest.json").read_text())
    assert manifest["targets"]["alpha"]["inexact"] == [
        {
            "feature": "cors",
            "fidelity": "unsupported",
            "accepted": True,
            "at": ["shop.yaml:8:8"],
            "note": "it has no idea of origins; answer preflights in the service",
        }
    ]


def test_an_approximation_is_a_warning_and_recorded(gwc: Gwc, project: Project) -> None:
    project.replace("shop.yaml", "methods: [GET]}", "methods: [GET], websocket: true}")
    result = gwc("compile", NOW, "-t", "beta")
    assert result.code == 0
    assert "warning GWC602" in result.out
    assert result.out.endswith("; 1 warning\n")
    (entry,) = json.loads((project.build / "manifest.json").read_text())["targets"]["beta"]["inexact"]
    assert (entry["feature"], entry["accepted"], entry["fidelity"]) == ("websocket", False, "approximate")


def test_a_profile_that_a_target_lacks(gwc: Gwc, project: Project) -> None:
    project.write(
        "platform.yaml", (project.path / "policies/platform.yaml").read_text() + "targets: {alpha: {profile: smal}}\n"
    )
    result = gwc("compile", NOW)
    assert result.code == 1
    assert "policies/platform.yaml:8:28: error GWC605 alpha has no profile `smal`" in result.out
    assert "did you mean `small`?" in result.out
    project.replace("platform.yaml", "smal}", "small}")
    assert gwc("compile", NOW).code == 0
    assert "--profile small" in (project.build / "alpha/bin/start").read_text()
    assert json.loads((project.build / "manifest.json").read_text())["targets"]["alpha"]["profile"] == "small"


def test_options_for_a_target_that_there_is_not(gwc: Gwc, project: Project) -> None:
    project.write(
        "platform.yaml", (project.path / "policies/platform.yaml").read_text() + "targets: {alhpa: {accept: [cors]}}\n"
    )
    result = gwc("compile", NOW)
    assert result.code == 1
    assert "GWC606 no target `alhpa` is installed" in result.out
    assert "did you mean `alpha`?" in result.out


def test_a_targets_own_judge_can_refuse(gwc: Gwc, project: Project, targets: dict[str, FakeTarget]) -> None:
    span = Span("policies/shop.yaml", 9, 11, 9, 16)
    targets["gamma"].judgement = (Diagnostic(span, "GWC640", Severity.ERROR, "its schema wants something else"),)
    result = gwc("compile", NOW)
    assert result.code == 1
    assert "policies/shop.yaml:9:11: error GWC640" in result.out
    assert not project.build.exists()


def test_environments(gwc: Gwc, project: Project) -> None:
    assert json.loads(gwc("compile", NOW, "--emit", "ir", "--env", "prod").out)["environment"] == "prod"
    result = gwc("compile", NOW, "--env", "prd")
    assert result.code == 2
    assert "unknown environment 'prd'" in result.err
    assert "did you mean `prod`? known: prod, staging" in result.err
    gwc("compile", NOW, "--env", "prod")
    assert json.loads((project.build / "manifest.json").read_text())["environment"] == "prod"
    assert gwc("compile", NOW, "--env", "prod", "--check").code == 0
    assert gwc("compile", NOW, "--check").code == 1


def test_emit_ir_prints_and_writes_nothing(gwc: Gwc, project: Project) -> None:
    result = gwc("compile", NOW, "--emit", "ir")
    assert (result.code, result.err) == (0, "")
    assert not project.build.exists()
    gateway = json.loads(result.out)
    route = gateway["services"][0]["routes"][0]
    assert (route["path"], route["at"]["path"]) == ("/shop/v1/goods", "policies/shop.yaml:9")
    assert route["timeouts"]["at"]["request"] == "policies/platform.yaml:5"
    assert gwc("compile", NOW, "--emit", "ir").out == result.out


def test_emit_ir_keeps_findings_off_standard_output(gwc: Gwc, project: Project) -> None:
    project.replace("shop.yaml", "owner:", "ownr:")
    result = gwc("compile", NOW, "--emit", "ir")
    assert (result.code, result.out) == (1, "")
    assert "policies/shop.yaml:4:1: error" in result.err


def test_json_says_what_was_done(gwc: Gwc, project: Project) -> None:
    document = json.loads(gwc("compile", NOW, "--format", "json").out)
    assert (document["schema"], document["command"], document["exit"]) == (1, "compile", 0)
    assert document["result"]["targets"] == ["alpha", "beta", "gamma"]
    assert len(document["result"]["written"]) == 10
    document = json.loads(gwc("compile", NOW, "--format", "json").out)
    assert (document["result"]["written"], document["result"]["unchanged"]) == ([], 10)


def test_a_bug_is_no_traceback(
    gwc: Gwc, project: Project, targets: dict[str, FakeTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    targets["beta"].fault = KeyError("hunter2")
    result = gwc("compile", NOW)
    assert (result.code, result.out) == (70, "")
    assert "internal error: KeyError at fakes.py:" in result.err
    assert "hunter2" not in result.err
    assert "Traceback" not in result.err
    assert not project.build.exists()
    monkeypatch.setenv("GWC_DEBUG", "1")
    assert "Traceback" in gwc("compile", NOW).err


def test_a_target_cannot_write_outside_of_its_directory(
    gwc: Gwc, project: Project, targets: dict[str, FakeTarget]
) -> None:
    for path in ("../escaped", "/tmp/escaped", "secrets/x"):
        targets["alpha"].extra_files = {path: "x"}
        assert gwc("compile", NOW).code == 70
    assert not project.build.exists()


def test_the_output_directory_can_be_anywhere(gwc: Gwc, project: Project, tmp_path: Path) -> None:
    assert gwc("compile", NOW, "-o", "a/b/c").code == 0
    assert (tmp_path / "a/b/c/manifest.json").is_file()
    (tmp_path / "file").write_text("")
    result = gwc("compile", NOW, "-o", "file")
    assert (result.code, (tmp_path / "file").read_text()) == (2, "")
