"""How cheap it is to say no: rejections a second by each gateway, against the same rejection inside FastAPI.

`python benchmarks/rejections.py [--write]`, with `pip install -e '.[dev]' -r benchmarks/requirements.txt` and Debian's
wrk. All servers run at once, on one core; in each round every point gets its seconds in turn, with the client and the
service behind the gateways on another core: see load.py.

`--write` puts the result into docs/performance.md, between its two marks. Exit 4: something is not installed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import contestants
import load
import ratios
import wrk
from contestants import FREE, LIMITED, REJECTED, Contestant, Peer
from load import Plan

MARKS = ("<!-- rejections: begin -->", "<!-- rejections: end -->")
BASE = "FastAPI"
STATUS = {REJECTED: 429, LIMITED: 200, FREE: 200}

Measured = dict[str, dict[str, list[ratios.Sample]]]
"""Path to server to its rounds."""


def report(plan: Plan, python: str) -> str:
    """The whole run, as the text of the page. Raises MissingError."""
    who, began = Peer.of(python), load.load_average()
    with ExitStack() as stack:
        behind = stack.enter_context(contestants.upstream())
        peer = stack.enter_context(contestants.peer(who, BASE, "slowapi_app:app", FREE))
        gateways, notes = load.gateways(stack, contestants.policies(behind.port), "limits.ip")
        # The points of one server are neighbours: what a limit adds is little, and the machine changes with time.
        points = [(server, path) for server in (peer, *gateways) for path in STATUS]
        measured = load.measure(points, behind, plan, STATUS, rehearse)
    return written(measured, [*ratios.held_back(measured), *notes, *load.facts(plan, BASE, who, began)])


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


if __name__ == "__main__":
    sys.exit(load.run(__doc__, MARKS, report))
