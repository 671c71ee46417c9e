"""Why a gateway at all: a flood that is refused at the gateway against one that is refused inside the service.

`python benchmarks/flood.py [--write]`, set up as rejections.py (see load.py), with Debian's redis-server. One client
sends as fast as it can and is limited to 20 requests a second; another sends five a second from an address of its own
and must never be refused. Behind each gateway is the same FastAPI application without a limiter, on the same core.

`--write` puts the result into docs/performance.md, between its two marks. Exit 4: something is not installed.
"""

from __future__ import annotations

import http.client
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import contestants
import load
import processes
import ratios
import wrk
from conformance.scenario import Scenario
from contestants import FREE, Contestant, MissingError, Peer
from load import Plan, Point
from ratelimit_double import Redis, redis_missing

MARKS = ("<!-- flood: begin -->", "<!-- flood: end -->")
BASE, REDIS = "slowapi in memory", "slowapi in Redis"
FLOODED = "/flooded"
_RATE, _PACE, _SOURCE = 20, 0.2, "127.0.0.2"
_SLACK = 3  # windows, as clocks and token buckets begin where they like


@dataclass(frozen=True, slots=True)
class Flood:
    """One server in one round. `quiet` and `during` are the other client's latencies, in seconds."""

    refused: int
    seconds: float
    cpu: float
    quiet: Sequence[float]
    during: Sequence[float]


def report(plan: Plan, python: str) -> str:
    """Raises MissingError."""
    if reason := redis_missing():
        raise MissingError(f"one peer counts in Redis: {reason}")
    who, began = Peer.of(python, "redis"), load.load_average()
    with ExitStack() as stack:
        behind = stack.enter_context(contestants.peer(who, "service", "slowapi_app:app", FREE))
        gateways, notes = load.gateways(stack, policies(behind.port), "limits.ip")
        whole = [Contestant(one.name, one.port, one.pids | behind.pids) for one in gateways]
        points = [*_peers(stack, who), *((gateway, FREE) for gateway in whole)]
        load.confine(points, plan)
        measured: dict[str, list[Flood]] = {}
        for number in range(plan.rounds):
            for server, path in points if number % 2 == 0 else reversed(points):
                measured.setdefault(server.name, []).append(_flooded(server, path, plan))
            print(f"round {number + 1} of {plan.rounds}", file=sys.stderr)
    listed = "\n".join(f"- {note}" for note in [*notes, *load.facts(plan, "FastAPI", who, began)])
    return f"{written(measured)}\n\n{listed}"


def _peers(stack: ExitStack, who: Peer) -> list[Point]:
    store = Redis().start()
    stack.callback(store.stop)
    shared = {"BENCHMARK_STORE": f"redis://127.0.0.1:{store.port}"}
    own = stack.enter_context(contestants.peer(who, BASE, "slowapi_app:app", FREE))
    one = stack.enter_context(contestants.peer(who, REDIS, "slowapi_app:app", FREE, shared))
    return [(own, FLOODED), (Contestant(one.name, one.port, one.pids | processes.tree(store.pid)), FLOODED)]


def policies(upstream: int) -> Scenario:
    limits = [{"per": "ip", "rate": f"{_RATE}/s"}]
    route = {"name": "free", "path": FREE, "methods": ["GET"], "limits": limits}
    service: dict[str, Any] = {"service": "benchmark", "upstream": f"http://127.0.0.1:{upstream}", "routes": [route]}
    return Scenario(summary="flood", platform={"defaults": {"retries": "none"}}, services=[service], cases=[])


def _flooded(server: Contestant, path: str, plan: Plan) -> Flood:
    """The well-behaved client alone, then beside the flood. Raises LoadError where the limit did not hold."""
    quiet = _behave(server, path, plan.seconds)
    before = processes.cpu_seconds(server.pids)
    with wrk.started(server.url(path), plan.seconds, plan.connections) as running:
        during = _behave(server, path, plan.seconds - 2 * _PACE)
        found = wrk.finished(running)
    cpu = processes.cpu_seconds(server.pids) - before
    if found.broken or found.requests - found.failed > _RATE * (found.seconds + _SLACK):
        raise wrk.LoadError(f"{server.name} did not hold the limit: {found}")
    return Flood(found.failed, found.seconds, cpu, quiet, during)


def _behave(server: Contestant, path: str, seconds: float) -> list[float]:
    """Five requests a second on one connection. Raises LoadError when one of them is not answered with 200."""
    took, began = [], time.monotonic()
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, 30, (_SOURCE, 0))) as connection:
        for number in range(max(1, int(seconds / _PACE))):
            time.sleep(max(0.0, began + number * _PACE - time.monotonic()))
            asked = time.perf_counter()
            connection.request("GET", path)
            with connection.getresponse() as response:
                response.read()
            took.append(time.perf_counter() - asked)
            if response.status != 200:
                raise wrk.LoadError(f"{server.name} answers {response.status} to one who keeps to the limit")
    return took


def written(measured: Mapping[str, Sequence[Flood]]) -> str:
    """Ratios are those of the same round."""
    head = (
        "refused by",
        "refusals a second",
        f"CPU of one, {BASE} = 1",
        "another client waits, ms",
        "in the flood, ms",
    )
    samples = {name: [_sample(one) for one in rounds] for name, rounds in measured.items()}
    rows = [
        (
            name,
            ratios.figure(ratios.rate, samples[name]).shown(",.0f"),
            ratios.ratio(ratios.cost, samples[name], samples[BASE]).shown(".2f"),
            _waits([one.quiet for one in rounds]),
            _waits([one.during for one in rounds]),
        )
        for name, rounds in measured.items()
    ]
    return ratios.markdown(head, rows)


def _sample(one: Flood) -> ratios.Sample:
    return ratios.Sample(one.refused, one.seconds, one.cpu)


def _waits(rounds: Sequence[Sequence[float]]) -> str:
    every = sorted(took * 1000 for one in rounds for took in one)
    return f"{statistics.median(every):.1f} (95th of 100: {every[int(len(every) * 0.95)]:.1f})"


if __name__ == "__main__":
    sys.exit(load.run(__doc__, MARKS, report))
