"""What `gwc lint` costs for a thousand policies, beside tools that look at the same files.

`python benchmarks/linters.py [--files N] [--rounds N] [--write]`. Each linter reads the same services in one run. What
is compared is the processor time of all its processes, for a busy machine changes the wall time more. yamllint knows
YAML alone; check-jsonschema and spectral hold each file against `schema/gwc-v1.json`; gwc reads, validates and resolves
all of them as one gateway, in two environments, and runs its rules, without what it keeps of earlier runs. The last
table compares one file with a bare Python: without anything kept, and once more when nothing has changed. All run from
their bytecode, as an installation leaves them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

import corpus
import pages
from installed import environment
from ratios import markdown

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "schema/gwc-v1.json"
BEGIN, END = "<!-- lint: begin -->", "<!-- lint: end -->"
GOAL_MANY, GOAL_ONE, GOAL_AGAIN = 15, 14, 3


@dataclass(frozen=True, slots=True)
class Tool:
    """A command, without the files, and what its findings end with: these files have none, so 0 is expected."""

    name: str
    command: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run: processor time of the process and its children, and wall time, in seconds."""

    processor: float
    wall: float


def main() -> int:
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="gwc-lint-") as directory:
        corpus.write(Path(directory) / "policies", asked.files)
        tools = list(_tools(Path(directory), asked.files))
        for tool in tools:
            _run((*tool.command, "policies/service-0000.yaml"), directory)  # for what a first run leaves
        rounds = [{tool.name: _cost(tool, directory) for tool in tools} for _ in range(asked.rounds)]
        many = {tool.name: [costs[tool.name] for costs in rounds] for tool in tools}
        one = _one_file(directory, asked.rounds)
    text = _section(many, one, asked.files, asked.rounds)
    print(text)
    if asked.write:
        pages.fill(BEGIN, END, text)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="fill in the section of docs/performance.md")
    return parser.parse_args()


def _tools(directory: Path, files: int) -> Iterator[Tool]:
    names = tuple(f"policies/service-{number:04}.yaml" for number in range(files))
    yield Tool(f"gwc {version('gwc')}", (*_python("gwc"), "lint", "--no-cache"), ("policies",))
    for name in ("yamllint", "check-jsonschema"):
        if (found := _installed(name)) is not None:
            options = {"yamllint": ("-d", "relaxed"), "check-jsonschema": ("--schemafile", str(SCHEMA))}[name]
            yield Tool(f"{name} {version(name)}", (found, *options), names)
    if (found := os.environ.get("GWC_SPECTRAL") or shutil.which("spectral")) is not None:
        ruleset = directory / "ruleset.json"
        ruleset.write_text(json.dumps(_ruleset()), encoding="utf-8")
        shown = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        yield Tool(f"spectral {shown}", (found, "lint", "-r", str(ruleset)), names)


def _ruleset() -> dict[str, object]:
    """Spectral brings rules for formats of its own; here it holds each document against the schema."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    then = {"function": "schema", "functionOptions": {"schema": schema}}
    return {"extends": [], "rules": {"schema": {"given": "$", "severity": "error", "then": then}}}


def _python(module: str) -> tuple[str, ...]:
    script = Path(sys.executable).parent / module
    return (str(script),) if script.is_file() else (sys.executable, "-m", module)


def _installed(name: str) -> str | None:
    try:
        version(name)
    except PackageNotFoundError:
        return None
    return str(Path(sys.executable).parent / name)


def _cost(tool: Tool, directory: str) -> Cost:
    return _run((*tool.command, *tool.files), directory)


def _run(command: Sequence[str], directory: str) -> Cost:
    """A run that finds something, or fails, measures something else. What gwc keeps, it keeps in `directory`."""
    environ = environment(directory)
    started = time.perf_counter()
    before = getrusage(RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=directory, env=environ, capture_output=True, check=False)
    after, wall = getrusage(RUSAGE_CHILDREN), time.perf_counter() - started
    if done.returncode != 0:
        shown = (done.stdout + done.stderr).decode(errors="replace")[:500]
        sys.exit(f"{' '.join(command)[:200]} ended with {done.returncode}: {shown}")
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Cost(spent, wall)


def _one_file(directory: str, rounds: int) -> list[tuple[Cost, Cost, Cost]]:
    """Neighbouring runs of `gwc lint` on one file, of the same again, and of a Python that does nothing."""
    again = (*_python("gwc"), "lint", "policies/service-0000.yaml")
    commands = ((*again, "--no-cache"), again, (sys.executable, "-c", "pass"))
    for command in commands:  # once for the caches, of the system and of gwc
        _run(command, directory)
    taken = [[_run(command, directory) for command in commands] for _ in range(max(rounds, 15))]
    return [(cold, known, bare) for cold, known, bare in taken]


def _section(many: dict[str, list[Cost]], one: list[tuple[Cost, Cost, Cost]], files: int, rounds: int) -> str:
    return "\n".join(("", _many(many, files), "", _one(one), "", *_notes(many, rounds), ""))


def _many(many: dict[str, list[Cost]], files: int) -> str:
    base = next(iter(many.values()))
    rows = [
        (
            name,
            f"{median(cost.processor for cost in costs):.1f}",
            f"{median(cost.wall for cost in costs):.1f}",
            f"{median(cost.processor / mine.processor for cost, mine in zip(costs, base, strict=True)):.1f}",
        )
        for name, costs in many.items()
    ]
    return markdown((f"{files:,} services", "processor s", "wall s", "processor, gwc = 1"), rows)


def _one(one: list[tuple[Cost, Cost, Cost]]) -> str:
    names = ("gwc lint service.yaml", "the same again, unchanged", "python -c pass")
    rows = [
        (
            name,
            f"{median(costs[index].processor for costs in one) * 1000:.0f}",
            f"{median(costs[index].processor / costs[2].processor for costs in one):.1f}",
        )
        for index, name in enumerate(names)
    ]
    return markdown(("one service with its platform", "processor ms", "python = 1"), rows)


def _notes(many: dict[str, list[Cost]], rounds: int) -> Iterator[str]:
    names = " ".join(many)
    for tool in ("yamllint", "check-jsonschema", "spectral"):
        if tool not in names:
            yield f"- {tool} was not measured: it is not installed."
    yield (
        f"- Measured on {date.today()} with Python {platform.python_version()} on {os.cpu_count()} cores; "
        f"load average {os.getloadavg()[0]:.1f} at the end. {_rounds(rounds)}"
    )
    yield (
        f"- The goals: {GOAL_MANY} times cheaper than each peer; one file at most {GOAL_ONE} times a bare Python, and "
        f"{GOAL_AGAIN} times when it is unchanged."
    )


def _rounds(number: int) -> str:
    return "One round." if number == 1 else f"Medians of {number} rounds, ratios within a round."


if __name__ == "__main__":
    sys.exit(main())
