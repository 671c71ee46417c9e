"""What each feature costs a request that it admits, on each gateway, against a proxy that somebody wrote by hand.

`python benchmarks/features.py [--write]`, set up as rejections.py: see load.py. One gateway has a route for each
feature; what concerns every request, tracing, has a gateway of its own.

`--write` puts the result into docs/performance.md, between its two marks. Exit 4: something is not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import contestants
import load
import minimal
import ratios
import wrk
from conformance.scenario import Scenario
from conformance.tokens import token
from conformance.variants import Variant
from contestants import Contestant, UnrenderedError
from load import Plan, Point

MARKS = ("<!-- features: begin -->", "<!-- features: end -->")
_PLENTY = "1000000/s"


def _limit(per: str, **more: str) -> dict[str, Any]:
    return {"limits": [{"per": per, "rate": _PLENTY, **more}]}


@dataclass(frozen=True, slots=True)
class Feature:
    """A route that has it. `needs` is the feature's name in the support tables; "" is in all of them."""

    says: str
    path: str
    needs: str = ""
    route: Mapping[str, Any] = field(default_factory=dict)
    signed: bool = False


FEATURES = (
    Feature("nothing asked for", "/bare"),
    Feature("a limit per address", "/ip", "limits.ip", _limit("ip")),
    Feature("a limit per service", "/all", "limits.service", _limit("service")),
    Feature(
        "a shadow limit", "/shadow", "limits.shadow", {"limits": [{"per": "ip", "rate": _PLENTY, "mode": "shadow"}]}
    ),
    Feature("retries", "/retries", "retries.when", {"retries": {"attempts": 2, "when": ["connect", 503]}}),
    Feature("CORS", "/cors", "cors", {"cors": {"origins": ["https://app.example.com"]}}),
    Feature("a signed token", "/token", "auth.jwt", {"auth": {"any_of": ["jwt"]}}, signed=True),
    Feature(
        "a signed token and a limit per user",
        "/user",
        "limits.user",
        {"auth": {"any_of": ["jwt"]}, **_limit("user")},
        signed=True,
    ),
)
GUARDED = Feature("caps in flight and a breaker", "/guarded/bare", "upstream.breaker")
PAID = Feature(
    "a signed token and a budget", "/paid/bare", "budget", {"auth": {"any_of": ["jwt"]}, "cost": 1}, signed=True
)
TRACED = Feature("spans of one in a hundred", "/bare", "tracing")
ALL = (*FEATURES, GUARDED, PAID)


def _headers(feature: Feature) -> dict[str, str]:
    origin = {"Origin": "https://app.example.com"} if feature.needs == "cors" else {}
    return {"Authorization": f"Bearer {token('alice')}"} | origin if feature.signed else origin


HEADERS = {one.path: _headers(one) for one in ALL}

Measured = Mapping[str, Mapping[str, Sequence[ratios.Sample]]]
"""Path to server to its rounds."""


def report(plan: Plan, _: str) -> str:
    """The whole run, as the text of the page. Raises MissingError."""
    began, (variants, notes) = load.load_average(), contestants.chosen_variants()
    with ExitStack() as stack:
        behind = stack.enter_context(contestants.upstream())
        engines = [_Engine.started(stack, variant, behind.port) for variant in variants]
        points = [point for engine in engines for point in engine.points]
        measured = load.measure(points, behind, plan, {path: 200 for _, path in points}, rehearse, HEADERS)
    notes += [note for engine in engines for note in engine.notes]
    return "\n\n".join(
        (written(engines, measured), "\n".join(f"- {note}" for note in [*notes, *load.circumstances(plan, began)]))
    )


@dataclass(frozen=True, slots=True)
class _Engine:
    """One gateway: by hand, as gwc writes it, and the same with tracing where it can.

    `says` maps a server's name and a path to the feature.
    """

    label: str
    base: Contestant
    says: Mapping[tuple[str, str], str]
    points: Sequence[Point]
    notes: Sequence[str]

    @classmethod
    def started(cls, stack: ExitStack, variant: Variant, upstream: int) -> _Engine:
        label = contestants.label(variant)
        base = stack.enter_context(minimal.started(variant, upstream))
        ours = stack.enter_context(contestants.gateway(variant, policies(upstream), ""))
        lacking = contestants.unsupported(variant, policies(upstream))
        asked = [(ours, one) for one in ALL if one.needs not in lacking]
        notes = [f"{label} does not have {one.needs}." for one in ALL if one.needs in lacking]
        try:
            asked.append((stack.enter_context(_traced(variant, upstream)), TRACED))
        except UnrenderedError as unrendered:
            notes.append(str(unrendered))
        says = {(server.name, one.path): one.says for server, one in asked}
        return cls(label, base, says, [(base, "/bare"), *((server, one.path) for server, one in asked)], notes)


def _traced(variant: Variant, upstream: int) -> Any:
    tracing = {"tracing": {"otlp": f"http://127.0.0.1:{upstream}", "sample": "1%"}}
    return contestants.gateway(variant, policies(upstream, **tracing), "tracing", ", tracing")


def policies(upstream: int, **platform: Any) -> Scenario:
    """Each feature on a route of its own, none of them ever refusing; what holds for a service, on one of its own."""
    url = f"http://127.0.0.1:{upstream}"
    guarded = {"endpoints": [{"url": url}], "concurrency": 1000, "breaker": {"failures": 50, "open": "10s"}}
    services = [
        _service("benchmark", url, FEATURES),
        _service("guarded", guarded, (GUARDED,)),
        {**_service("paid", url, (PAID,)), "budget": {"per": "user", "units": "1000000000/day"}},
    ]
    issuer = {"issuer": "https://one.example.com/", "audience": ["assistant"], "jwks": {"file": "keys/one.json"}}
    shared = {"identity": {"jwt": issuer}, "defaults": {"auth": "none", "retries": "none"}, **platform}
    return Scenario(summary="features", platform=shared, services=services, cases=[])


def _service(name: str, upstream: Any, features: Sequence[Feature]) -> dict[str, Any]:
    routes = [
        {"name": one.path.strip("/").replace("/", "-"), "path": one.path, "methods": ["GET"], **one.route}
        for one in features
    ]
    return {"service": name, "upstream": upstream, "routes": routes}


def rehearse(server: Contestant, path: str, plan: Plan) -> None:
    """Warm caches, and the proof that every request is admitted."""
    wrk.check(server.url(path), 200, 1, plan.connections, HEADERS.get(path, {}))


def written(engines: Sequence[_Engine], measured: Measured) -> str:
    """For each feature, processor time for a request, the hand-written proxy of the same engine being 1."""
    says = list(dict.fromkeys(said for engine in engines for said in engine.says.values()))
    rows = [(said, *(_figure(engine, said, measured) for engine in engines)) for said in says]
    floor = ("by hand, CPU s per 1,000", *(_cost(engine, measured) for engine in engines))
    return ratios.markdown(("processor time of a request", *(engine.label for engine in engines)), [floor, *rows])


def _figure(engine: _Engine, said: str, measured: Measured) -> str:
    found = next((point for point, feature in engine.says.items() if feature == said), None)
    if found is None:
        return ""
    name, path = found
    return ratios.ratio(ratios.cost, measured[path][name], measured["/bare"][engine.base.name]).shown(".2f")


def _cost(engine: _Engine, measured: Measured) -> str:
    return ratios.figure(ratios.cost, measured["/bare"][engine.base.name]).shown(".3f")


if __name__ == "__main__":
    sys.exit(load.run(__doc__, MARKS, report))
