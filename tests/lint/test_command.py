"""`gwc lint` and `gwc rule` as their users call them."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from lint.rules import KEYS, sources

_BAD = "headers: {request: {set: {X-Api-Token: abcdefgh1234}}}\n"
_INFO = "description: x\n"


def gwc(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gwc", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Plain policies; shop's has one finding, GWC405."""
    (tmp_path / "policies").mkdir()
    for source in sources(""):
        (tmp_path / source.name).write_text(source.text)
    (tmp_path / "policies/keys.json").write_text(KEYS)
    shop = tmp_path / "policies/shop.yaml"
    shop.write_text(shop.read_text() + _BAD)
    return tmp_path


def test_findings_fail_and_say_where(project: Path) -> None:
    done = gwc("lint", "--now", "2026-11-23", cwd=project)
    assert (done.returncode, done.stderr) == (1, "")
    assert "policies/shop.yaml:13:" in done.stdout
    assert "error GWC405 shop/shop-items: the value of `X-Api-Token` looks like a credential" in done.stdout
    assert "abcdefgh1234" not in done.stdout


def test_one_file_is_looked_at_with_its_platform_and_reported_alone(project: Path) -> None:
    assert gwc("lint", "policies/shop.yaml", cwd=project).returncode == 1
    done = gwc("lint", "policies/platform.yaml", cwd=project)
    assert (done.returncode, done.stdout) == (0, "no findings\n")


@pytest.mark.parametrize(
    ("words", "code"),
    [(["--ignore", "GWC405"], 0), (["--select", "GWC3,no-owner"], 0), (["--select", "secret-in-a-header"], 1)],
)
def test_rules_are_chosen_by_code_prefix_or_name(project: Path, words: list[str], code: int) -> None:
    assert gwc("lint", *words, cwd=project).returncode == code


def test_an_unknown_rule_is_a_mistake_of_usage(project: Path) -> None:
    done = gwc("lint", "--select", "secret-in-header", cwd=project)
    assert done.returncode == 2
    assert "secret-in-a-header" in done.stderr


def test_standard_input_is_looked_at_with_the_platform_of_the_policies(project: Path) -> None:
    command = [sys.executable, "-m", "gwc", "lint", "-"]
    text = (project / "policies/shop.yaml").read_text()
    done = subprocess.run(command, cwd=project, input=text, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "-:13:" in done.stdout, done.stdout.count("GWC")) == (1, True, 1)


def test_a_folder_without_any_services_code_is_a_mistake_of_usage(project: Path) -> None:
    (project / "elsewhere").mkdir()
    done = gwc("lint", "--services", "elsewhere", cwd=project)
    assert done.returncode == 2
    assert "no folder with Python is named like a service (shop)" in done.stderr
    assert (
        gwc("lint", "--services", "elsewhere", "policies/shop.yaml", "--ignore", "GWC405", cwd=project).returncode == 0
    )


def test_warnings_fail_unless_told_otherwise(project: Path) -> None:
    shop = project / "policies/shop.yaml"
    shop.write_text(shop.read_text().replace(_BAD, "").replace("owner: team-shop\n", ""))
    assert gwc("lint", cwd=project).returncode == 1
    assert gwc("lint", "--fail-on", "error", cwd=project).returncode == 0


def test_an_invalid_policy_is_reported_as_compile_does(project: Path) -> None:
    (project / "policies/shop.yaml").write_text("kind: Service\n")
    done = gwc("lint", cwd=project)
    assert done.returncode == 1
    assert "GWC101" in done.stdout


def test_a_baseline_hides_what_was_there(project: Path) -> None:
    assert gwc("lint", "--write-baseline", "lint.json", cwd=project).returncode == 0
    shop = project / "policies/shop.yaml"
    shop.write_text("# a line more\n" + shop.read_text())
    done = gwc("lint", "--baseline", "lint.json", cwd=project)
    assert (done.returncode, done.stdout) == (0, "1 known findings not shown\nno findings\n")
    shop.write_text(shop.read_text().replace(_BAD, ""))
    done = gwc("lint", "--baseline", "lint.json", cwd=project)
    assert done.stdout == "1 known findings are mended: write the baseline anew\nno findings\n"


def test_a_broken_baseline_is_a_mistake_of_usage(project: Path) -> None:
    (project / "lint.json").write_text("[]")
    assert gwc("lint", "--baseline", "lint.json", cwd=project).returncode == 2
    assert gwc("lint", "--baseline", "none.json", cwd=project).returncode == 2


def test_fixes_are_shown_and_applied(project: Path) -> None:
    shop = project / "policies/shop.yaml"
    before = shop.read_text().replace(_BAD, "owner_: x\n").replace("owner_: x\n", "")
    shop.write_text(before.replace("owner: team-shop", "owner: team-shop  # gwc: ignore[GWC301] once"))
    shown = gwc("lint", "--diff", cwd=project)
    assert (shown.returncode, "-owner: team-shop  # gwc: ignore[GWC301] once" in shown.stdout) == (0, True)
    assert gwc("lint", cwd=project).returncode == 1
    done = gwc("lint", "--fix", cwd=project)
    assert (done.returncode, done.stdout) == (0, "mended policies/shop.yaml\nno findings\n")
    assert shop.read_text() == before


def test_only_changed_files_are_reported(project: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], cwd=project, check=True, timeout=60)
    assert gwc("lint", "--changed", "main", cwd=project).returncode == 0
    shop = project / "policies/shop.yaml"
    shop.write_text(shop.read_text() + _INFO)
    assert gwc("lint", "--changed", "main", cwd=project).returncode == 1
    assert gwc("lint", "--changed", "nowhere", cwd=project).returncode == 4


def test_every_format_holds_the_finding(project: Path) -> None:
    report = {
        form: gwc("lint", "--format", form, cwd=project).stdout
        for form in ("json", "github", "gitlab", "sarif", "junit")
    }
    assert json.loads(report["json"])["diagnostics"][0]["code"] == "GWC405"
    assert report["github"].startswith("::error file=policies/shop.yaml,line=13,")
    assert json.loads(report["gitlab"])[0]["check_name"] == "GWC405"
    assert json.loads(report["sarif"])["runs"][0]["results"][0]["ruleId"] == "GWC405"
    assert ElementTree.fromstring(report["junit"]).get("failures") == "1"


def test_a_rule_explains_itself(tmp_path: Path) -> None:
    done = gwc("rule", "GWC405", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("# GWC405 secret-in-a-header (error)\n")
    assert gwc("rule", cwd=tmp_path).stdout.count("\n") >= 50
    assert gwc("rule", "GWC999", cwd=tmp_path).returncode == 2
