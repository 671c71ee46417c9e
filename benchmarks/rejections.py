"""How cheap it is to say no: rejections a second by each gateway, against the same rejection inside FastAPI.

`python benchmarks/rejections.py [--write]`, with `pip install -e '.[dev]' -r benchmarks/requirements.txt` and Debian's
wrk. All servers run at once, on one core; in each round every point gets its seconds in turn, with the client and the
service behind the gateways on another core. Figures are medians of the rounds with the lowest and the highest, ratios
are made round by round. Processor time is the steadier figure on a machine that does other things as well.

`--write` puts the result into docs/performance.md, between its two marks. Exit 4: something is not installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import contestants
import processes
import ratios
import wrk
from contestants import FREE, LIMITED, REJECTED, Contestant, MissingError, Peer

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- rejections: begin -->", "<!-- rejections: end -->"
BASE = "FastAPI"
STATUS = {REJECTED: 429, LIMITED: 200, FREE: 200}
FAILED, ENVIRONMENT = 1, 4  # exit codes

Measured = dict[str, dict[str, list[ratios.Sample]]]
"""Path to server to its rounds."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`server` and `client` are cores."""

    rounds: int
    seconds: int
    connections: int
    server: int
    client: int


def main() -> int:
    options = arguments(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    try:
        text = report(options)
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


def arguments(about: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--rounds", type=positive, default=7)
    parser.add_argument("--seconds", type=positive, default=3, help="of each point in each round")
    parser.add_argument("--connections", type=positive, default=16)
    parser.add_argument("--python", default=sys.executable, help="an interpreter with benchmarks/requirements.txt")
    parser.add_argument("--write", action="store_true", help="put the result into docs/performance.md")
    return parser.parse_args()


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def report(options: argparse.Namespace) -> str:
    """The whole run, as the text of the page. Raises MissingError."""
    plan, who = planned(options), Peer.of(options.python)
    began = load_average()
    with ExitStack() as stack:
        behind = stack.enter_context(contestants.upstream())
        servers, notes = started(stack, who, behind)
        measured = measure(servers, behind, plan)
    return written(measured, [*ratios.held_back(measured), *notes, *facts(plan, who, began)])


def planned(options: argparse.Namespace) -> Plan:
    """The first two cores that this process may use. Raises MissingError."""
    if not wrk.available():
        raise MissingError("wrk makes the load, and is not on PATH: apt-get install wrk")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise MissingError("the client needs another core than the servers, and there is only one")
    return Plan(options.rounds, options.seconds, options.connections, *cores[:2])


def started(stack: ExitStack, who: Peer, behind: Contestant) -> tuple[list[Contestant], list[str]]:
    """All servers, the base first, and what is missing among them."""
    servers = [stack.enter_context(contestants.peer(who, BASE, "slowapi_app:app", contestants.FREE))]
    variants, notes = contestants.chosen_variants()
    for variant in variants:
        try:
            servers.append(
                stack.enter_context(contestants.gateway(variant, contestants.policies(behind.port), "limits.ip"))
            )
        except contestants.UnrenderedError as unrendered:
            notes.append(str(unrendered))
    return servers, notes


def measure(servers: Sequence[Contestant], behind: Contestant, plan: Plan) -> Measured:
    """Every second round goes through the points backwards, so that none always follows the same neighbour. The points
    of one server are neighbours: what a limit adds is little, and the machine changes with time."""
    for server in servers:
        confine(server, plan.server)
    confine(behind, plan.client)
    os.sched_setaffinity(0, {plan.client})  # wrk inherits it
    points = [(server, path) for server in servers for path in STATUS]
    for server, path in points:
        rehearse(server, path, plan)
    measured: Measured = {path: {server.name: [] for server in servers} for path in STATUS}
    for number in range(plan.rounds):
        for server, path in points if number % 2 == 0 else reversed(points):
            measured[path][server.name].append(sample(server, path, plan))
        print(f"round {number + 1} of {plan.rounds}", file=sys.stderr)
    return measured


def confine(server: Contestant, core: int) -> None:
    processes.pin(server.pids, core)
    if strays := processes.strays(server.pids, core):
        raise RuntimeError(f"{server.name}: the threads {strays} do not stay on core {core}")


def rehearse(server: Contestant, path: str, plan: Plan) -> None:
    """Warm caches and an empty bucket, and the proof that the answers are what the page says they are."""
    contestants.ask(server.port, path)  # the one that /rejected admits
    wrk.check(server.url(path), STATUS[path], 1, plan.connections)
    status, headers, body = contestants.ask(server.port, path)
    if path == REJECTED and not is_rejection(status, headers, body):
        raise wrk.LoadError(f"{server.name} does not reject as the others do: {status} {headers} {body[:300]!r}")


def is_rejection(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """429 as a problem with all six keys, and when to come back."""
    if status != 429 or headers.get("content-type") != "application/problem+json" or "retry-after" not in headers:
        return False
    return set(json.loads(body)) == {"type", "title", "status", "detail", "instance", "request_id"}


def sample(server: Contestant, path: str, plan: Plan) -> ratios.Sample:
    before = processes.cpu_seconds(server.pids)
    load = wrk.measure(server.url(path), STATUS[path], plan.seconds, plan.connections)
    return ratios.Sample(load.requests, load.seconds, processes.cpu_seconds(server.pids) - before)


def written(measured: Measured, notes: Sequence[str]) -> str:
    return "\n\n".join(
        [
            "What a rejection costs:",
            ratios.served(measured[REJECTED], BASE, "rejections"),
            "What a limit adds to a request that it admits, on the same server:",
            ratios.admissions(measured[FREE], measured[LIMITED]),
            "\n".join(f"- {note}" for note in notes),
        ]
    )


def facts(plan: Plan, who: Peer, began: str) -> list[str]:
    """What the figures depend on. No name of a host."""
    today, cores = datetime.now(UTC).date(), os.cpu_count()
    return [
        f"Measured on {today} on {cores} cores ({processor()}, Linux {platform.release().partition('-')[0]}); "
        f"load average {began} before, {load_average()} after.",
        f"{plan.rounds} rounds of {plan.seconds} s a point; wrk {wrk.version()} with one thread and "
        f"{plan.connections} connections kept alive. Servers on one core; client and service on another.",
        f"{BASE}: {who.versions}, one process.",
    ]


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def load_average() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    sys.exit(main())
