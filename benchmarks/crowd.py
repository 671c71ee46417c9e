"""What one request costs a gateway that serves many services: ten of them, a hundred and a thousand.

`python benchmarks/crowd.py [--write]`, set up as rejections.py: see load.py. The services are much like those of
corpus.py, with a route that anybody may ask for. Kong's stand-in is not measured: its router is none of Kong's.

`--write` puts the result into docs/performance.md, between its two marks. Exit 4: something is not installed.
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import contestants
import load
import ratios
import wrk
from conformance.scenario import Scenario
from conformance.tokens import token
from conformance.variants import Variant
from contestants import Contestant
from gwc import process
from load import Plan, Point

MARKS = ("<!-- crowd: begin -->", "<!-- crowd: end -->")
SIZES = (10, 100, 1000)
_USUAL = {"rounds": 3, "seconds": 1, "connections": 4}
_READY_WITHIN = 300.0  # seconds: Kong makes a pattern for each route
_ROUTES = 8  # of each service, beside the open one
_REHEARSED = 20  # requests
_PLENTY = "1000000/s"
_NONE: wrk.Headers = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Asked:
    """A row of the table: `path` of the service with `number`, of so many; -1 is the last one."""

    says: str
    number: int
    path: str
    status: int = 200
    signed: bool = False

    def whole(self, services: int) -> str:
        return f"/{_name(self.number % services)}{self.path}"

    @property
    def headers(self) -> wrk.Headers:
        return {"Authorization": f"Bearer {token('alice')}"} if self.signed else _NONE


ASKED = (
    Asked("the first service", 0, "/v1/open/7"),
    Asked("the last service", -1, "/v1/open/8"),
    Asked("the last service, another path each time", -1, f"/v1/open/{wrk.NUMBER}"),
    Asked("the last service, signed, a shadow limit", -1, "/v1/things-1", signed=True),
    Asked("no token: 401", -1, "/v1/things-2/7", status=401),
    Asked("no such path: 404", -1, "/v1/nothing", status=404),
)


def report(plan: Plan, _: str) -> str:
    """The whole run, as the text of the page. Raises MissingError."""
    began, (chosen, notes) = load.load_average(), contestants.chosen_variants()
    variants = [variant for variant in chosen if variant.engine is variant.target.engine]
    process.READY_TIMEOUT = _READY_WITHIN
    with contestants.upstream() as behind:
        tables = [written(contestants.label(variant), _measured(variant, behind, plan)) for variant in variants]
    listed = "\n".join(f"- {note}" for note in [*notes, *load.circumstances(plan, began)])
    return "\n\n".join((*tables, listed))


Measured = Mapping[str, Mapping[int, ratios.Rounds]]
"""What was asked, to the rounds of each number of services."""


def _measured(variant: Variant, behind: Contestant, plan: Plan) -> Measured:
    """The sizes of one gateway side by side, so that what slows the machine for a while slows all of them."""
    with ExitStack() as stack:
        servers = {size: stack.enter_context(_gateway(variant, behind.port, size)) for size in SIZES}
        asked = {one.whole(size): one for size in SIZES for one in ASKED}
        points: list[Point] = [(servers[size], one.whole(size)) for size in SIZES for one in ASKED]
        status = {path: one.status for path, one in asked.items()}
        headers = {path: one.headers for path, one in asked.items()}
        found = load.measure(points, behind, plan, status, _rehearsal(asked), headers)
    return {one.says: {size: found[one.whole(size)][servers[size].name] for size in SIZES} for one in ASKED}


def _gateway(variant: Variant, upstream: int, services: int) -> AbstractContextManager[Contestant]:
    return contestants.gateway(variant, policies(upstream, services), "", f", {services} services")


def policies(upstream: int, services: int) -> Scenario:
    issuer = {"issuer": "https://one.example.com/", "audience": ["assistant"], "jwks": {"file": "keys/one.json"}}
    platform = {
        "identity": {"jwt": issuer},
        "limits": [{"per": "ip", "rate": _PLENTY}],
        "defaults": {"auth": {"any_of": ["jwt"]}, "timeouts": {"connect": "1s", "request": "15s", "idle": "60s"}},
    }
    found = [_service(number, f"http://127.0.0.1:{upstream}") for number in range(services)]
    return Scenario(summary="crowd", platform=platform, services=found, cases=[])


def _name(number: int) -> str:
    return f"service-{number:04}"


def _service(number: int, upstream: str) -> dict[str, Any]:
    return {
        "service": _name(number),
        "base_path": f"/{_name(number)}",
        "upstream": {"endpoints": [{"url": upstream}], "concurrency": 1000},
        "retries": {"attempts": 2, "when": ["connect", 503], "per_try": "3s"},
        "limits": [{"per": "ip", "rate": _PLENTY}, {"per": "user", "rate": _PLENTY, "mode": "shadow"}],
        "headers": {"request": {"set": {"X-Team": f"team-{number % 40}"}}, "response": {"remove": ["X-Runtime"]}},
        "routes": [*map(_route, range(_ROUTES)), _OPEN],
    }


_OPEN = {
    "name": "open",
    "path": "/v1/open/{id}",
    "methods": ["GET"],
    "auth": "none",
    "limits": [{"per": "ip", "rate": _PLENTY}],
}


def _route(index: int) -> dict[str, Any]:
    """Every other one reads one of its things, which is kept for a while."""
    path, name = f"/v1/things-{index}", f"things-{index}"
    if index % 2:
        return {"name": name, "path": path, "methods": ["GET", "POST"]}
    return {"name": name, "path": f"{path}/{{id}}", "methods": ["GET"], "cache": {"ttl": "30s", "scope": "user"}}


def _rehearsal(asked: Mapping[str, Asked]) -> Callable[[Contestant, str, Plan], None]:
    """Whether each answer has its very status, which the load itself does not look at."""

    def rehearse(server: Contestant, path: str, _: Plan) -> None:
        one = asked[path]
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
            for number in range(_REHEARSED):
                connection.request("GET", path.replace(wrk.NUMBER, str(number)), headers=dict(one.headers))
                response = connection.getresponse()
                response.read()
                if response.status != one.status:
                    raise wrk.LoadError(f"{server.name} answers {path} with {response.status}, not {one.status}")

    return rehearse


def written(variant: str, measured: Measured) -> str:
    """Microseconds of the processor for a request, and how many times that of the fewest services."""
    head = (variant, *(f"{size:,} services, µs" for size in SIZES), *(f"{size:,} / {SIZES[0]}" for size in SIZES[1:]))
    return ratios.markdown(head, [(says, *_row(of_size)) for says, of_size in measured.items()])


def _row(rounds: Mapping[int, ratios.Rounds]) -> Iterator[str]:
    for size in SIZES:
        yield ratios.figure(_microseconds, rounds[size]).shown(",.0f")
    for size in SIZES[1:]:
        yield ratios.ratio(ratios.cost, rounds[size], rounds[SIZES[0]]).shown(".2f")


def _microseconds(sample: ratios.Sample) -> float:
    return ratios.cost(sample) * 1000


if __name__ == "__main__":
    sys.exit(load.run(__doc__, MARKS, report, _USUAL))
