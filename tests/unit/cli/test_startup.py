"""What start-up may import: the price of every run."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gwc import __version__

HEAVY = ("torch", "httpx", "fastapi", "cryptography", "jsonschema", "hypothesis", "gwc_assistant")


def imported(*argv: str) -> set[str]:
    """The modules that `gwc ARGV` imports, as the interpreter itself tells."""
    command = [sys.executable, "-X", "importtime", "-m", "gwc", *argv]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def test_the_version_needs_the_standard_library_alone() -> None:
    modules = imported("--version")
    assert {name for name in modules if name.startswith("gwc")} == {"gwc", "gwc._boot"}
    assert not modules & {"typer", "click", "pydantic", "rich", "yaml", "dataclasses", "importlib.metadata", "typing"}


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_printed_whole(flag: str) -> None:
    done = subprocess.run([sys.executable, "-m", "gwc", flag], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"gwc {__version__}\n", "")


def test_help_reads_no_policy_language_and_no_target() -> None:
    modules = imported("--help")
    assert not modules & {"yaml", "jinja2", "gwc.policy", "gwc.compile", "gwc_envoy", "gwc_nginx", "gwc_kong"}
    assert not modules & set(HEAVY)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("argv", [["compile", "--emit", "ir"], ["schema"]])
def test_the_core_imports_nothing_heavy(argv: list[str]) -> None:
    modules = imported(*argv)
    assert "pydantic" in modules
    assert not modules & set(HEAVY)
    assert not modules & {"rich", "gwc_envoy", "gwc_nginx", "gwc_kong"}


def test_a_plain_report_needs_no_rich_and_no_json() -> None:
    code = "import sys, gwc.report.text; sys.exit({'rich', 'json', 'pydantic'} & set(sys.modules) != set())"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
