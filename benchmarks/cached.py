"""How cheap a kept answer is: a hit at each gateway's edge against FastAPI with Redis and against plain FastAPI.

`python benchmarks/cached.py [--write]`, with `pip install -e '.[dev]' -r benchmarks/requirements.txt`, Debian's wrk and
redis-server. Set up as rejections.py: see load.py. Redis shares the servers' core, and its time counts for its server.

`--write` puts the result into docs/performance.md, between its two marks. Exit 4: something is not installed.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Any

import contestants
import load
import processes
import ratios
import wrk
from conformance.scenario import Scenario
from contestants import Contestant, MissingError, Peer
from load import Plan, Point
from ratelimit_double import Redis, redis_missing

MARKS = ("<!-- cached: begin -->", "<!-- cached: end -->")
BASE, REDIS = "FastAPI", "FastAPI with Redis"
PATHS = {BASE: "/made", REDIS: "/stored?version=asv"}
EDGE = "/kept?version=asv"
BYTES = len(contestants.VERSES)
STATUS = dict.fromkeys((*PATHS.values(), EDGE), 200)


def report(plan: Plan, python: str) -> str:
    """Raises MissingError."""
    if reason := redis_missing():
        raise MissingError(f"the peer keeps its answers in Redis: {reason}")
    who, began = Peer.of(python, "redis"), load.load_average()
    with ExitStack() as stack:
        behind = stack.enter_context(contestants.upstream())
        gateways, notes = load.gateways(stack, policies(behind.port), "cache")
        points = [*peers(stack, who), *((gateway, EDGE) for gateway in gateways)]
        by_path = load.measure(points, behind, plan, STATUS, rehearse)
    measured = {name: rounds for servers in by_path.values() for name, rounds in servers.items()}
    notes = [*ratios.held_back({"kept": measured}), *notes, *load.facts(plan, BASE, who, began)]
    listed = "\n".join(f"- {note}" for note in notes)
    return f"An answer of {BYTES} bytes:\n\n{ratios.served(measured, BASE, 'answers')}\n\n{listed}"


def peers(stack: ExitStack, who: Peer) -> list[Point]:
    store = Redis().start()
    stack.callback(store.stop)
    found = []
    for name, path in PATHS.items():
        environ = {"BENCHMARK_REDIS": str(store.port)}
        one = stack.enter_context(contestants.peer(who, name, "cached_app:app", path, environ))
        pids = one.pids | (processes.tree(store.pid) if name == REDIS else frozenset())
        found.append((Contestant(one.name, one.port, pids), path))
    return found


def policies(upstream: int) -> Scenario:
    cache = {"ttl": "1h", "vary": {"query": ["version"]}}
    route = {"name": "kept", "path": "/kept", "methods": ["GET"], "cache": cache}
    service: dict[str, Any] = {"service": "benchmark", "upstream": f"http://127.0.0.1:{upstream}", "routes": [route]}
    return Scenario(summary="cached", platform={"defaults": {"retries": "none"}}, services=[service], cases=[])


def rehearse(server: Contestant, path: str, plan: Plan) -> None:
    """The answer is kept from now on, and the proof that it is the same everywhere, and a hit at a gateway."""
    contestants.ask(server.port, path)
    wrk.check(server.url(path), 200, 1, plan.connections)
    status, headers, body = contestants.ask(server.port, path)
    hit = path != EDGE or headers.get("x-cache") == "HIT"
    if status != 200 or len(body) != BYTES or not hit:
        raise wrk.LoadError(f"{server.name} does not answer as the others do: {status} {headers} {len(body)} bytes")


if __name__ == "__main__":
    sys.exit(load.run(__doc__, MARKS, report))
