"""What the documentation shows is what happens: policies are compiled, commands are run, links lead somewhere.

The comment above a fence says how its block is checked: `excerpt: FILE`, `service`, `route`, `platform` (a fragment at
that level), `service refused: CODE`, `session` (see `docs.session`), `workflow` (of a CI), `not run: REASON`. A yaml
block without one is a whole policy, a console block without one is run by itself.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import accept
import maximal
from compiling import compiled, sources_of
from docs.blocks import REPOSITORY, Block, blocks, pages
from docs.session import session, steps
from gwc.diagnostics import Report
from gwc.document import parse
from gwc.observability.metrics import FAMILIES
from gwc.policy.load import load
from gwc.source import Source

TUTORIAL = "docs/tutorial.md"
"""Has a test of its own: it begins with nothing, and ends with a gateway."""
OUTPUT = ("text",)
"""Languages of what programs print: no block of them is a command."""
NOT_RUN = "not run: "
"""How the comment above a block begins that nothing executes; the reason follows."""

LANGUAGES = set(re.findall(r"^```(\w+)$", "".join(page.read_text(encoding="utf-8") for page in pages()), re.M))
EXCERPTS = [block for block in blocks("yaml") if block.note.startswith("excerpt: ")]
WHOLE = [block for block in blocks("yaml") if not block.note]
FRAGMENTS = [
    block
    for block in blocks("yaml")
    if block.note and not block.note.startswith(("excerpt: ", "session", "workflow", NOT_RUN))
]


def test_every_block_is_checked_or_says_why_not() -> None:
    others = blocks(*(LANGUAGES - {"yaml", "console", *OUTPUT}))
    assert [str(block) for block in others if not block.note.startswith((NOT_RUN, "excerpt: ", "session: "))] == []
    assert [str(block) for block in blocks(*LANGUAGES) if block.note == NOT_RUN.strip()] == []


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


WORKFLOWS = [block for block in blocks("yaml") if block.note == "workflow"]


@pytest.mark.parametrize("block", WORKFLOWS, ids=str)
def test_a_workflow_uses_what_there_is(block: Block) -> None:
    """The action's inputs, the template's variables, the hooks; what each of them runs is run by lint's tests."""
    workflow = yaml.safe_load(block.text)
    if "jobs" in workflow:
        steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
        (used,) = [step["with"] for step in steps if "/gwc@" in step["uses"]]
        known = yaml.safe_load((REPOSITORY / "action.yml").read_text(encoding="utf-8"))["inputs"].keys()
    elif "include" in workflow:
        template = yaml.safe_load((REPOSITORY / workflow["include"][0]["file"]).read_text(encoding="utf-8"))
        used, known = workflow["variables"], template["variables"].keys()
    else:
        hooks = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
        used, known = {hook["id"] for hook in workflow["repos"][0]["hooks"]}, {hook["id"] for hook in hooks}
    assert used
    assert set(used) <= set(known)


def _data(block: Block) -> dict[str, Any]:
    report = Report()
    document = parse(Source(str(block), block.text), report)
    assert document is not None, report.diagnostics
    return document.data()


def _merged(base: Any, over: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{key: _merged(base.get(key), value) for key, value in over.items()}}


_DATED = "compile|diff|docs|verify|lint|replay|explain|run"
_GWC = f"""gwc() {{
  case $1 in ({_DATED}) command gwc "$1" --now {accept.NOW} "${{@:2}}";; (*) command gwc "$@";; esac
}}"""
"""Dates are judged on the day that the pages were written, so that no waiver expires under them."""

CONSOLE = [block for block in blocks("console") if not block.note]
SESSIONS = [block for block in blocks(*LANGUAGES) if block.note.startswith("session") and block.file != TUTORIAL]


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_commands_print_what_the_page_shows(block: Block, tmp_path: Path) -> None:
    _follow([block], tmp_path)


@pytest.mark.parametrize("page", sorted({block.file for block in SESSIONS}))
def test_who_follows_a_page_gets_what_it_shows(page: str, tmp_path: Path) -> None:
    _follow([block for block in SESSIONS if block.file == page], tmp_path)


def _follow(found: Sequence[Block], directory: Path) -> None:
    """In a directory with the repository's policies, and an identity for commits."""
    shutil.copytree(REPOSITORY / "policies", directory / "policies")
    environ = {**os.environ, **_GIT, "COLUMNS": "100"}
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin"
    with session(directory, environ, {}) as reader:
        reader.prepare(_GWC)
        for step in steps(found):
            reader.take(step)


_GIT = {
    **{f"GIT_{who}_NAME": "somebody" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "somebody@example.com" for who in ("AUTHOR", "COMMITTER")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def test_every_link_within_the_repository_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(REPOSITORY)}: {target}"
        for page in pages()
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


OWN_METRICS = {"gwc_unmeasured_requests_total", "gwc_unmeasured_spans_total"}
"""Of gateways with fixed memory: what there was no room for."""


def test_every_metric_that_a_page_names_is_served() -> None:
    named = {name for page in pages() for name in re.findall(r"`(gwc_[a-z_]+)`", page.read_text(encoding="utf-8"))}
    assert named
    assert named <= {family.name for family in FAMILIES} | OWN_METRICS
