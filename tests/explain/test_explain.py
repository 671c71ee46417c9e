"""A request followed through policies: the route, the near misses, the values, the arithmetic."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from gwc.explain.asked import Asked, AskedError, find, read_request
from gwc.explain.explanation import explain
from gwc.explain.misses import near_misses
from gwc.explain.template import misfits
from gwc.explain.waiting import worst_case
from gwc.ir import Gateway, Level, RetryCause, Route
from gwc.model.matching import Matcher
from gwc.policy.paths import parse_path
from testkit import gateway

PLATFORM = """\
apiVersion: gwc/v1
kind: Platform
listen: {http: "127.0.0.1:8080"}
identity: {jwt: {issuer: "https://id.example.com/", audience: [shop], jwks: {url: "https://id.example.com/keys"}}}
limits: [{per: ip, rate: 1000/min, burst: 200}]
concurrency: 500
defaults: {auth: {any_of: [jwt]}, timeouts: {request: 15s}}
"""
SHOP = """\
apiVersion: gwc/v1
kind: Service
service: shop
hosts: [shop.example.com]
base_path: /shop
upstream: http://127.0.0.1:8000
limits: [{per: user, rate: 60/min}]
budget: {per: user, units: 100/hour}
routes:
  - {name: find, path: /items/search, methods: [GET], auth: none, cache: {ttl: 1m, vary: {query: [q]}}}
  - name: item
    path: /items/{id}
    methods: [GET, PATCH]
    timeouts: {request: 4s}
    retries: {attempts: 2, when: [connect, 503], per_try: 1s, backoff: {base: 100ms, max: 150ms}, budget: 20%}
    cost: 5
  - {name: order, path: /orders, methods: [POST]}
"""
ANYWHERE = """\
apiVersion: gwc/v1
kind: Service
service: files
upstream: http://127.0.0.1:8001
routes:
  - {name: every, path: /shop/items/**, methods: [GET], auth: none}
  - {name: feed, path: /feed, methods: [GET], auth: none, stream: true}
"""


@pytest.fixture(scope="module")
def built() -> Gateway:
    return gateway(SHOP, ANYWHERE, platform=PLATFORM)


def _route(built: Gateway, name: str) -> Route:
    return next(route for service in built.services for route in service.routes if route.name == name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("POST /v1/ask", Asked("POST", None, "/v1/ask")),
        ("/v1/ask?x=1#there", Asked("GET", None, "/v1/ask", "x=1")),
        ("get https://a.example.com:8443/x?y=2", Asked("GET", "a.example.com:8443", "/x", "y=2")),
        ("GET http://a.example.com", Asked("GET", "a.example.com", "/")),
    ],
)
def test_a_request_is_read_as_people_write_it(text: str, expected: Asked) -> None:
    assert read_request(text, None) == expected


@pytest.mark.parametrize(
    "text", ["", "GET", "POST v1/ask", "GET /x HTTP/1.1", "G@T /x", "GET ftp://a/x", "GET http://["]
)
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(AskedError):
        read_request(text, None)


def test_two_hosts_contradict() -> None:
    with pytest.raises(AskedError, match="leave one of them out"):
        read_request("GET https://a.example.com/x", "b.example.com")
    assert read_request("GET https://a.example.com/x", "A.example.com:80").host == "A.example.com:80"


ONE = """\
apiVersion: gwc/v1
kind: Service
service: s
upstream: http://127.0.0.1:1
routes: [{{name: r, path: "{}", methods: [GET]}}]
"""


@pytest.mark.parametrize("path", ["/a", "/a/{x}", "/a/**", "/{x}/b", "/", "/a/{x}/b/**"])
def test_a_template_fits_exactly_when_the_matcher_takes_it(path: str) -> None:
    matcher = Matcher(gateway(ONE.format(path)))
    for length in (1, 2, 3, 4):
        for segments in itertools.product(("a", "b", ""), repeat=length):
            asked = "/" + "/".join(segments)
            if "//" not in asked:
                matched = matcher.match("GET", "", asked).status == 200
                assert (not misfits(parse_path(path), segments)) is matched, asked


def test_a_host_is_taken_when_none_was_named_and_said_so(built: Gateway) -> None:
    found = find(built, read_request("POST /shop/orders", None))
    assert (found.status, found.host, found.host_assumed) == (200, "shop.example.com", True)
    named = find(built, read_request("POST /shop/orders", "other.example.com"))
    assert (named.status, named.host_assumed) == (404, False)


def test_the_same_words_reach_another_route_elsewhere(built: Gateway) -> None:
    said = explain(built, read_request("GET /shop/items/1", None), None)
    assert said.found.route is not None
    assert said.found.route.route.name == "every"
    assert {host: one.route.name for host, one in said.elsewhere.items()} == {"shop.example.com": "item"}


@pytest.mark.parametrize(
    ("request_", "host", "status", "expected"),
    [
        ("GET /shop/items/search", "shop.example.com", 200, {
            "item": "shadowed by shop/find: in segment 3 a literal comes before a parameter",
            "every": "shadowed by shop/find: a host's own routes come before those of services without hosts",
        }),
        ("DELETE /shop/items/1", "shop.example.com", 405, {"item": "other method: it takes GET, PATCH"}),
        ("POST /shop/orders", "x.example.com", 404, {"order": "other host: it answers on shop.example.com"}),
        ("POST /shop/order", None, 404, {"order": "segment 2 is `order` where it has `orders`"}),
        ("GET /feed/", None, 404, {"feed": "a trailing slash counts"}),
        ("GET /shop/items", None, 404, {"every": "the path ends before segment 3, `**`"}),
    ],
)  # fmt: skip
def test_near_misses_say_why(
    built: Gateway, request_: str, host: str | None, status: int, expected: dict[str, str]
) -> None:
    found = find(built, read_request(request_, host))
    assert found.status == status
    missed = {miss.route.name: miss.reasons[0] for miss in near_misses(built, found)}
    assert missed.items() >= expected.items()


def test_a_405_names_what_the_path_takes(built: Gateway) -> None:
    assert find(built, read_request("DELETE /shop/items/1", "shop.example.com")).allow == ("GET", "PATCH")


def test_a_preflight_is_no_405() -> None:
    cors = SHOP.replace("methods: [POST]}", "methods: [POST], cors: {origins: ['https://app.example.com']}}")
    built = gateway(cors, ANYWHERE, platform=PLATFORM)
    asked = {text: find(built, read_request(text, "shop.example.com")) for text in (
        "OPTIONS /shop/orders", "PUT /shop/orders", "OPTIONS /shop/items/1", "OPTIONS /nowhere",
    )}  # fmt: skip
    assert [(one.status, one.preflight) for one in asked.values()] == [
        (405, True), (405, False), (405, False), (404, False),
    ]  # fmt: skip


def test_checks_stand_in_the_order_of_the_language(built: Gateway) -> None:
    said = explain(built, read_request("PATCH /shop/items/1", "shop.example.com"), "alice")
    assert said.answer is not None
    assert [check.name for check in said.answer.checks] == [
        *("limit per ip", "auth", "limit per user", "budget", "max_body", "concurrency, all services", "service"),
    ]
    told = {check.name: check.what for check in said.answer.checks}
    assert told["budget"] == "takes 5 of alice's 100/hour"
    assert told["limit per user"].endswith("in the bucket of alice")


def test_what_a_public_route_passes_by_is_said(built: Gateway) -> None:
    said = explain(built, read_request("GET /shop/items/search", "shop.example.com"), None)
    assert said.answer is not None
    passed = {check.name for check in said.answer.checks if not check.applies}
    assert passed == {"auth", "limit per user", "budget"}
    cached = next(check for check in said.answer.checks if check.name == "cache")
    assert cached.what == "an answer kept for 1m ends it here: key host, path, ?q"


def test_each_value_has_its_level_and_its_line(built: Gateway) -> None:
    said = explain(built, read_request("GET /shop/items/1", "shop.example.com"), None)
    assert said.answer is not None
    where = {
        row.field: (row.text, row.origin.level, row.origin.span.file, row.origin.span.line)
        for row in said.answer.rows
        if row.origin
    }
    assert where["timeouts.request"] == ("4s", Level.ROUTE, "0.yaml", 14)
    assert where["timeouts.connect"][:2] == ("1s", Level.DEFAULT)
    assert where["auth.any_of"] == ("[jwt]", Level.PLATFORM, "2.yaml", 7)
    assert where["retries.when"] == ("[connect, 503]", Level.ROUTE, "0.yaml", 15)
    assert where["budget.units"] == ("100/hour", Level.SERVICE, "0.yaml", 8)
    assert where["base_path"] == ("/shop, taken off", Level.SERVICE, "0.yaml", 5)
    assert where["concurrency"] == ("500", Level.PLATFORM, "2.yaml", 6)
    assert [row.text for row in said.answer.rows if row.field.startswith("limits")] == [
        "1000/min, burst 200", "60/min, burst 60",
    ]  # fmt: skip


def test_the_worst_case_is_worked_out(built: Gateway) -> None:
    worst = worst_case(_route(built, "item"), "GET")
    assert (worst.tries, worst.seconds) == (3, pytest.approx(3.25))
    assert worst.steps[1:] == (
        "3 x per_try 1s + pauses 100ms + 150ms = 3250ms",
        "within timeouts.request 4s: 3250ms",
    )


def test_a_method_that_is_not_repeated_waits_for_connections_alone(built: Gateway) -> None:
    worst = worst_case(_route(built, "item"), "PATCH")
    assert (worst.tries, worst.seconds) == (3, pytest.approx(3.25))
    assert "PATCH is tried again only when no connection was made" in worst.steps[0]
    single = worst_case(_route(built, "order"), "POST")
    assert (single.tries, single.seconds) == (1, 15.0)


def test_failed_connections_alone_do_not_take_the_time_of_a_try(built: Gateway) -> None:
    route = _route(built, "item")
    connecting = replace(route.retries, causes=(RetryCause.CONNECT,), statuses=(), per_try=None)
    worst = worst_case(replace(route, retries=connecting), "GET")
    assert (worst.tries, worst.seconds) == (3, 4.0)
    assert worst.steps[1] == (
        "2 x connect 1s + pauses 100ms + 150ms = 2250ms, and the last try may take all of the time that is left"
    )


def test_what_no_try_repeats_is_tried_once(built: Gateway) -> None:
    route = _route(built, "item")
    answers = replace(route.retries, causes=(), statuses=(503,))
    worst = worst_case(replace(route, retries=answers), "PATCH")
    assert worst.tries == 1
    assert "not repeated without unsafe: true" in worst.steps[0]


def test_a_stream_has_a_bound_on_its_first_byte_alone(built: Gateway) -> None:
    worst = worst_case(_route(built, "feed"), "GET")
    assert worst.seconds is None
    assert worst.steps[-2:] == (
        "timeouts.request bounds it all: 15s, which is the wait for the first byte",
        "then the stream may last; a silence of timeouts.idle 1m ends it",
    )
