"""What `gwc compile` and `gwc diff` cost, from a hundred services to ten thousand.

`python benchmarks/compiling.py [--services N] [--many N] [--rounds N] [--write]`. Every figure is processor time, user
and system, of a whole process; ratios are made within a round. Cold runs find no cache and no build, and leave both.
The naive stack is `benchmarks/naive.py`: it writes the same services for the same gateways in the usual way, and checks
nothing. `--many` services take some gigabytes of memory and disk.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

import charts
import corpus
import pages
from installed import environment
from ratios import markdown

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- compile: begin -->", "<!-- compile: end -->"
CHART = HERE.parent / "docs" / "images" / "compile.svg"
MIB, KIB = 2**20, 2**10


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one process: seconds of processor time and of the clock, and the most memory that it held, in bytes."""

    processor: float
    wall: float
    memory: int


@dataclass(frozen=True, slots=True)
class Scale:
    """Runs over so many services. `written` is the size of the build in bytes, on the disk."""

    services: int
    cold: Cost
    same: Cost
    one: Cost
    written: int


@dataclass(frozen=True, slots=True)
class Round:
    """`naive` and `naive_written` are of `scales[1]`, as are `lint` and `diff`."""

    scales: tuple[Scale, ...]
    naive: Cost
    naive_written: int
    lint: Cost
    diff: Cost


def main() -> int:
    asked = _arguments()
    _round((3, 3, 3))  # for the bytecode of all that runs
    rounds = [_round((100, asked.services, asked.many)) for _ in range(asked.rounds)]
    text = _section(rounds)
    print(text)
    if asked.write:
        CHART.parent.mkdir(exist_ok=True)
        CHART.write_text(_chart(rounds[-1]), encoding="utf-8")
        pages.fill(BEGIN, END, text)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="fill in the section of docs/performance.md")
    return parser.parse_args()


def _round(sizes: Sequence[int]) -> Round:
    scales = []
    for services in sizes:
        with _corpus(services) as directory:
            scales.append(_scale(Path(directory), services))
    with _corpus(sizes[1]) as directory:
        naive = measured((sys.executable, str(HERE / "naive.py"), "policies", "naive"), directory)
        written = _size(Path(directory) / "naive")
        lint, diff = _reviewed(Path(directory))
    return Round(tuple(scales), naive, written, lint, diff)


def _corpus(services: int) -> tempfile.TemporaryDirectory[str]:
    directory = tempfile.TemporaryDirectory(prefix="gwc-compile-")
    corpus.write(Path(directory.name) / "policies", services)
    return directory


def _scale(directory: Path, services: int) -> Scale:
    cold = measured(_gwc("compile"), directory)
    same = measured(_gwc("compile"), directory)
    _change(directory)
    one = measured(_gwc("compile"), directory)
    return Scale(services, cold, same, one, _size(directory / "build"))


def _change(directory: Path) -> None:
    changed = directory / "policies" / "service-0001.yaml"
    changed.write_text(changed.read_text(encoding="utf-8").replace("burst: 60", "burst: 59"), encoding="utf-8")


def _reviewed(directory: Path) -> tuple[Cost, Cost]:
    """Lint of the policies, and what a change of one of them means against the commit before it."""
    for command in (("init", "-q"), ("add", "."), ("commit", "-qm", "before")):
        names = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost")
        subprocess.run(("git", *names, *command), cwd=directory, check=True, capture_output=True)
    _change(directory)
    lint = measured(_gwc("lint", "--no-cache"), directory)
    return lint, measured(_gwc("diff", "--against", "HEAD"), directory)


def _gwc(*words: str) -> tuple[str, ...]:
    script = Path(sys.executable).parent / "gwc"
    return (str(script), *words) if script.is_file() else (sys.executable, "-m", "gwc", *words)


def measured(command: Sequence[str], directory: Path | str) -> Cost:
    """A run that fails measures something else."""
    environ = environment(directory)
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=directory, stdout=said, stderr=said, env=environ)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            sys.exit(f"{' '.join(command)} ended with {process.returncode}: {said.read()[-500:].decode()}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss * KIB)


def _size(directory: Path) -> int:
    """In bytes; a file that has several names was written once."""
    files = (path.stat() for path in directory.rglob("*") if path.is_file())
    return sum({(about.st_dev, about.st_ino): about.st_size for about in files}.values())


def _section(rounds: Sequence[Round]) -> str:
    return "\n".join(("", _sizes(rounds), "", _goals(rounds), "", *_notes(rounds), ""))


def _sizes(rounds: Sequence[Round]) -> str:
    head = ("services", "cold, s", "a service, ms", "nothing changed, s", "one changed, s", "memory, MiB", "build, MiB")
    rows = []
    for same_size in zip(*(one.scales for one in rounds), strict=True):
        services, cold = same_size[0].services, median(scale.cold.processor for scale in same_size)
        rows.append((
            f"{services:,}",
            f"{cold:.1f}",
            f"{cold / services * 1000:.1f}",
            f"{median(scale.same.processor for scale in same_size):.2f}",
            f"{median(scale.one.processor for scale in same_size):.1f}",
            f"{median(scale.cold.memory for scale in same_size) / MIB:,.0f}",
            f"{median(scale.written for scale in same_size) / MIB:,.0f}",
        ))  # fmt: skip
    return markdown(head, rows)


def _goals(rounds: Sequence[Round]) -> str:
    last = rounds[-1].scales
    middle, most = f"{last[1].services:,}", f"{last[2].services:,}"
    linear = last[2].services / last[1].services
    rows = [
        (f"naive / cold, {middle} services", "at least 5", _ratio(rounds, lambda r: _cpu(r.naive, r.scales[1].cold))),
        ("the same for each byte that is written", "", _ratio(rounds, _for_each_byte)),
        (f"nothing changed / cold, {most}", "at most 0.05", _ratio(rounds, lambda r: _cpu(*_pair(r, "same")), ".3f")),
        (f"one changed / cold, {most}", "at most 0.20", _ratio(rounds, lambda r: _cpu(*_pair(r, "one")))),
        (
            f"cold, {most} / {middle}",
            f"at most {linear * 1.1:.3g}",
            _ratio(rounds, lambda r: _cpu(r.scales[2].cold, r.scales[1].cold)),
        ),
        ("memory, KiB for each further service", "at most 40", _ratio(rounds, _slope, ".0f")),
        (f"diff / lint, {middle} services", "at most 1.5", _ratio(rounds, lambda r: _cpu(r.diff, r.lint))),
    ]
    return markdown(("", "goal", "measured"), rows)


def _ratio(rounds: Sequence[Round], of: Callable[[Round], float], form: str = ".2f") -> str:
    return f"{median(of(one) for one in rounds):{form}}"


def _cpu(one: Cost, base: Cost) -> float:
    return one.processor / base.processor


def _pair(one: Round, name: str) -> tuple[Cost, Cost]:
    cost: Cost = getattr(one.scales[2], name)
    return cost, one.scales[2].cold


def _for_each_byte(one: Round) -> float:
    return _cpu(one.naive, one.scales[1].cold) / one.naive_written * one.scales[1].written


def _slope(one: Round) -> float:
    _, some, many = one.scales
    return (many.cold.memory - some.cold.memory) / (many.services - some.services) / KIB


def _notes(rounds: Sequence[Round]) -> Iterator[str]:
    last = rounds[-1]
    yield (
        f"- The naive stack took {last.naive.processor:.1f} s and {last.naive.memory / MIB:.0f} MiB of memory for "
        f"{last.naive_written / MIB:.0f} MiB of configuration; gwc writes "
        f"{last.scales[1].written / MIB:.0f} MiB, alert rules and dashboards among them."
    )
    clock = ", ".join(f"{scale.services:,}: {scale.cold.wall:.1f} s" for scale in last.scales)
    yield f"- Cold by the clock, beside whatever else the machine did: {clock}."
    yield (
        f"- Measured on {date.today()} with Python {platform.python_version()} on {os.cpu_count()} cores; load average "
        f"{os.getloadavg()[0]:.1f} at the end. {len(rounds)} round{'s' if len(rounds) > 1 else ''}."
    )


def _chart(last: Round) -> str:
    bars = [
        *(
            (f"{scale.services:,} services, cold", scale.cold.processor / scale.services * 1000)
            for scale in last.scales
        ),
        (
            f"{last.scales[2].services:,}, nothing changed",
            last.scales[2].same.processor / last.scales[2].services * 1000,
        ),
        (f"naive stack, {last.scales[1].services:,}", last.naive.processor / last.scales[1].services * 1000),
    ]
    return charts.bars("gwc compile: processor time for each service", "ms", bars)


if __name__ == "__main__":
    if shutil.which("git") is None:
        sys.exit("git is needed: diff compares with a commit")
    sys.exit(main())
