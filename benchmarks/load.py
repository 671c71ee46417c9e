"""What rejections.py and cached.py share: servers on one core, the client on another, rounds that alternate.

Figures are medians of the rounds with the lowest and the highest, ratios are made round by round. Processor time is the
steadier figure on a machine that does other things as well.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import contestants
import pages
import processes
import ratios
import wrk
from conformance.scenario import Scenario
from contestants import Contestant, MissingError, Peer

FAILED, ENVIRONMENT = 1, 4  # exit codes

_NONE: Mapping[str, wrk.Headers] = MappingProxyType({})

Point = tuple[Contestant, str]
"""A server and the path that it is asked for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`server` and `client` are cores."""

    rounds: int
    seconds: int
    connections: int
    server: int
    client: int


USUAL = {"rounds": 7, "seconds": 3, "connections": 16}
"""What a benchmark does unless it is told otherwise."""


def run(
    about: str | None,
    marks: tuple[str, str],
    report: Callable[[Plan, str], str],
    usual: Mapping[str, int] = MappingProxyType(USUAL),
) -> int:
    """A benchmark from its command line to its exit code. `report` gets the plan and the peer's interpreter."""
    options = _arguments(about, usual)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    try:
        text = report(_planned(options), options.python)
    except MissingError as missing:
        print(missing, file=sys.stderr)
        return ENVIRONMENT
    except wrk.LoadError as wrong:
        print(f"nothing was measured: {wrong}", file=sys.stderr)
        return FAILED
    print(text)
    if options.write:
        pages.fill(*marks, f"\n{text}\n")
    return 0


def _arguments(about: str | None, usual: Mapping[str, int]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--rounds", type=_positive, default=usual["rounds"])
    parser.add_argument("--seconds", type=_positive, default=usual["seconds"], help="of each point in each round")
    parser.add_argument("--connections", type=_positive, default=usual["connections"])
    parser.add_argument("--python", default=sys.executable, help="an interpreter with benchmarks/requirements.txt")
    parser.add_argument("--write", action="store_true", help=f"put the result into {pages.PAGE.name}")
    return parser.parse_args()


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def _planned(options: argparse.Namespace) -> Plan:
    """The first two cores that this process may use. Raises MissingError."""
    if not wrk.available():
        raise MissingError("wrk makes the load, and is not on PATH: apt-get install wrk")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise MissingError("the client needs another core than the servers, and there is only one")
    return Plan(options.rounds, options.seconds, options.connections, *cores[:2])


def measure(
    points: Sequence[Point],
    behind: Contestant,
    plan: Plan,
    status: Mapping[str, int],
    rehearse: Callable[[Contestant, str, Plan], None],
    headers: Mapping[str, wrk.Headers] = _NONE,
) -> dict[str, dict[str, list[ratios.Sample]]]:
    """The rounds of each server, by path. `status` is what a path has to answer; `rehearse` proves that it is right.
    `headers` are sent with the requests for a path.

    Every second round goes through the points backwards, so that none always follows the same neighbour.
    """
    confine(points, plan)
    _confine(behind, plan.client)
    for server, path in points:
        rehearse(server, path, plan)
    measured: dict[str, dict[str, list[ratios.Sample]]] = {}
    for number in range(plan.rounds):
        for server, path in points if number % 2 == 0 else reversed(points):
            sample = _sample(server, path, status[path], plan, headers.get(path, {}))
            measured.setdefault(path, {}).setdefault(server.name, []).append(sample)
        print(f"round {number + 1} of {plan.rounds}", file=sys.stderr)
    return measured


def confine(points: Sequence[Point], plan: Plan) -> None:
    """The servers to their core, and this process to the other."""
    for server in {server.name: server for server, _ in points}.values():
        _confine(server, plan.server)
    os.sched_setaffinity(0, {plan.client})  # wrk inherits it


def _confine(server: Contestant, core: int) -> None:
    processes.pin(server.pids, core)
    if strays := processes.strays(server.pids, core):
        raise RuntimeError(f"{server.name}: the threads {strays} do not stay on core {core}")


def _sample(server: Contestant, path: str, status: int, plan: Plan, headers: wrk.Headers) -> ratios.Sample:
    before = processes.cpu_seconds(server.pids)
    load = wrk.measure(server.url(path), status, plan.seconds, plan.connections, headers)
    return ratios.Sample(load.requests, load.seconds, processes.cpu_seconds(server.pids) - before)


def gateways(stack: ExitStack, policies: Scenario, needs: str) -> tuple[list[Contestant], list[str]]:
    """Every gateway that there is, started, and what is missing among them. `needs` is a feature."""
    variants, notes = contestants.chosen_variants()
    found = []
    for variant in variants:
        try:
            found.append(stack.enter_context(contestants.gateway(variant, policies, needs)))
        except contestants.UnrenderedError as unrendered:
            notes.append(str(unrendered))
    return found, notes


def facts(plan: Plan, base: str, who: Peer, began: str) -> list[str]:
    """What the figures depend on; `base` is the peer's name in the tables. No name of a host."""
    return [*circumstances(plan, began), f"{base}: {who.versions}, one process."]


def circumstances(plan: Plan, began: str) -> list[str]:
    """The machine and the plan; `began` is the load average before."""
    return [
        machine(began),
        f"{plan.rounds} rounds of {plan.seconds} s a point; wrk {wrk.version()} with one thread and "
        f"{plan.connections} connections kept alive. Servers on one core; client and service on another.",
    ]


def machine(began: str) -> str:
    """When and on what was measured, by no name of a host; `began` is the load average before."""
    today, cores = datetime.now(UTC).date(), os.cpu_count()
    return (
        f"Measured on {today} on {cores} cores ({_processor()}, Linux {platform.release().partition('-')[0]}); "
        f"load average {began} before, {load_average()} after."
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def load_average() -> str:
    return f"{os.getloadavg()[0]:.1f}"
