"""The shell lines of the GitHub Action and of GitLab's template, as their runners would run them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from compiling import POLICIES

ROOT = Path(__file__).parents[2]
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The example policies with their build, on a branch that changed a cost, and a gwc where the runners look."""
    shutil.copytree(POLICIES, tmp_path / "policies", ignore=shutil.ignore_patterns("tests"))
    for words in (["init", "-qb", "main"], ["add", "."], ["commit", "-qm", "x"], ["switch", "-qc", "y"]):
        subprocess.run([*GIT, *words], cwd=tmp_path, check=True, timeout=60)
    _replace(tmp_path / "policies/assistant.yaml", "cost: 20", "cost: 30")
    shim = tmp_path / "runner/gwc/bin/gwc"
    shim.parent.mkdir(parents=True)
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gwc "$@"\n')
    shim.chmod(0o755)
    subprocess.run([shim, "compile"], cwd=tmp_path, check=True, timeout=120, capture_output=True)
    return tmp_path


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def _run(checkout: Path, script: str, shell: Sequence[str], **said: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PATH": f"{checkout}/runner/gwc/bin:{os.environ['PATH']}", **said}
    return subprocess.run([*shell, script], cwd=checkout, env=environ, capture_output=True, text=True, timeout=120)


def _action(checkout: Path, **inputs: str) -> dict[str, subprocess.CompletedProcess[str]]:
    """What each step after the installation came to."""
    action: Mapping[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    given = {f"inputs.{name}": said["default"] for name, said in action["inputs"].items()} | _GITHUB
    given |= {f"inputs.{name}": value for name, value in inputs.items()}
    files = {"RUNNER_TEMP": str(checkout / "runner"), "GITHUB_STEP_SUMMARY": str(checkout / "summary")}
    shell = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
    done = {}
    for step in action["runs"]["steps"][1:]:
        said = {name: re.sub(r"\$\{\{ (\S+) }}", lambda m: given[m[1]], v) for name, v in step["env"].items()}
        if all(_holds(condition, given) for condition in step.get("if", "inputs.policies != ''").split(" && ")):
            done[step["name"]] = _run(checkout, step["run"], shell, **files, **said)
    return done


_GITHUB = {
    "github.event_name": "pull_request",
    "github.repository": "team/shop",
    "github.event.pull_request.number": "7",
    "github.action_path": str(ROOT),
}


def _holds(condition: str, given: Mapping[str, str]) -> bool:
    parts = re.fullmatch(r"(\S+) (!=|==) '(.*)'", condition)
    assert parts is not None
    return (given[parts[1]] == parts[3]) is (parts[2] == "==")


def test_the_action_lints_checks_and_compares(checkout: Path) -> None:
    done = _action(checkout, build="build", against="main")
    assert [one.returncode for one in done.values()] == [0, 0, 0, 0], done
    assert "title=gwc tightened::assistant/ask: cost 20 -> 30" in done["diff"].stdout
    assert (checkout / "summary").read_text(encoding="utf-8").startswith("<!-- gwc diff -->")


def test_the_action_installs_without_running_code_of_the_checkout(tmp_path: Path) -> None:
    """The pull request that is looked at may bring a module of any name."""
    (tmp_path / "venv.py").write_text("open('ran', 'w')")
    step = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"][0]
    files = {"RUNNER_TEMP": str(tmp_path / "runner"), "GWC_SOURCE": str(tmp_path / "nowhere")}
    done = _run(tmp_path, step["run"], ("bash", "-c"), **files)
    assert "nowhere" in done.stderr, "this is pip, in an environment of its own"
    assert not (tmp_path / "ran").exists()


def test_the_action_leaves_out_what_nobody_asked_for(checkout: Path) -> None:
    _replace(checkout / "policies/assistant.yaml", "cost: 30", "cost: 0.5")
    assert {name: one.returncode for name, one in _action(checkout).items()} == {"lint": 1, "test": 0}


def test_the_action_runs_the_tests_beside_the_policies(checkout: Path) -> None:
    """The branch has changed what they promise."""
    shutil.copytree(POLICIES / "tests", checkout / "policies/tests")
    done = _action(checkout)["test"]
    assert done.returncode == 1
    assert "FAILED   model  assistant: an hour's budget is fifty questions" in done.stdout
    assert "coverage: " in done.stdout


def test_the_action_reads_services_where_they_are_named(checkout: Path) -> None:
    done = _action(checkout, services="no such folder")["lint"]
    assert (done.returncode, "no such folder: not a directory" in done.stderr) == (2, True)


GH = """#!/bin/sh
echo "$*" | tr '\\n' ' ' >> asked; echo >> asked
case "$*" in
  *--jq*) [ -z "$GH_TOKEN" ] || cat ids ;;
  *body=@*) cp "${*##*body=@}" written ;;
esac
"""


@pytest.fixture
def commented(checkout: Path) -> Path:
    """A checkout with a `gh` that notes down what it is asked, knows the comments in `ids`, and keeps the text."""
    gh = checkout / "runner/gwc/bin/gh"
    gh.write_text(GH, encoding="utf-8")
    gh.chmod(0o755)
    (checkout / "ids").touch()
    return checkout


def _asked(checkout: Path) -> str:
    return (checkout / "asked").read_text(encoding="utf-8").splitlines()[-1]


def test_the_action_comments_once(commented: Path) -> None:
    first = _action(commented, against="main", comment="true", token="t")["comment"]
    assert (first.returncode, first.stderr) == (0, "")
    assert _asked(commented).startswith("api --silent -X POST repos/team/shop/issues/7/comments -F body=@")
    assert "cost 20 -&#62; 30" in (commented / "written").read_text(encoding="utf-8")
    (commented / "ids").write_text("41\n42\n")
    assert _action(commented, against="main", comment="true", token="t")["comment"].returncode == 0
    assert _asked(commented).startswith("api --silent -X PATCH repos/team/shop/issues/comments/41 -F body=@")


def test_a_change_that_is_taken_back_changes_the_comment_and_makes_no_new_one(commented: Path) -> None:
    _replace(commented / "policies/assistant.yaml", "cost: 30", "cost: 20")
    assert _action(commented, against="main", comment="true", token="t")["comment"].returncode == 0
    assert "--jq" in _asked(commented)
    assert not (commented / "written").exists()
    (commented / "ids").write_text("41\n")
    assert _action(commented, against="main", comment="true", token="t")["comment"].returncode == 0
    assert "PATCH" in _asked(commented)
    assert "no changes" in (commented / "written").read_text(encoding="utf-8")


def test_a_comment_that_github_would_not_take_says_where_the_rest_is(commented: Path) -> None:
    (commented / "long.md").write_text("<!-- gwc diff -->\n\n### 9 breaking\n\nAgainst `main`.\n" + "x" * 65_000)
    done = _run(commented, f"{ROOT}/scripts/sticky-comment long.md team/shop 7", ("bash", "-c"), GH_TOKEN="t")
    assert (done.returncode, done.stderr) == (0, "")
    assert "### 9 breaking" in (text := (commented / "written").read_text(encoding="utf-8"))
    assert "in the summary of this run" in text and len(text) < 200


def test_only_the_headline_says_that_there_are_no_changes(commented: Path) -> None:
    (commented / "some.md").write_text("<!-- gwc diff -->\n\n### 1 breaking\n\n<pre>\n+# cors: no changes\n</pre>\n")
    _run(commented, f"{ROOT}/scripts/sticky-comment some.md team/shop 7", ("bash", "-c"), GH_TOKEN="t")
    assert (commented / "written").exists()


def _template() -> Mapping[str, Any]:
    template: Mapping[str, Any] = yaml.safe_load((ROOT / "templates/gitlab.yml").read_text(encoding="utf-8"))
    return template


@pytest.mark.parametrize("shell", [("bash", "-eo", "pipefail", "-c"), ("sh", "-e", "-c")], ids=["bash", "sh"])
def test_the_template_lints_checks_and_compares(checkout: Path, shell: Sequence[str]) -> None:
    template = _template()
    said = {**template["variables"], "GWC_BUILD": "build", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "main"}
    done = _run(checkout, "\n".join(template["gwc"]["script"][1:]), shell, **said)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the build is up to date" in done.stdout
    assert "TIGHTENED assistant/ask" in done.stdout
    report = template["gwc"]["artifacts"]["reports"]["codequality"]
    assert isinstance(json.loads((checkout / report).read_text(encoding="utf-8")), list)


def test_the_template_runs_the_tests_beside_the_policies(checkout: Path) -> None:
    shutil.copytree(POLICIES / "tests", checkout / "policies/tests")
    template = _template()
    done = _run(checkout, "\n".join(template["gwc"]["script"][1:]), ("sh", "-e", "-c"), **template["variables"])
    assert done.returncode == 1
    report = (checkout / template["gwc"]["artifacts"]["reports"]["junit"]).read_text(encoding="utf-8")
    assert "an hour's budget is fifty questions" in report


def test_the_template_installs_nothing_that_nobody_named(tmp_path: Path) -> None:
    template = _template()
    install = template["gwc"]["script"][0]
    done = subprocess.run(
        ["sh", "-e", "-c", install], env=template["variables"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "GWC_PACKAGE" in done.stderr
