"""Prometheus' own check of rules, and its unit tests of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

MISSING = "NO RULE IS CHECKED: promtool is missing; apt-get install prometheus"


def check_rules(path: Path) -> str:
    """What `promtool check rules` has against the file; empty if nothing. Warnings of its linter are faults too."""
    done = _run("check", "rules", "--lint=all", "--lint-fatal", str(path))
    return "" if done.returncode == 0 else done.stdout + done.stderr


def run_rules(directory: Path, rules: str, tests: list[dict[str, Any]]) -> str:
    """What `promtool test rules` has against the rules under these tests; empty if they pass."""
    (directory / "rules.yaml").write_text(rules, encoding="utf-8")
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (directory / "tests.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    done = _run("test", "rules", str(directory / "tests.yaml"))
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip(MISSING)
    return subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False, timeout=120)
