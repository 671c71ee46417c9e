"""`gwc diff` as its users call it: against a revision, against a directory, and what it exits with."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compiling import POLICIES

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com")


def gwc(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gwc", "diff", "--now", "2026-11-23", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The example policies, committed on main, and a branch that changed a default and a cost."""
    shutil.copytree(POLICIES, tmp_path / "policies")
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "x"], ["switch", "-q", "-c", "y"]):
        subprocess.run([*GIT, *words], cwd=tmp_path, check=True, timeout=60)
    _replace(tmp_path / "policies/platform.yaml", "request: 15s", "request: 20s")
    _replace(tmp_path / "policies/assistant.yaml", "cost: 20", "cost: 30")
    return tmp_path


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_against_where_the_branch_left_main(project: Path) -> None:
    done = gwc(cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert "TIGHTENED assistant/ask (team-assistant): cost 20 -> 30\n" in done.stdout
    assert "  was at main:policies/assistant.yaml:52:" in done.stdout
    assert "  now at policies/assistant.yaml:52:" in done.stdout
    assert "the platform's default changed: 2 services affected\n" in done.stdout
    assert done.stdout.endswith("1 tightened, 1 loosened against main\n")


def test_what_main_did_since_is_not_this_branchs_change(project: Path) -> None:
    for words in (["commit", "-qam", "y"], ["switch", "-q", "main"]):
        subprocess.run([*GIT, *words], cwd=project, check=True, timeout=60)
    _replace(project / "policies/notes.yaml", "rate: 600/min", "rate: 700/min")
    for words in (["commit", "-qam", "z"], ["switch", "-q", "y"]):
        subprocess.run([*GIT, *words], cwd=project, check=True, timeout=60)
    assert gwc(cwd=project).stdout.endswith("1 tightened, 1 loosened against main\n")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--exit-code"], 11),
        (["--fail-on", "breaking"], 10),
        (["--fail-on", "tightened"], 11),
        (["--against", "HEAD", "--fail-on", "breaking,loosened"], 11),
        (["--against", "policies", "--exit-code"], 0),
        (["--against", "nowhere"], 4),
        (["--fail-on", "awful"], 2),
        (["--env", "prod"], 0),
        (["--env", "nowhere"], 2),
    ],
)
def test_exit_codes(project: Path, words: list[str], code: int) -> None:
    assert gwc(*words, cwd=project).returncode == code


def test_against_a_directory(project: Path) -> None:
    shutil.copytree(POLICIES, project / "old")
    assert gwc("--against", "old", cwd=project).stdout.endswith("1 tightened, 1 loosened against old\n")


def test_each_side_has_the_key_sets_beside_its_own_platform(project: Path) -> None:
    """Whose policy may be the same on both."""
    shutil.copytree(project / "policies", project / "other")
    _replace(project / "other/keys/jwks.json", '"2026-ec"', '"2027-ec"')
    done = gwc("--against", "policies", "--policies", "other", cwd=project)
    assert "identity.jwt.jwks - 2026-ec (key taken away)" in done.stdout
    assert "identity.jwt.jwks + 2027-ec (key added)" in done.stdout


def test_from_elsewhere_than_the_top_of_the_repository(project: Path) -> None:
    subprocess.run([*GIT, "commit", "-qam", "y"], cwd=project, check=True, timeout=60)
    _replace(project / "policies/keys/jwks.json", '"2026-ec"', '"2027-ec"')
    for directory, policies in ((project / "policies", "."), (Path("/"), str(project / "policies"))):
        done = gwc("--against", "HEAD", "--policies", policies, cwd=directory)
        assert (done.returncode, done.stderr) == (0, "")
        assert "identity.jwt.jwks - 2026-ec (key taken away)" in done.stdout


def test_outside_of_a_repository_it_says_so(tmp_path: Path) -> None:
    shutil.copytree(POLICIES, tmp_path / "policies")
    done = gwc(cwd=tmp_path)
    assert done.returncode == 4
    assert "cannot compare" in done.stderr


def test_policies_that_are_not_valid_have_no_meaning(project: Path) -> None:
    _replace(project / "policies/notes.yaml", "kind: Service", "kind: Servus")
    done = gwc(cwd=project)
    assert (done.returncode, "GWC104" in done.stderr) == (1, True)


def test_other_formats(project: Path) -> None:
    report = json.loads(gwc("--format", "json", cwd=project).stdout)
    assert report["summary"] == {"breaking": 0, "tightened": 1, "loosened": 1, "added": 0, "neutral": 0}
    assert report["changes"][0]["new_at"] == {"file": "policies/assistant.yaml", "line": 52, "column": 11}
    comment = gwc("--format", "markdown", cwd=project).stdout
    assert comment.startswith("<!-- gwc diff -->\n\n### What clients will feel: 1 tightened, 1 loosened\n")
    lines = gwc("--format", "github", cwd=project).stdout.splitlines()
    assert lines[0].startswith("::warning file=policies/assistant.yaml,line=52,")


def test_a_value_cannot_break_out_of_a_comment(project: Path) -> None:
    _replace(project / "policies/notes.yaml", "owner: team-notes", "owner: 'a | <b> @everybody `c`'")
    comment = gwc("--format", "markdown", cwd=project).stdout
    assert "@everybody" not in comment
    assert "<b>" not in comment


def test_the_files_of_a_target_and_the_traffic_of_yesterday(project: Path) -> None:
    line = '192.0.2.1 - ann [23/Nov/2026:12:00:00 +0000] "GET /notes/v1/changes HTTP/1.1" 200 12\n'
    (project / "log").write_text(line * 50, encoding="utf-8")
    _replace(project / "policies/notes.yaml", "rate: 10/s, burst: 40", "rate: 3/min, burst: 3")
    done = gwc("-t", "nginx", "--traffic", "log", "--host", "api.example.com", "--format", "json", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["traffic"]["effects"]["newly refused"]["requests"] == 37
    assert '+"notes/changes"' in said["files"]["nginx/gwc.json"]
    assert {tuple(change["targets"]) for change in said["changes"]} == {("nginx",)}


def test_a_change_names_the_targets_that_it_reaches(project: Path) -> None:
    _replace(project / "policies/assistant.yaml", "owner: team-assistant", "owner: team-answers")
    said = json.loads(gwc("--format", "json", cwd=project).stdout)["changes"]
    reached = {change["field"]: change["targets"] for change in said}
    assert reached["owner"] == []
    assert reached["timeouts.request"] == ["envoy", "kong", "nginx"]


def _gwc(*words: str, cwd: Path) -> None:
    command = [sys.executable, "-m", "gwc", *words, "--now", "2026-11-23"]
    subprocess.run(command, cwd=cwd, capture_output=True, timeout=120, check=True)


@pytest.fixture
def deployed(project: Path) -> Path:
    """The project, with a build of what main has; since then the branch was committed."""
    subprocess.run([*GIT, "stash", "-q"], cwd=project, check=True, timeout=60)
    _gwc("compile", "-t", "nginx", "--env", "prod", cwd=project)
    subprocess.run([*GIT, "stash", "pop", "-q"], cwd=project, check=True, timeout=60)
    subprocess.run([*GIT, "commit", "-qam", "y"], cwd=project, check=True, timeout=60)
    return project


@pytest.mark.parametrize("place", ["build", "build/manifest.json"])
def test_against_what_was_built(deployed: Path, place: str) -> None:
    """The commit with the digests of the manifest is found, wherever the branch stands."""
    done = gwc("--against", place, cwd=deployed)
    assert (done.returncode, done.stderr) == (0, "")
    assert "cost 20 -> 30\n" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("1 tightened, 1 loosened against build/manifest.json (")


def test_against_what_was_built_just_now(deployed: Path) -> None:
    """Not committed: the policies are what the build is of."""
    _replace(deployed / "policies/notes.yaml", "rate: 600/min", "rate: 700/min")
    _gwc("compile", "-t", "nginx", "--env", "prod", cwd=deployed)
    assert gwc("--against", "build", "--exit-code", cwd=deployed).returncode == 0


def test_a_build_of_what_no_commit_has(deployed: Path) -> None:
    _replace(deployed / "policies/notes.yaml", "rate: 600/min", "rate: 700/min")
    _gwc("compile", "-t", "nginx", "--env", "prod", cwd=deployed)
    _replace(deployed / "policies/notes.yaml", "rate: 700/min", "rate: 800/min")
    done = gwc("--against", "build", cwd=deployed)
    assert done.returncode == 4
    assert "no commit has the policies that build/manifest.json was compiled from" in done.stderr


def test_a_build_is_compared_in_its_environment(deployed: Path) -> None:
    done = gwc("--against", "build", "--env", "staging", cwd=deployed)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the build is one of --env prod" in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[",
        '{"schema": 1, "targets": {}}',
        '{"schema": 1, "targets": {}, "inputs": {"a": "b"}}',
        '{"schema": 1, "targets": {}, "inputs": {"a": "b"}, "environment": 5}',
    ],
)
def test_a_manifest_that_is_none(deployed: Path, text: str) -> None:
    (deployed / "build/manifest.json").write_text(text, encoding="utf-8")
    done = gwc("--against", "build", cwd=deployed)
    assert done.returncode == 2
    assert "cannot read build/manifest.json: " in done.stderr


@pytest.mark.parametrize("name", ["keys/a\0b", "keys/\ud800"])
def test_a_build_of_what_no_file_is_called_is_none_of_ours(deployed: Path, name: str) -> None:
    manifest = json.loads((deployed / "build/manifest.json").read_text(encoding="utf-8"))
    manifest["inputs"][name] = "0"
    (deployed / "build/manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    done = gwc("--against", "build", cwd=deployed)
    assert done.returncode == 4
    assert "no commit has the policies that build/manifest.json was compiled from" in done.stderr
