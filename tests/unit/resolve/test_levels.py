"""Levels, environments, waivers: what is settled, and which line decided it."""

from __future__ import annotations

from datetime import date

import pytest

from gwc.ir import Gateway, Level, Node, Route
from gwc.policy.bounds import BoundsPolicy
from gwc.policy.order import tighter
from gwc.policy.types import Tighter
from testkit import gateway, resolved

HEAD = "apiVersion: gwc/v1\nkind: Service\nservice: notes\nupstream: http://127.0.0.1:8000\n"
PLATFORM = """\
apiVersion: gwc/v1
kind: Platform
listen: {http: 8080}
defaults:
  auth: none
  timeouts: {connect: 2s, request: 20s}
  retries: {attempts: 1, when: [connect]}
  headers:
    request: {set: {X-Env: platform, X-Keep: "1"}, remove: [X-Debug, X-Gone]}
  cors: {origins: ["https://a.example.com"], methods: [GET]}
"""


def _route(service: str, platform: str = PLATFORM, environment: str | None = None) -> Route:
    return gateway(HEAD + service, platform=platform, environment=environment).services[0].routes[0]


def test_the_more_specific_level_wins_field_by_field() -> None:
    route = _route("timeouts: {request: 10s}\nroutes: [{name: r, path: /r, methods: [GET], timeouts: {idle: 5s}}]\n")
    assert (route.timeouts.connect, route.timeouts.request, route.timeouts.idle) == (2, 10, 5)
    levels = {leaf: origin.level for leaf, origin in route.timeouts.provenance.items()}
    assert levels == {"connect": Level.PLATFORM, "request": Level.SERVICE, "idle": Level.ROUTE}
    assert str(route.timeouts.provenance["request"].span) == "0.yaml:5:21"
    assert route.retries.provenance["backoff_base"].level is Level.DEFAULT


def test_none_forgets_what_more_general_levels_wrote() -> None:
    route = _route("retries: none\nroutes: [{name: r, path: /r, methods: [GET], retries: {attempts: 3}, cors: none}]\n")
    assert (route.retries.attempts, route.retries.statuses) == (3, ())
    assert route.cors is None


def test_headers_are_settled_one_by_one() -> None:
    route = _route(
        "headers: {request: {set: {X-Debug: 'on'}, remove: [X-Keep]}}\n"
        "routes: [{name: r, path: /r, methods: [GET], headers: {request: {set: {x-env: route}}}}]\n"
    )
    assert route.headers.request.set == (("X-Debug", "on"), ("x-env", "route"))
    assert route.headers.request.remove == ("X-Keep",)


def test_each_header_remembers_the_level_that_decided_it() -> None:
    changes = _route(
        "headers: {request: {set: {X-Keep: '2'}}}\n"
        "routes: [{name: r, path: /r, methods: [GET], headers: {request: {set: {x-env: route}, remove: [X-Keep]}}}]\n"
    ).headers.request
    places = {leaf: (origin.level, str(origin.span)) for leaf, origin in changes.provenance.items()}
    assert places == {
        "set": (Level.ROUTE, "0.yaml:6:66"),
        "remove": (Level.ROUTE, "0.yaml:6:87"),
        "set.x-env": (Level.ROUTE, "0.yaml:6:72"),
        "remove.x-keep": (Level.ROUTE, "0.yaml:6:96"),
    }


@pytest.mark.parametrize(("backoff", "first", "longest"), [
    ("{}", 0.025, 0.25),
    ("{base: 1s}", 1, 1),
    ("{max: 10ms}", 0.01, 0.01),
    ("{base: 50ms, max: 2s}", 0.05, 2),
])  # fmt: skip
def test_a_written_backoff_moves_the_default_of_the_other_end(backoff: str, first: float, longest: float) -> None:
    retries = _route(f"retries: {{attempts: 1, backoff: {backoff}}}\n" + ROUTES).retries
    assert (retries.backoff_base, retries.backoff_max) == (first, longest)


def test_a_section_remembers_the_level_that_decided_it() -> None:
    route = _route("timeouts: {request: 9s}\nretries: none\n" + ROUTES)
    levels = {name: route.provenance[name].level for name in ("timeouts", "retries", "cors", "headers", "cache")}
    assert levels == {
        "timeouts": Level.SERVICE, "retries": Level.SERVICE, "cors": Level.PLATFORM, "headers": Level.PLATFORM,
        "cache": Level.DEFAULT,
    }  # fmt: skip
    assert str(route.provenance["retries"].span) == "0.yaml:6:10"


def test_cors_methods_default_to_the_routes_own() -> None:
    route = _route("cors: {origins: ['*']}\nroutes: [{name: r, path: /r, methods: [PUT, GET]}]\n",
                   platform=PLATFORM.replace(", methods: [GET]}", "}"))  # fmt: skip
    assert route.cors is not None
    assert (route.cors.origins, route.cors.methods) == (("*",), ("GET", "PUT"))


def test_an_inherited_cache_leaves_streams_and_writes_alone() -> None:
    built = gateway(
        HEAD + "cache: {ttl: 1h}\nroutes:\n"
        "  - {name: a, path: /a, methods: [GET]}\n  - {name: b, path: /b, methods: [POST]}\n"
        "  - {name: c, path: /c, methods: [GET], stream: true}\n  - {name: d, path: /d, methods: [GET], cache: none}\n",
        platform=PLATFORM,
    )
    assert [route.cache is not None for route in built.services[0].routes] == [True, False, False, False]


def test_environments_merge_maps_replace_lists_and_merge_routes_by_name() -> None:
    text = (
        HEAD + "hosts: [a.example.com]\ntimeouts: {connect: 3s, request: 9s}\n"
        "routes:\n  - {name: r, path: /r, methods: [GET], cost: 2}\n"
        "environments:\n  prod:\n    hosts: [p.example.com]\n    timeouts: {request: 8s}\n"
        "    routes:\n      - {name: r, cost: 5}\n      - {name: s, path: /s, methods: [GET]}\n"
    )
    plain, prod = (
        gateway(text, platform=PLATFORM).services[0],
        gateway(text, platform=PLATFORM, environment="prod").services[0],
    )
    assert (plain.hosts, [r.name for r in plain.routes], plain.routes[0].cost) == (("a.example.com",), ["r"], 2)
    assert (prod.hosts, [r.name for r in prod.routes], prod.routes[0].cost) == (("p.example.com",), ["r", "s"], 5)
    assert (prod.routes[0].timeouts.connect, prod.routes[0].timeouts.request) == (3, 8)
    assert prod.routes[0].timeouts.provenance["request"].span.line == 12


LONG = "apiVersion: gwc/v1\nkind: Service\nservice: notes\nupstream: {endpoints: [{url: 'http://a'}], concurrency: 5}\n"


@pytest.mark.parametrize(("head", "overlay", "host", "cap"), [
    (LONG, "http://b", "b", 5),
    (HEAD, "{concurrency: 7}", "127.0.0.1", 7),
    (HEAD, "http://b", "b", None),
    (LONG, "{endpoints: [{url: 'http://b'}]}", "b", 5),
])  # fmt: skip
def test_an_environment_overlays_upstream_in_either_form(head: str, overlay: str, host: str, cap: int | None) -> None:
    text = head + "routes: [{name: r, path: /r, methods: [GET]}]\nenvironments: {prod: {upstream: " + overlay + "}}\n"
    upstream = gateway(text, platform=PLATFORM, environment="prod").services[0].upstream
    assert ([e.address.host for e in upstream.endpoints], upstream.concurrency) == ([host], cap)


def test_an_environment_that_names_a_route_twice_is_no_silent_choice() -> None:
    text = HEAD + ROUTES + "environments: {prod: {routes: [{name: r, cost: 1}, {name: r, cost: 2}]}}\n"
    _, report = resolved(text, PLATFORM)
    assert {d.message for d in report.diagnostics} == {
        f"`{key}` is missing in routes[1]" for key in ("path", "methods")
    }


def test_the_short_form_of_an_upstream_was_written_by_the_service() -> None:
    (endpoint,) = gateway(HEAD + ROUTES, platform=PLATFORM).services[0].upstream.endpoints
    assert {origin.level for leaf, origin in endpoint.provenance.items() if leaf != "weight"} == {Level.SERVICE}
    assert str(endpoint.provenance["address"].span) == "0.yaml:4:11"


def test_base_path_is_part_of_the_path_and_stripped() -> None:
    built = gateway(HEAD + "base_path: /notes\nroutes: [{name: r, path: '/{id}', methods: [GET]}]\n", platform=PLATFORM)
    assert (built.services[0].routes[0].path.text, built.services[0].strip) == ("/notes/{id}", "/notes")
    kept = gateway(
        HEAD + "base_path: /notes\nkeep_base_path: true\nroutes: [{name: r, path: /, methods: [GET]}]\n",
        platform=PLATFORM,
    )
    assert (kept.services[0].routes[0].path.text, kept.services[0].strip) == ("/notes/", "")


def test_localhost_is_the_loopback_address_to_listen_on() -> None:
    platform = PLATFORM.replace("{http: 8080}", "{http: 'localhost:8080', admin: 'localhost:9902'}")
    listen = gateway(HEAD + ROUTES, platform=platform).listen
    assert (str(listen.http), str(listen.admin)) == ("127.0.0.1:8080", "127.0.0.1:9902")


def test_a_base_path_and_a_path_may_both_be_long() -> None:
    base, path = "/" + "a" * 900, "/" + "b" * 900
    built = gateway(
        HEAD + f"base_path: {base}\nroutes: [{{name: r, path: {path}, methods: [GET]}}]\n", platform=PLATFORM
    )
    template = built.services[0].routes[0].path
    assert (template.text, [s.text for s in template.segments]) == (base + path, [base[1:], path[1:]])


BOUNDED = PLATFORM + "bounds: {timeouts.request: {max: 10s}}\n"
WAIVED = BOUNDED + "waivers: [{service: notes, bound: timeouts.request, reason: slow, until: 2026-11-23}]\n"
ROUTES = "routes: [{name: r, path: /r, methods: [GET]}]\n"


def test_a_bound_points_at_both_lines_and_a_waiver_holds_through_its_last_day() -> None:
    _, report = resolved(HEAD + ROUTES, BOUNDED)
    (found,) = report.diagnostics
    assert (str(found.span), str(found.related[0].span)) == ("1.yaml:6:36", "1.yaml:11:10")
    assert resolved(HEAD + ROUTES, WAIVED, now=date(2026, 11, 23))[0] is not None
    _, late = resolved(HEAD + ROUTES, WAIVED, now=date(2026, 11, 24))
    assert [d.code for d in late.diagnostics] == ["GWC211"]


@pytest.mark.parametrize(("bound", "service", "says"), [
    ("upstream.concurrency: {max: 10}", "", "upstream.concurrency is not set, and the platform's maximum is 10"),
    ("retries.budget: {max: 20%}", "", "retries.budget is not set, and the platform's maximum is 20%"),
    ("retries.budget: {max: 20%}", "retries: none\n", None),
    ("retries.budget: {max: 20%}", "retries: {budget: 10%}\n", None),
    ("upstream.concurrency: {min: 10}", "", None),
])  # fmt: skip
def test_leaving_a_cap_out_is_no_way_round_its_bound(bound: str, service: str, says: str | None) -> None:
    routes = "routes: [{name: r, path: /r, methods: [GET]}, {name: s, path: /s, methods: [GET]}]\n"
    _, report = resolved(HEAD + service + routes, PLATFORM + f"bounds: {{{bound}}}\n")
    assert {d.message.partition(": ")[2] for d in report.diagnostics} == ({says} if says else set())


@pytest.mark.parametrize(("bound", "route", "cure"), [
    ("timeouts.request: {max: 10s}", "timeouts: {request: 11s}", "tighten it"),
    ("timeouts.request: {min: 10s}", "timeouts: {request: 9s}", "loosen it"),
    ("cost: {min: 2}", "cost: 1", "tighten it"),
    ("cost: {max: 2}", "cost: 3", "loosen it"),
    ("cache.stale.if_error: {max: 1h}", "cache: {ttl: 1m, stale: {if_error: 2h}}", "tighten it"),
    ("cache.negative_ttl: {min: 1m}", "cache: {ttl: 1m, negative_ttl: 1s}", "loosen it"),
    ("max_body: {max: 1MiB}", "max_body: 2MiB", "tighten it"),
    ("upstream.concurrency: {max: 9}", "max_body: 2MiB", "tighten it"),
    ("auth: required", "auth: none", "add it"),
])  # fmt: skip
def test_what_cures_a_violation_follows_the_order_of_the_field(bound: str, route: str, cure: str) -> None:
    routes = f"routes: [{{name: r, path: /r, methods: [GET, HEAD], {route}}}]\n"
    _, report = resolved(HEAD + routes, PLATFORM + f"bounds: {{{bound}}}\n")
    assert [d.hint for d in report.diagnostics] == [f"{cure}, or ask the platform team for a waiver"]


RANGES = [i.alias or name for name, i in BoundsPolicy.model_fields.items() if "Range" in str(i.annotation)]


@pytest.mark.parametrize("name", RANGES)
def test_every_range_bounds_a_field_that_has_an_order(name: str) -> None:
    assert tighter(name) in Tighter


def test_a_line_breaks_a_bound_once_however_many_routes_inherit_it() -> None:
    routes = "routes: [" + ", ".join(f"{{name: r{n}, path: /r{n}, methods: [GET]}}" for n in range(3)) + "]\n"
    _, report = resolved(HEAD + "timeouts: {request: 11s}\n" + routes, BOUNDED)
    assert [(d.message, str(d.span)) for d in report.diagnostics] == [
        ("notes/r0 and 2 more: timeouts.request is 11s, above the platform's maximum of 10s", "0.yaml:5:21")
    ]


@pytest.mark.parametrize("level", ["platform", "service", "route"])
def test_a_required_ip_limit_is_met_on_any_level(level: str) -> None:
    limit = "limits: [{per: ip, rate: 5/s}]"
    platform = PLATFORM + "bounds: {limits.ip: required}\n" + (limit + "\n" if level == "platform" else "")
    route = f"  - {{name: r, path: /r, methods: [GET]{', ' + limit if level == 'route' else ''}}}\n"
    service = HEAD + (limit + "\n" if level == "service" else "") + "routes:\n" + route
    assert resolved(service, platform)[0] is not None
    shadow = service.replace("5/s}", "5/s, mode: shadow}"), platform.replace("5/s}", "5/s, mode: shadow}")
    assert [d.code for d in resolved(*shadow)[1].diagnostics] == ["GWC210"]


def _nodes(value: object) -> list[Node]:
    if isinstance(value, tuple):
        return [node for item in value for node in _nodes(item)]
    if not isinstance(value, Node):
        return []
    return [value, *(n for name in vars(value) if name != "provenance" for n in _nodes(getattr(value, name)))]


def test_every_leaf_of_the_ir_remembers_where_it_came_from() -> None:
    built: Gateway = gateway(
        HEAD + "limits: [{per: {header: X-Tenant}, rate: 1/s}]\nbudget: {units: 5/day}\n"
        "routes: [{name: r, path: /r, methods: [GET], cache: {ttl: 1h}}]\n",
        platform=PLATFORM,
    )
    for node in _nodes(built):
        leaves = set(vars(node)) - {"provenance"}
        if type(node).__name__ in {"Headers", "HeaderChanges"} or leaves <= set(node.provenance):
            continue
        missing = leaves - set(node.provenance) - {"environment", "now"}
        assert not missing, f"{type(node).__name__} forgot {missing}"
