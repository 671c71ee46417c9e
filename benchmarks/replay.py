"""A log of millions of lines through the model: how long it takes beside reading its JSON, and what it costs in memory.

`nice python benchmarks/replay.py [--lines N]... [--keys N]... [--write]`, with `pip install -e '.[dev]'`. Lines of
gwc's own access log are made up, from N users and as many clients, and written to a temporary file (half a KiB each).
One process reads the file and calls `json.loads` on every line; another replays it under two sets of policies, which
differ in one limit. Both say how large they became. Processor time counts, so that other programs disturb little.

`--write` puts the table into docs/performance.md, between its marks. Exit 1: more than eight times `json.loads`.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pages
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.ir import Gateway
from gwc.replay.compare import Replay
from gwc.replay.reading import Counts, entries, opened
from gwc.source import read_policies

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- replay: begin -->", "<!-- replay: end -->"
MOST = 8.0
_START = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
_A_SECOND = 500
_ASKED = (
    ("GET", "/notes/v1/notes", "notes", "list"),
    ("GET", "/notes/v1/notes/17", "notes", "one"),
    ("POST", "/notes/v1/notes", "notes", "create"),
    ("GET", "/assistant/v1/prompts", "assistant", "prompts"),
    ("POST", "/assistant/v1/ask", "assistant", "ask"),
    ("GET", "/assistant/v1/scripture/John-3", "assistant", "scripture"),
    ("GET", "/media/v1/catalogue", "media", "catalogue"),
)


def write_log(file: Path, lines: int, keys: int) -> None:
    chance = random.Random(6)
    with file.open("w", encoding="utf-8") as out:
        for number in range(lines):
            out.write(_line(_START + number / _A_SECOND, chance, keys))


def _line(at: float, chance: random.Random, keys: int) -> str:
    method, path, service, route = chance.choice(_ASKED)
    who = chance.randrange(keys)
    took = chance.random() * 40
    return json.dumps({
        "time": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request_id": f"{chance.getrandbits(64):016x}", "trace_id": f"{chance.getrandbits(128):032x}",
        "service": service, "route": route, "method": method, "host": "api.example.com", "path": path, "query": "",
        "client_ip": f"10.{who >> 16 & 255}.{who >> 8 & 255}.{who & 255}", "user": f"user-{who}", "keys": {},
        "status": 200, "bytes": 812, "duration_ms": took + 1, "upstream_ms": took, "attempts": 1, "cost": None,
        "cache": "", "limited_by": "", "shadowed_by": [], "problem": "",
    }) + "\n"  # fmt: skip


def load(file: Path) -> int:
    read = 0
    with file.open(encoding="utf-8") as text:
        for line in text:
            read += bool(json.loads(line))
    return read


def replay(file: Path) -> int:
    old = _gateway()
    notes = next(service for service in old.services if service.name == "notes")
    tighter = replace(notes, limits=tuple(replace(limit, burst=max(limit.burst // 4, 1)) for limit in notes.limits))
    new = replace(old, services=tuple(tighter if one is notes else one for one in old.services))
    with opened(str(file)) as text:
        return Replay(old, new).run(entries(text, "gwc", Counts())).requests


def _gateway() -> Gateway:
    sources = read_policies(str(ROOT / "policies"), Report())
    gateway = compile_sources(sources, environment=None, now=date(2026, 11, 23), report=Report())
    assert gateway is not None
    return gateway


WORK: dict[str, Callable[[Path], int]] = {"load": load, "replay": replay}


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor seconds, and the most memory that the process had, in MiB."""

    seconds: float
    peak: float


def measured(work: str, file: Path, lines: int) -> Cost:
    """In a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--work", work, str(file)], capture_output=True, check=True)
    read, seconds, peak = json.loads(done.stdout)
    assert read == lines, f"{work} saw {read} of {lines} lines"
    return Cost(seconds, peak)


def work(name: str, file: Path) -> None:
    begun = time.process_time()
    read = WORK[name](file)
    used = time.process_time() - begun
    print(json.dumps([read, used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


@dataclass(frozen=True, slots=True)
class Row:
    lines: int
    keys: int
    size: float
    load: Cost
    replay: Cost

    @property
    def ratio(self) -> float:
        return self.replay.seconds / self.load.seconds


def row(lines: int, keys: int) -> Row:
    with tempfile.TemporaryDirectory(prefix="gwc-replay-") as scratch:
        file = Path(scratch) / "access.log"
        write_log(file, lines, keys)
        size = file.stat().st_size / 2**20
        return Row(lines, keys, size, measured("load", file, lines), measured("replay", file, lines))


def table(rows: list[Row]) -> str:
    head = (
        "| lines | users and clients | log, MiB | `json.loads`, s | replay, s | ratio | peak of `json.loads`, MiB | "
        "peak of replay, MiB |\n|--:|--:|--:|--:|--:|--:|--:|--:|"
    )
    body = (
        f"| {one.lines:,} | {one.keys:,} | {one.size:,.0f} | {one.load.seconds:.1f} | {one.replay.seconds:.1f} | "
        f"{one.ratio:.1f} | {one.load.peak:.0f} | {one.replay.peak:.0f} |"
        for one in rows
    )
    return "\n".join((head, *body))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, action="append", help="default: 1,000,000 and 10,000,000")
    parser.add_argument("--keys", type=int, action="append", help="distinct users; default: 1,000 and 100,000")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--work", nargs=2, metavar=("NAME", "FILE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work(chosen.work[0], Path(chosen.work[1]))
        return 0
    sizes, keys = chosen.lines or [1_000_000, 10_000_000], chosen.keys or [1_000, 100_000]
    rows = [row(lines, count) for lines in sizes for count in keys]
    print(table(rows))
    if chosen.write:
        pages.fill(BEGIN, END, table(rows))
    return int(any(one.ratio > MOST for one in rows))


if __name__ == "__main__":
    sys.exit(main())
