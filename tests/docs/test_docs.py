"""What the documentation shows is what happens: policies are compiled, commands are run, links lead somewhere.

The comment above a fence says how its block is checked: `excerpt: FILE`, `service`, `route`, `platform` (a fragment at
that level), `service refused: CODE`. A yaml block without one is a whole policy.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import accept
import maximal
from compiling import compiled, sources_of
from docs.blocks import REPOSITORY, Block, blocks, pages
from gwc.diagnostics import Report
from gwc.document import parse
from gwc.policy.load import load
from gwc.source import Source

NOT_RUN = {
    "sh": "sets up a virtual environment: CI runs scripts/test itself, and test_demo.py runs what scripts/demo runs",
    "text": "a program's output, checked as an excerpt of what it prints",
}
"""Languages of blocks that nothing executes, and why."""

EXCERPTS = [block for block in blocks("yaml") if block.note.startswith("excerpt: ")]
FRAGMENTS = [block for block in blocks("yaml") if block.note and block not in EXCERPTS]
WHOLE = [block for block in blocks("yaml") if not block.note]


def test_every_block_is_checked_or_has_a_reason() -> None:
    languages = set(re.findall(r"^```(\w+)$", "".join(page.read_text(encoding="utf-8") for page in pages()), re.M))
    assert languages <= {"yaml", "console", *NOT_RUN}


@pytest.mark.parametrize("block", EXCERPTS, ids=str)
def test_an_excerpt_stands_in_its_file(block: Block) -> None:
    file = REPOSITORY / block.note.removeprefix("excerpt: ")
    assert block.text in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("block", FRAGMENTS, ids=str)
def test_a_fragment_is_valid_where_it_belongs_or_refused_as_the_page_says(block: Block) -> None:
    level, _, code = block.note.partition(" refused: ")
    policies = maximal.policies()
    fragment = _data(block)
    if level == "platform":
        policies["platform"] = _merged(policies["platform"], fragment)
    elif level == "route":
        routes = policies["everything"]["routes"]
        routes[0] = _merged(routes[0], fragment)
    else:
        policies["everything"] = _merged(policies["everything"], fragment)
    gateway, report = compiled(sources_of(policies, maximal.DIRECTORY))
    found = {diagnostic.code for diagnostic in report.diagnostics}
    assert found == ({code} if code else set()), report.diagnostics
    assert (gateway is None) == bool(code)


@pytest.mark.parametrize("block", WHOLE, ids=str)
def test_a_whole_policy_is_valid(block: Block) -> None:
    report = Report()
    document = parse(Source(str(block), block.text), report)
    assert document is not None, report.diagnostics
    assert load(document, None, report) is not None, report.diagnostics


def _data(block: Block) -> dict[str, Any]:
    report = Report()
    document = parse(Source(str(block), block.text), report)
    assert document is not None, report.diagnostics
    return document.data()


def _merged(base: Any, over: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{key: _merged(base.get(key), value) for key, value in over.items()}}


_MARK = "@@ end of a command @@"
_DATED = "compile|diff|docs|verify|lint|replay|explain|run"
_PRELUDE = f"""exec 2>&1 </dev/null
gwc() {{ case $1 in ({_DATED}) command gwc "$@" --now {accept.NOW};; (*) command gwc "$@";; esac; }}
"""
"""Dates are judged on the day that the pages were written, so that no waiver expires under them."""


@pytest.mark.parametrize("block", blocks("console"), ids=str)
def test_commands_print_what_the_page_shows(block: Block, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "policies", tmp_path / "policies")
    steps = re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE)
    assert steps, "a console block shows commands after `$ `"
    script = _PRELUDE + "".join(f'{command}\n__code=$?; echo "{_MARK}"; (exit $__code)\n' for command, _ in steps)
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}
    run = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120)
    printed = run.stdout.split(f"{_MARK}\n")
    for (command, shown), got in zip(steps, printed, strict=False):
        assert re.fullmatch(_pattern(shown), got), f"$ {command}\n{got}"


def _pattern(shown: str) -> str:
    """`...` stands for anything on its line; on a line of its own for any lines."""
    escaped = re.escape(shown).replace(re.escape("...\n") + "$", ".*")
    return re.sub(r"^\\\.\\\.\\\.(\\\n)", r"(?:.*\n)*", escaped, flags=re.MULTILINE).replace(r"\.\.\.", ".*")


def test_every_link_within_the_repository_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(REPOSITORY)}: {target}"
        for page in pages()
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
