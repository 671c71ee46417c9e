"""A million distinct keys: what a flood of header values costs a gateway in memory, and which buckets outlive it.

`nice python benchmarks/keys.py [--keys N] [--only NAME] [--write]`, with `pip install -e '.[dev]'`. Every gateway in
its default profile gets N requests, each with a header value that was never seen before, under a limit of one request a
day for each value: no bucket is full again before the end. Every request has to be admitted. Memory is proportional set
size without the program's own pages, so that what processes share counts once. A bucket that was spent before the flood
is asked for after it, and a search among the flood's keys says how many of the latest ones are still kept.

`--write` puts the tables into docs/performance.md, between their marks. Exit 1: a request was refused wrongly.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import contestants
import pages
import processes
import ratios
from conformance.harness import accepted_gateway, write
from conformance.scenario import Scenario
from conformance.variants import Variant
from contestants import Contestant
from gwc.support import Fidelity
from ports import free_port

BEGIN, END = "<!-- keys: begin -->", "<!-- keys: end -->"
CONNECTIONS = 4
PIPELINED = 75
PER_CONNECTION = 900  # NGINX closes a connection after its thousandth request
PATIENCE = 30.0  # seconds for any one answer
SAMPLE_EVERY = 1.0  # seconds
MIB = 2**20
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_LONGEST = len("HTTP/1.1 200") - 1


@dataclass(frozen=True, slots=True)
class Flooded:
    """What one gateway did. Memory is in bytes; `kept` are the latest keys whose buckets are still there."""

    name: str
    keys: int
    seconds: float
    before: int
    after: int
    peak: int
    wrong: int
    spent: bool
    kept: int


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    found, notes = contestants.chosen_variants()
    rows = []
    with contestants.upstream() as behind:
        for variant in found:
            if options.only in variant.name:
                rows.append(measured(variant, behind.port, options.keys))
                print(table(rows[-1:]), file=sys.stderr)
    text = "\n\n".join([table(rows), "\n".join(f"- {note}" for note in (*facts(), *notes))])
    print(text)
    if options.write:
        pages.fill(BEGIN, END, f"\n{text}\n")
    return int(any(row.wrong for row in rows))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keys", type=int, default=1_000_000, help="distinct header values for each gateway")
    parser.add_argument("--only", default="", help="a part of a variant's name, such as envoy or nginx")
    parser.add_argument("--write", action="store_true", help=f"put the result into {pages.PAGE.name}")
    return parser.parse_args()


def measured(variant: Variant, upstream: int, keys: int) -> Flooded:
    with gateway(variant, upstream) as server:
        statuses(server.port, ["warm"])
        if statuses(server.port, ["victim", "victim"]) != [200, 429]:
            raise RuntimeError(f"{server.name} does not count header values")
        memory = Memory(server.pids)
        began = time.monotonic()
        seen = Counter(flood(server.port, (f"flood-{number}" for number in range(keys)), memory.sample))
        seconds, after = time.monotonic() - began, memory.now()
        spent = statuses(server.port, ["victim"]) == [429]
        kept = keys - first_kept(server.port, keys)
        return Flooded(server.name, keys, seconds, memory.before, after, memory.peak, keys - seen[200], spent, kept)


def first_kept(port: int, keys: int) -> int:
    """The first key of the flood that is still refused: what is given up goes in order, so halving finds it."""
    low, high = 0, keys
    while low < high:
        middle = (low + high) // 2
        if statuses(port, [f"flood-{middle}"]) == [429]:
            high = middle
        else:
            low = middle + 1
    return low


class Memory:
    """Samples of all processes of a server."""

    def __init__(self, pids: frozenset[int]) -> None:
        self._pids = pids
        self._next = 0.0
        self.before = self.peak = self.now()

    def sample(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SAMPLE_EVERY
            self.now()

    def now(self) -> int:
        held = sum(map(proportional, self._pids))
        self.peak = max(held, getattr(self, "peak", 0))
        return held


def proportional(pid: int) -> int:
    """Its share of memory in bytes, without the pages of files: those are the program, whose share shrinks when others
    run it too. Raises OSError when the process has ended: that must not pass for thrift."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))


def statuses(port: int, keys: Sequence[str]) -> list[int]:
    """One after another, so that their order is the order of the answers."""
    return list(flood(port, iter(keys), lambda: None, connections=1))


def flood(port: int, keys: Iterator[str], pulse: Callable[[], None], connections: int = CONNECTIONS) -> Iterator[int]:
    """The status of each answer. Every connection has a batch under way while the others are read."""
    lanes = [Lane(port) for _ in range(connections)]
    try:
        while sum(lane.send(keys) for lane in lanes):
            for lane in lanes:
                yield from lane.receive()
            pulse()
    finally:
        for lane in lanes:
            lane.close()


class Lane:
    """A connection that is made anew in time. Answers are told by their first lines: no body here holds such a text."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._sent = self._due = 0
        self._rest = b""

    def send(self, keys: Iterator[str]) -> int:
        batch = list(islice(keys, PIPELINED))
        if self._socket is None or self._sent + len(batch) > PER_CONNECTION:
            self.close()
            self._socket, self._sent, self._rest = socket.create_connection(("127.0.0.1", self._port), PATIENCE), 0, b""
        self._socket.sendall(b"".join(map(request, batch)))
        self._sent += len(batch)
        self._due = len(batch)
        return self._due

    def receive(self) -> Iterator[int]:
        assert self._socket is not None
        while self._due:
            more = self._socket.recv(MIB)
            if not more:
                raise ConnectionError(f"the gateway hung up with {self._due} answers to go")
            text, end = self._rest + more, 0
            for found in _STATUS.finditer(text):
                self._due, end = self._due - 1, found.end()
                yield int(found[1])
            self._rest = text[end:][-_LONGEST:]  # perhaps the beginning of the next first line

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


def request(key: str) -> bytes:
    return f"GET /key HTTP/1.1\r\nHost: gateway.test\r\nX-Tenant: {key}\r\n\r\n".encode()


def policies(upstream: int) -> Scenario:
    limit = {"per": {"header": "X-Tenant"}, "rate": "1/day", "burst": 1}
    route = {"name": "key", "path": "/key", "methods": ["GET"], "limits": [limit]}
    service = {"service": "benchmark", "upstream": f"http://127.0.0.1:{upstream}", "routes": [route]}
    return Scenario(summary="keys", platform={"defaults": {"retries": "none"}}, services=[service], cases=[])


@contextmanager
def gateway(variant: Variant, upstream: int) -> Iterator[Contestant]:
    """Compiled, written and started. Raises contestants.UnrenderedError."""
    port, before = free_port(), processes.tree(os.getpid())
    compiled, declared = accepted_gateway(policies(upstream), variant, {"LISTEN": port, "ADMIN": free_port()})
    if declared.get("limits.header") is Fidelity.UNSUPPORTED:
        raise contestants.UnrenderedError(f"{variant.name}: limits.header is unsupported there (gwc support).")
    with tempfile.TemporaryDirectory(prefix="gwc-benchmark-") as scratch:
        write(variant.target.emit(compiled, variant.profile), Path(scratch), {})
        running = variant.engine.launch(variant.engine.find(variant.profile), Path(scratch), {})
        try:
            yield Contestant(contestants.label(variant), port, processes.tree(os.getpid()) - before)
        finally:
            running.stop()


def table(rows: Sequence[Flooded]) -> str:
    head = (
        *("server", "keys", "seconds", "MiB before", "after", "peak"),
        *("refused wrongly", "spent before: still spent", "latest keys kept"),
    )
    cells = [
        (
            *(row.name, f"{row.keys:,}", f"{row.seconds:.0f}"),
            *(f"{held / MIB:.0f}" for held in (row.before, row.after, row.peak)),
            *(f"{row.wrong:,}", "yes" if row.spent else "no", f"{row.kept:,}"),
        )
        for row in rows
    ]
    return ratios.markdown(head, cells)


def facts() -> list[str]:
    return [f"Measured on {datetime.now(UTC).date()}; seconds say how long it took here, not how fast a gateway is."]


if __name__ == "__main__":
    sys.exit(main())
