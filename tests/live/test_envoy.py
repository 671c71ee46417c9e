"""A live diff against a real Envoy: nothing when it has just started, and each of the drifts that are put into it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gwc.live.tree import Kind
from gwc.target import EngineMissingError
from gwc_envoy.dynamic import CLUSTERS, HOSTS, LISTENERS, ORDER
from gwc_envoy.emit import FILE
from gwc_envoy.layout import texts
from gwc_envoy.tree import routes_of
from live.gateways import VALUE, Rendered, envoy_dump, rendered, running

Json = dict[str, Any]


@pytest.fixture(params=["default", "files"])
def envoy(request: pytest.FixtureRequest, tmp_path: Path) -> Rendered:
    return rendered(tmp_path, "envoy", request.param)


def dumped(one: Rendered) -> str:
    try:
        binary = one.target.engine.find(one.artifact.profile)
    except EngineMissingError as error:
        pytest.skip(str(error))
    with running(one, binary):
        return envoy_dump(one)


def test_nothing_when_it_has_just_started(envoy: Rendered) -> None:
    text = dumped(envoy)
    assert envoy.drifts(text) == ()
    assert VALUE not in text


@contextmanager
def opened(one: Rendered) -> Iterator[Json]:
    """What Envoy reads as one bootstrap, whose parts are changed where they stand."""
    files = {name: json.loads(text) for name, text in texts(one.directory).items()}
    bootstrap = files[FILE]
    managers: list[Json] = []
    if LISTENERS in files:
        resources = {name: files[name]["resources"] for name in ORDER}
        static = {"listeners": resources[LISTENERS], "clusters": resources[CLUSTERS]}
        found = (listener["filter_chains"][0]["filters"][0]["typed_config"] for listener in static["listeners"])
        managers = [manager for manager in found if "rds" in manager]
        for manager in managers:
            manager["route_config"] = resources[HOSTS][0]
        bootstrap = {"static_resources": static}
    yield bootstrap
    for manager in managers:
        del manager["route_config"]
    for name, content in files.items():
        (one.directory / name).write_text(json.dumps(content), encoding="utf-8")


def routes(bootstrap: Json, name: str) -> Iterator[Json]:
    """Every route of that name that forwards to the hop in front of the service, or to the service."""
    for listener in bootstrap["static_resources"]["listeners"]:
        for chain in listener["filter_chains"]:
            for host in chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]:
                yield from (route for route in routes_of(host) if route.get("name") == name and "route" in route)


def manager(bootstrap: Json) -> Json:
    config: Json = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    return config


def cluster(bootstrap: Json, name: str) -> Json:
    found: Json = next(one for one in bootstrap["static_resources"]["clusters"] if one["name"].startswith(name))
    return found


def endpoint(found: Json) -> Json:
    address: Json = found["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    return address


def shorter_timeout(bootstrap: Json) -> None:
    for route in routes(bootstrap, "notes/create"):
        if route["route"]["timeout"] == "15s":
            route["route"]["timeout"] = "5s"


def larger_body(bootstrap: Json) -> None:
    for route in routes(bootstrap, "notes/change"):
        if "request_body_buffer_limit" in route:
            route["request_body_buffer_limit"] = 2**20


def wider_limit(bootstrap: Json) -> None:
    for bucket in buckets(bootstrap, "route/assistant/ask/0"):
        bucket["token_bucket"]["max_tokens"] = 500


def buckets(node: Any, name: str) -> Iterator[Json]:
    if isinstance(node, dict) and "token_bucket" in node and name in json.dumps(node):
        yield node
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from buckets(below, name)


def other_upstream(bootstrap: Json) -> None:
    endpoint(cluster(bootstrap, "notes"))["port_value"] = 8999


def without_auth(bootstrap: Json) -> None:
    for route in routes(bootstrap, "notes/sync"):
        route.get("metadata", {}).get("filter_metadata", {}).pop("gwc.auth", None)


def without_route(bootstrap: Json) -> None:
    for host in manager(bootstrap)["route_config"]["virtual_hosts"]:
        host["routes"] = [route for route in host["routes"] if route["name"] != "media/reading"]


def backdoor(bootstrap: Json) -> None:
    route = {"name": "debug", "match": {"prefix": "/debug"}, "direct_response": {"status": 200}}
    manager(bootstrap)["route_config"]["virtual_hosts"][0]["routes"].insert(0, route)


def lower_cap(bootstrap: Json) -> None:
    cluster(bootstrap, "accounts/")["circuit_breakers"]["thresholds"][0]["max_requests"] = 7


def deaf_breaker(bootstrap: Json) -> None:
    cluster(bootstrap, "assistant/")["outlier_detection"]["consecutive_5xx"] = 500


def leaked_secret(bootstrap: Json) -> None:
    for route in routes(bootstrap, "assistant/ask"):
        for added in route.get("request_headers_to_add", ()):
            if added["header"]["key"] == "X-Team":
                added["header"]["value"] = VALUE


def opened_listener(bootstrap: Json) -> None:
    listener = json.loads(json.dumps(bootstrap["static_resources"]["listeners"][-1]))
    listener["name"], listener["address"]["socket_address"]["port_value"] = "spare", 0
    bootstrap["static_resources"]["listeners"].append(listener)


def without_strip(bootstrap: Json) -> None:
    """Clients may say who they are."""
    mutations = manager(bootstrap)["early_header_mutation_extensions"][0]["typed_config"]["mutations"]
    mutations[:] = [one for one in mutations if "x-user-id" not in json.dumps(one).lower()]


DRIFTS: list[tuple[Callable[[Json], None], Kind, str, str]] = [
    (shorter_timeout, Kind.CHANGED, "notes/create", "timeouts.request"),
    (larger_body, Kind.CHANGED, "notes/change", "max_body"),
    (wider_limit, Kind.CHANGED, "assistant/ask", "limits.burst"),
    (other_upstream, Kind.CHANGED, "notes", "upstream.endpoints"),
    (without_auth, Kind.MISSING, "notes/sync", "auth.any_of"),
    (without_route, Kind.MISSING, "media/reading", "route"),
    (backdoor, Kind.EXTRA, "accounts", ""),
    (lower_cap, Kind.CHANGED, "accounts", "upstream.concurrency"),
    (deaf_breaker, Kind.CHANGED, "assistant", "upstream.breaker.failures"),
    (leaked_secret, Kind.CHANGED, "assistant/ask", "headers.request.set"),
    (opened_listener, Kind.EXTRA, "the platform", ""),
    (without_strip, Kind.MISSING, "the platform", "identity.user_header"),
]
IN_FILES = [one for one in DRIFTS if one[0] in (shorter_timeout, other_upstream, wider_limit)]
"""One in each file."""


def test_every_drift_is_found(envoy: Rendered) -> None:
    """All of them at once, in one Envoy: none hides another."""
    drifts = DRIFTS if envoy.artifact.profile == "default" else IN_FILES
    with opened(envoy) as bootstrap:
        for drift, *_ in drifts:
            drift(bootstrap)
    text = dumped(envoy)
    found = envoy.drifts(text)
    said = {
        (one.kind, str(subject), field) for one in found for subject in one.subjects for field in one.fields or ("",)
    }
    for drift, kind, subject, field in drifts:
        assert (kind, subject, field) in said, (drift.__name__, sorted(said))
