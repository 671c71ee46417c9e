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
    shutil.copytree(POLICIES, tmp_path / "policies")
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
    given = {name: said["default"] for name, said in action["inputs"].items()} | inputs
    files = {"RUNNER_TEMP": str(checkout / "runner"), "GITHUB_STEP_SUMMARY": str(checkout / "summary")}
    shell = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
    done = {}
    for step in action["runs"]["steps"][1:]:
        said = {name: re.sub(r"\$\{\{ inputs\.(\S+) }}", lambda m: given[m[1]], v) for name, v in step["env"].items()}
        wanted = re.fullmatch(r"inputs\.(\S+) != ''", step.get("if", "inputs.policies != ''"))
        assert wanted is not None
        if given[wanted[1]]:
            done[step["name"]] = _run(checkout, step["run"], shell, **files, **said)
    return done


def test_the_action_lints_checks_and_compares(checkout: Path) -> None:
    done = _action(checkout, build="build", against="main")
    assert [one.returncode for one in done.values()] == [0, 0, 0], done
    assert "title=gwc tightened::assistant/ask: cost 20 -> 30" in done["diff"].stdout
    assert (checkout / "summary").read_text(encoding="utf-8").startswith("<!-- gwc diff -->")


def test_the_action_leaves_out_what_nobody_asked_for(checkout: Path) -> None:
    _replace(checkout / "policies/assistant.yaml", "cost: 30", "cost: 0.5")
    assert {name: one.returncode for name, one in _action(checkout).items()} == {"lint": 1}


def test_the_action_reads_services_where_they_are_named(checkout: Path) -> None:
    done = _action(checkout, services="no such folder")["lint"]
    assert (done.returncode, "no such folder: not a directory" in done.stderr) == (2, True)


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


def test_the_template_installs_nothing_that_nobody_named(tmp_path: Path) -> None:
    template = _template()
    install = template["gwc"]["script"][0]
    done = subprocess.run(
        ["sh", "-e", "-c", install], env=template["variables"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "GWC_PACKAGE" in done.stderr
