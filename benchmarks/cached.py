"""How cheap a kept answer is: a hit at each gateway's edge against FastAPI with Redis and against plain FastAPI.

`python benchmarks/cached.py [--write]`, with `pip install -e '.[dev]' -r benchmarks/requirements.txt`, Debian's wrk and
redis-server. Set up as rejections.py: all servers on one core, the client on another, medians of rounds, ratios made
round by round. Redis shares the servers' core and its time counts.

`--write` puts the result into docs/performance.md, between its two marks. Exit 4: something is not installed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from shutil import which
from typing import Any

import contestants
import processes
import ratios
import rejections
import wrk
from conformance.scenario import Scenario
from contestants import Contestant, MissingError, Peer
from ratelimit_double import Redis
from rejections import ENVIRONMENT, FAILED, PAGE, Plan

BEGIN, END = "<!-- cached: begin -->", "<!-- cached: end -->"
BASE, REDIS = "FastAPI", "FastAPI with Redis"
PATHS = {BASE: "/made", REDIS: "/stored?version=asv"}
EDGE = "/kept?version=asv"
BYTES = len(contestants.VERSES)


def main() -> int:
    options = rejections.arguments(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    try:
        text = report(rejections.planned(options), Peer.of(options.python, "redis"))
    except MissingError as missing:
        print(missing, file=sys.stderr)
        return ENVIRONMENT
    except wrk.LoadError as wrong:
        print(f"nothing was measured: {wrong}", file=sys.stderr)
        return FAILED
    print(text)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(ratios.replaced(page, BEGIN, END, f"\n{text}\n"), encoding="utf-8")
    return 0


def report(plan: Plan, who: Peer) -> str:
    """Raises MissingError."""
    if which("redis-server") is None:
        raise MissingError("the peer keeps its answers in Redis: apt-get install redis-server")
    began = rejections.load_average()
    with ExitStack() as stack:
        store = Redis().start()
        stack.callback(store.stop)
        behind = stack.enter_context(contestants.upstream())
        servers, notes = started(stack, who, behind, store)
        measured = {"kept": measure(servers, behind, plan)}
    facts = rejections.facts(plan, who, began)
    held = ratios.held_back(measured)
    listed = "\n".join(f"- {note}" for note in (*held, *notes, *facts))
    return f"An answer of {BYTES} bytes:\n\n{ratios.served(measured['kept'], BASE, 'answers')}\n\n{listed}"


def started(
    stack: ExitStack, who: Peer, behind: Contestant, store: Redis
) -> tuple[list[tuple[Contestant, str]], list[str]]:
    """Each server with the path that it is asked for, the base first; and what is missing among them."""
    environ = {"BENCHMARK_REDIS": str(store.port)}
    servers = []
    for name, path in PATHS.items():
        one = stack.enter_context(contestants.peer(who, name, "cached_app:app", path, environ))
        pids = one.pids | (processes.tree(store.pid) if name == REDIS else frozenset())
        servers.append((Contestant(one.name, one.port, pids), path))
    variants, notes = contestants.chosen_variants()
    for variant in variants:
        try:
            edge = contestants.gateway(variant, policies(behind.port), "cache")
            servers.append((stack.enter_context(edge), EDGE))
        except contestants.UnrenderedError as unrendered:
            notes.append(str(unrendered))
    return servers, notes


def policies(upstream: int) -> Scenario:
    cache = {"ttl": "1h", "vary": {"query": ["version"]}}
    route = {"name": "kept", "path": "/kept", "methods": ["GET"], "cache": cache}
    service: dict[str, Any] = {"service": "benchmark", "upstream": f"http://127.0.0.1:{upstream}", "routes": [route]}
    return Scenario(summary="cached", platform={"defaults": {"retries": "none"}}, services=[service], cases=[])


def measure(
    servers: Sequence[tuple[Contestant, str]], behind: Contestant, plan: Plan
) -> dict[str, list[ratios.Sample]]:
    """Every second round backwards, so that none always follows the same neighbour."""
    for server, _ in servers:
        rejections.confine(server, plan.server)
    rejections.confine(behind, plan.client)
    with pinned(plan.client):
        for server, path in servers:
            rehearse(server, path, plan)
        measured: dict[str, list[ratios.Sample]] = {server.name: [] for server, _ in servers}
        for number in range(plan.rounds):
            for server, path in servers if number % 2 == 0 else reversed(servers):
                measured[server.name].append(sample(server, path, plan))
            print(f"round {number + 1} of {plan.rounds}", file=sys.stderr)
    return measured


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """wrk inherits the core of this process."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def rehearse(server: Contestant, path: str, plan: Plan) -> None:
    """The answer is kept from now on, and the proof that it is the same everywhere, and a hit at a gateway."""
    contestants.ask(server.port, path)
    wrk.check(server.url(path), 200, 1, plan.connections)
    status, headers, body = contestants.ask(server.port, path)
    hit = path != EDGE or headers.get("x-cache") == "HIT"
    if status != 200 or len(body) != BYTES or not hit:
        raise wrk.LoadError(f"{server.name} does not answer as the others do: {status} {headers} {len(body)} bytes")


def sample(server: Contestant, path: str, plan: Plan) -> ratios.Sample:
    before = processes.cpu_seconds(server.pids)
    load = wrk.measure(server.url(path), 200, plan.seconds, plan.connections)
    return ratios.Sample(load.requests, load.seconds, processes.cpu_seconds(server.pids) - before)


if __name__ == "__main__":
    sys.exit(main())
