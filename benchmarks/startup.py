"""What start-up costs, as ratios: times differ between machines and runs, the ratio of two neighbours hardly does.

`python benchmarks/startup.py [ROUNDS]`. Each row compares two commands, run in turn, and prints the median of the
pairwise ratios. `gwc --version` should cost at most 1.15 times a bare Python. Compiling the examples is compared with
an interpreter that imports the same modules and ends: what is above 1 is the work itself.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 21
GOAL = 1.15
BARE = (sys.executable, "-c", "pass")

Command = Sequence[str]


@dataclass(frozen=True)
class Row:
    """Medians in seconds, and of the ratios of neighbours."""

    name: str
    base: str
    seconds: float
    base_seconds: float
    ratio: float


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    rows = [compare("gwc --version", (*gwc(), "--version"), "python -c pass", BARE, rounds)]
    with tempfile.TemporaryDirectory(prefix="gwc-benchmark-") as directory:
        compile_ = (*gwc(), "compile", "--now", "2026-11-23", "-o", directory)
        imports = (sys.executable, "-c", f"import {', '.join(imported_by(compile_[len(gwc()) :]))}")
        rows.append(compare("gwc compile, examples", compile_, "python and the same imports", imports, rounds))
        rows.append(compare("gwc compile, examples", compile_, "python -c pass", BARE, rounds))
    print_table(rows)
    return 0


def gwc() -> Command:
    """The installed script beside this interpreter."""
    script = Path(sys.executable).parent / "gwc"
    return (str(script),) if script.is_file() else (sys.executable, "-m", "gwc")


def compare(name: str, command: Command, base_name: str, base: Command, rounds: int) -> Row:
    """Runs both once to warm the caches, then in turn."""
    seconds(command)
    seconds(base)
    pairs = [(seconds(command), seconds(base)) for _ in range(rounds)]
    return Row(
        name,
        base_name,
        median(a for a, _ in pairs),
        median(b for _, b in pairs),
        median(a / b for a, b in pairs),
    )


def seconds(command: Command) -> float:
    """The wall time of one run. A run that fails is an error: it measures nothing. 3 is an answer of compile's."""
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    taken = time.perf_counter() - started
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)[:200]} ended with {done.returncode}: {done.stderr.decode()[:500]}")
    return taken


def imported_by(argv: Command) -> list[str]:
    """The modules that `gwc ARGV` has imported at its end, in the order in which it did."""
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from gwc.cli import run\n"
        f"run({list(argv)!r})\n"
        "sys.stderr.write('\\n'.join(m for m in sys.modules if m not in before))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return [name for name in done.stderr.splitlines() if all(part.isidentifier() for part in name.split("."))]


def print_table(rows: Sequence[Row]) -> None:
    width = max(len(row.name) for row in rows)
    base_width = max(len(row.base) for row in rows)
    for row in rows:
        ms, base_ms = row.seconds * 1000, row.base_seconds * 1000
        print(f"{row.name:{width}}  {ms:7.1f} ms   {row.base:{base_width}}  {base_ms:7.1f} ms   ratio {row.ratio:5.2f}")
    print(f"goal: the first ratio at most {GOAL}")


if __name__ == "__main__":
    sys.exit(main())
