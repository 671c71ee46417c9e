"""The pure parts of the benchmarks. What they measure depends on the machine, and is asserted nowhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import features
import flood
import pages
import processes
import ratios
import wrk
from flood import Flood
from ratios import Sample, Spread

REPOSITORY = Path(__file__).parents[2]

QUIET = """Running 3s test @ http://127.0.0.1:8000/free
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.06ms  200.10us   4.52ms   80.00%
    Req/Sec    15.11k     0.89k   16.02k    73.33%
  45129 requests in 3.00s, 8.95MB read
Requests/sec:  15040.11
Transfer/sec:      2.98MB
"""
TROUBLED = """Running 1m test @ http://127.0.0.1:8000/rejected
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.06ms  200.10us   4.52ms   80.00%
    Req/Sec    15.11k     0.89k   16.02k    73.33%
  900123 requests in 1.00m, 178.95MB read
  Socket errors: connect 1, read 20, write 300, timeout 4000
  Non-2xx or 3xx responses: 900001
Requests/sec:  15002.05
Transfer/sec:      2.98MB
"""


def test_wrk_says_nothing_of_failures_when_there_are_none() -> None:
    assert wrk.parse(QUIET) == wrk.Load(requests=45129, seconds=3.0, failed=0, broken=0)


def test_wrk_counts_refused_answers_and_broken_sockets_apart() -> None:
    assert wrk.parse(TROUBLED) == wrk.Load(requests=900123, seconds=60.0, failed=900001, broken=4321)


@pytest.mark.parametrize("said", ["", "unable to connect to 127.0.0.1:1 Connection refused\n"])
def test_no_summary_is_an_error(said: str) -> None:
    with pytest.raises(wrk.LoadError, match="no summary"):
        wrk.parse(said)


@pytest.mark.parametrize(
    ("said", "status", "counts"),
    [
        (QUIET, 200, True),
        (QUIET, 429, False),  # nothing was refused
        (QUIET.replace("MB read\n", "MB read\n  Non-2xx or 3xx responses: 45129\n"), 429, True),
        (QUIET.replace("MB read\n", "MB read\n  Non-2xx or 3xx responses: 45128\n"), 429, False),  # one was let in
        (QUIET.replace("MB read\n", "MB read\n  Non-2xx or 3xx responses: 1\n"), 200, False),
        (QUIET.replace("45129 requests", "0 requests"), 200, False),
        (TROUBLED, 429, False),
    ],
)
def test_only_a_load_that_was_served_as_meant_counts(
    said: str, status: int, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrk, "_run", lambda *_: said)
    if counts:
        assert wrk.measure("http://127.0.0.1:1/", status, 1, 1).requests == 45129
    else:
        with pytest.raises(wrk.LoadError, match=f"should answer {status}"):
            wrk.measure("http://127.0.0.1:1/", status, 1, 1)


@pytest.mark.parametrize("others", ["Other statuses: 1\n", ""])
def test_the_rehearsal_looks_at_each_status(others: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrk, "_run", lambda *_: TROUBLED + "Other statuses: 0\n")
    wrk.check("http://127.0.0.1:1/", 429, 1, 1)
    monkeypatch.setattr(wrk, "_run", lambda *_: TROUBLED + others)
    with pytest.raises(wrk.LoadError):
        wrk.check("http://127.0.0.1:1/", 429, 1, 1)


def test_a_process_may_have_any_name() -> None:
    """proc(5): the second field is in parentheses; 14 to 17 are user and system time, own and the waited children's."""
    line = "42 (odd) name (x) S 7 42 42 0 -1 4194560 500 0 0 0 11 22 300 4000 20 0 1 0 100 1000 10 0"
    assert processes.parse(line) == processes.Stat(parent=7, ticks=4333)


def test_processor_time_of_a_tree_counts_its_children() -> None:
    child = "import time\nwhile time.process_time() < 0.1: pass\nprint(flush=True); input()"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the grandchild runs
        family = processes.tree(process.pid)
        assert len(family) == 2
        assert family < processes.tree(os.getpid())
        core = min(os.sched_getaffinity(process.pid))
        processes.pin(family, core)
        assert processes.strays(family, core) == []
        assert processes.cpu_seconds(family) >= 0.08
        process.communicate(b"\n")
    with pytest.raises(OSError, match="No such"):
        processes.cpu_seconds(family)


BASE = [Sample(1000, 1.0, 0.5), Sample(2000, 1.0, 1.0), Sample(4000, 2.0, 1.0)]
QUICK = [Sample(5000, 1.0, 0.25), Sample(20000, 1.0, 1.0), Sample(40000, 2.0, 1.0)]


def test_figures_of_a_sample() -> None:
    sample = Sample(requests=3000, seconds=2.0, cpu=1.5)
    assert (ratios.rate(sample), ratios.cost(sample), ratios.busy(sample)) == (1500, 0.5, 0.75)


def test_ratios_are_made_round_by_round() -> None:
    assert ratios.ratio(ratios.rate, QUICK, BASE) == Spread(median=10, low=5, high=10)
    with pytest.raises(ValueError, match="shorter"):
        ratios.ratio(ratios.rate, QUICK, BASE[:2])


def test_the_table_of_rejections() -> None:
    head, rule, *rows = ratios.served({"peer": BASE, "gate": QUICK}, "peer", "rejections").splitlines()
    assert len({len(line) for line in (head, rule, *rows)}) == 1
    assert _cells(head)[2:5:2] == ["rate, peer = 1", "CPU, peer = 1"]
    assert [_cells(row) for row in rows] == [
        [
            *("peer", "2,000 (1,000 to 2,000)", "1.00 (1.00 to 1.00)"),
            *("0.500 (0.250 to 0.500)", "1.00 (1.00 to 1.00)", "50%"),
        ],
        [
            *("gate", "20,000 (5,000 to 20,000)", "10.00 (5.00 to 10.00)"),
            *("0.050 (0.025 to 0.050)", "0.10 (0.10 to 0.10)", "50%"),
        ],
    ]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_of_admissions() -> None:
    slower = [Sample(one.requests // 2, one.seconds, one.cpu) for one in BASE]
    row = ratios.admissions({"gate": BASE}, {"gate": slower}).splitlines()[-1]
    assert _cells(row) == [
        "gate",
        "2,000 (1,000 to 2,000)",
        "1,000 (500 to 1,000)",
        "0.50 (0.50 to 0.50)",
        "0.500 (0.250 to 0.500)",
        "1.000 (0.500 to 1.000)",
        "2.00 (2.00 to 2.00)",
        "50%",
    ]


def test_the_table_of_the_flood() -> None:
    own = [Flood(1000, 2.0, 1.0, [0.001] * 20, [0.004] * 19 + [0.1])]
    gate = [Flood(4000, 2.0, 1.0, [0.002] * 20, [0.002] * 20)]
    assert flood.written({flood.BASE: own, "gate": gate}).splitlines()[2:] == [
        "| slowapi in memory | 500 (500 to 500)       | 1.00 (1.00 to 1.00)               "
        "| 1.0 (95th of 100: 1.0)   | 4.0 (95th of 100: 100.0) |",
        "| gate              | 2,000 (2,000 to 2,000) | 0.25 (0.25 to 0.25)               "
        "| 2.0 (95th of 100: 2.0)   | 2.0 (95th of 100: 2.0)   |",
    ]


def test_every_feature_has_a_route_of_its_own_that_the_policies_have() -> None:
    scenario = features.policies(1)
    paths = {route["path"] for service in scenario.services for route in service["routes"]}
    assert paths == {one.path for one in features.ALL}
    assert len({one.says for one in features.ALL}) == len(features.ALL) == len(paths)


def test_rates_of_servers_that_were_held_back_come_with_a_warning() -> None:
    full = [Sample(1000, 1.0, 0.97)]
    assert ratios.held_back({"/a": {"gate": full}, "/b": {"gate": full}}) == []
    (warning,) = ratios.held_back({"/a": {"gate": full}, "/b": {"gate": BASE}})
    assert "50% of it" in warning


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    assert pages.replaced("a<b>old<e>z", "<b>", "<e>", "new") == "a<b>\nnew\n<e>z"
    for page in ("a", "a<e><b>z", "<b><b><e>", "<b>old"):
        with pytest.raises(ValueError, match="once"):
            pages.replaced(page, "<b>", "<e>", "new")


def test_the_page_has_a_place_for_the_figures() -> None:
    page = (REPOSITORY / "docs/performance.md").read_text(encoding="utf-8")
    programs = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "benchmarks").glob("*.py")]
    marks = [found for program in programs if (found := re.findall(r'"(<!-- .*? -->)"', program))]
    assert {len(pair) for pair in marks} == {2}
    assert len(marks) == page.count(": begin -->")
    assert all("\nnew\n" in pages.replaced(page, begin, end, "new") for begin, end in marks)


def test_without_wrk_it_says_how_to_get_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/rejections.py"],
        cwd=REPOSITORY, env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (4, "")
    assert "apt-get install wrk" in done.stderr


def test_without_the_peer_it_says_how_to_get_it(tmp_path: Path) -> None:
    for name, text in {"wrk": "#!/bin/sh\n", "python": "#!/bin/sh\nexit 1\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("this is asked for second: two cores are needed first")
    done = subprocess.run(
        [sys.executable, "benchmarks/rejections.py", "--python", str(tmp_path / "python")],
        cwd=REPOSITORY, env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (4, "")
    assert "-r benchmarks/requirements.txt" in done.stderr
