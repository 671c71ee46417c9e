"""The model answers as the language says; tests of replay and of the live engines hold it against the real ones."""

from __future__ import annotations

from typing import Any

import pytest

from compiling import gateway_of
from gwc.model import Answer, Model, Outcome, Request
from gwc.model.paths import canonical

NOON = 1_795_435_200.0  # the beginning of an hour
_PLATFORM: dict[str, Any] = {
    "apiVersion": "gwc/v1",
    "kind": "Platform",
    "identity": {
        "jwt": {"issuer": "https://id.example.com/", "audience": ["shop"], "jwks": {"file": "keys/jwks.json"}},
        "api_key": {"consumers": [{"name": "ann", "secret": {"env": "KEY_ANN"}}]},
    },
    "defaults": {"auth": "none"},
}
_SERVICE: dict[str, Any] = {
    "apiVersion": "gwc/v1",
    "kind": "Service",
    "service": "shop",
    "upstream": {"endpoints": [{"url": "http://127.0.0.1:8000"}]},
    "routes": [{"name": "a", "path": "/a", "methods": ["GET", "POST"]}],
}


def model(platform: dict[str, Any] | None = None, **service: Any) -> Model:
    return Model(gateway_of({"platform": {**_PLATFORM, **(platform or {})}, "shop": {**_SERVICE, **service}}))


def route(**more: Any) -> list[dict[str, Any]]:
    return [{"name": "a", "path": "/a", "methods": ["GET", "POST"], **more}]


def ask(one: Model, at: float = 0.0, answer: Answer | None = None, **request: Any) -> Outcome:
    values = {"method": "GET", "host": "x", "path": "/a", **request}
    return one.ask(Request(time=NOON + at, **values), answer or Answer())


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/a//b", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/../../a", "/a"),
        ("/a/.", "/a/"),
        ("/.../a", "/.../a"),
        ("/%61%2D%7e", "/a-~"),
        ("/a%2e%2E/b", "/a../b"),
        ("/a/%2e%2E/b", "/b"),
        ("/a%20b%c3%a9", "/a%20b%c3%a9"),
        ("/a%2541", "/a%2541"),
        ("/a\\b", "/a/b"),
        ("/a//../b", "/a/b"),
        ("/a//..", "/a/"),
        ("//", "/"),
        ("/%%32F", None),
        ("/a%2Fb", None),
        ("/a%5cb", None),
        ("/a%00", None),
        ("a", None),
    ],
)
def test_a_path_has_one_form(path: str, form: str | None) -> None:
    assert canonical(path) == form


def test_matching_is_by_host_then_path_then_method() -> None:
    own = {**_SERVICE, "hosts": ["a.example.com"], "routes": [{"name": "own", "path": "/x/{p}", "methods": ["GET"]}]}
    anywhere = {**_SERVICE, "service": "other", "routes": [{"name": "any", "path": "/x/**", "methods": ["GET", "PUT"]}]}
    one = Model(gateway_of({"platform": _PLATFORM, "shop": own, "other": anywhere}))
    assert ask(one, host="A.example.com.:80", path="/x/1").route == "own"
    assert ask(one, host="a.example.com", path="/x/1/2").route == "any"
    assert ask(one, host="b.example.com", path="/x/1").route == "any"
    assert ask(one, host="b.example.com", path="/x/").route == "any"
    assert ask(one, host="b.example.com", path="/x").status == 404
    assert ask(one, method="PUT", host="a.example.com", path="/x/1").status == 405
    assert ask(one, path="/x/%2f").status == 400


def test_a_bucket_holds_its_burst_and_refills_evenly() -> None:
    one = model(limits=[{"per": "ip", "rate": "60/min", "burst": 3}])
    assert [ask(one).status for _ in range(4)] == [200, 200, 200, 429]
    assert ask(one, client_ip="10.0.0.2").status == 200
    refused = ask(one, 0.25)
    assert (refused.problem, refused.retry_after) == ("rate-limited", pytest.approx(0.75))
    assert [ask(one, 1.0).status for _ in range(2)] == [200, 429]
    assert [ask(one, 60.0).status for _ in range(4)] == [200, 200, 200, 429]


def test_an_ipv6_client_counts_by_its_64() -> None:
    one = model(limits=[{"per": "ip", "rate": "1/hour"}])
    assert [ask(one, client_ip=ip).status for ip in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")] == [
        200,
        429,
        200,
    ]


def test_a_refusal_takes_nothing_of_a_later_stage() -> None:
    one = model(
        limits=[{"per": "ip", "rate": "2/hour"}, {"per": "user", "rate": "3/hour"}],
        routes=route(auth={"any_of": ["jwt"]}),
    )
    assert [ask(one, user="").status for _ in range(3)] == [401, 401, 429]
    assert [ask(one, user="ann", client_ip=f"10.0.0.{n}").status for n in range(4)] == [200, 200, 200, 429]


def test_of_one_stage_a_refusal_takes_nothing_at_all() -> None:
    one = model(
        limits=[{"per": "service", "rate": "2/hour"}], routes=route(limits=[{"per": "service", "rate": "1/hour"}])
    )
    assert [ask(one).status for _ in range(5)] == [200, 429, 429, 429, 429]


def test_a_shadow_is_told_and_refuses_nothing() -> None:
    one = model(limits=[{"per": "ip", "rate": "1/hour", "mode": "shadow"}])
    assert [len(ask(one).shadowed_by) for _ in range(3)] == [0, 1, 1]


def test_who_may_call() -> None:
    one = model(routes=route(auth={"any_of": ["jwt"], "scopes": ["read"]}))
    assert ask(one, user="ann", credential="api_key").status == 401
    assert ask(one, user="ann", credential="jwt", scopes=frozenset()).status == 403
    assert ask(one, user="ann", credential="jwt", scopes=frozenset({"read", "x"})).status == 200
    assert ask(one, user="ann").status == 200


def test_a_budget_runs_out_until_the_clock_turns() -> None:
    one = model(budget={"per": "user", "units": "10/hour"}, routes=route(auth={"any_of": ["jwt"]}, cost=4))
    assert [ask(one, 10.0, user="ann").status for _ in range(3)] == [200, 200, 429]
    assert ask(one, 3590.0, user="ann").retry_after == pytest.approx(10.0)
    assert ask(one, 3600.0, user="ann").status == 200
    assert ask(one, 10.0, user="bob").status == 200


def test_the_actual_cost_settles() -> None:
    budget = {"per": "user", "units": "10/hour", "charge": "X-Cost"}
    one = model(budget=budget, routes=route(auth={"any_of": ["jwt"]}))
    assert ask(one, user="ann", answer=Answer(cost=9)).cost == 9
    assert [ask(one, user="ann").status for _ in range(2)] == [200, 429]


def test_caps_count_what_has_not_ended() -> None:
    one = model(upstream={"endpoints": [{"url": "http://127.0.0.1:8000"}], "concurrency": 2})
    slow = Answer(seconds=5.0)
    assert [ask(one, at, slow).limited_by for at in (0, 1, 2, 5.5)] == ["", "", "upstream.concurrency", ""]
    assert [ask(model({"concurrency": 1}), at, slow).limited_by for at in (0, 1)] == ["", ""]
    both = model({"concurrency": 1})
    assert [ask(both, at, slow).limited_by for at in (0, 1)] == ["", "concurrency"]


def test_caps_come_last_and_units_are_taken_by_then() -> None:
    """As on Envoy and NGINX. Nobody who is refused for another reason is told that the gateway is full."""
    service = {"auth": {"any_of": ["jwt"]}, "budget": {"per": "user", "units": "3/hour"}, "cost": 1}
    one = model({"concurrency": 1}, budget=service.pop("budget"), max_body="1KiB", routes=route(**service))
    assert ask(one, 0, Answer(seconds=9), user="ann").status == 200
    assert ask(one, 1).status == 401
    assert ask(one, 1, user="ann", method="POST", body=1025).status == 413
    assert ask(one, 1, user="ann").limited_by == "concurrency"
    assert ask(one, 20, user="ann").limited_by == "budget"


def test_a_refusal_for_size_has_taken_a_limits_token() -> None:
    limits = [{"per": "service", "rate": "1/hour", "burst": 1}]
    one = model(max_body="1KiB", routes=route(limits=limits))
    assert [ask(one, method="POST", body=size).status for size in (1025, 1)] == [413, 429]


def test_hits_need_no_place_and_kept_answers_cover_for_a_full_gateway() -> None:
    kept = {"name": "a", "path": "/a", "methods": ["GET"], "cache": {"ttl": "10s", "stale": {"if_error": "1h"}}}
    slow = {"name": "slow", "path": "/slow", "methods": ["GET"]}
    one = model({"concurrency": 1}, routes=[kept, slow])
    assert ask(one).cache == "MISS"
    assert ask(one, 1, Answer(seconds=14), path="/slow").status == 200
    assert [ask(one, at).cache for at in (2, 12)] == ["HIT", "STALE"]


def test_a_slow_answer_times_out() -> None:
    one = model(timeouts={"request": "2s"})
    assert ask(one, answer=Answer(seconds=2.5)).problem == "timeout"
    assert ask(model(routes=route(stream=True)), answer=Answer(seconds=99)).status == 200


def test_hits_are_free_of_the_budget_and_not_of_limits() -> None:
    one = model(
        budget={"per": "user", "units": "1/hour"},
        limits=[{"per": "user", "rate": "4/hour"}],
        routes=route(auth={"any_of": ["jwt"]}, cache={"ttl": "1m", "scope": "user"}),
    )
    found = [ask(one, user="ann") for _ in range(5)]
    assert [(o.cache, o.status) for o in found] == [("MISS", 200), *[("HIT", 200)] * 3, ("", 429)]
    assert ask(one, user="bob").cache == "MISS"


def test_what_keys_an_answer() -> None:
    one = model(routes=route(cache={"ttl": "1m", "vary": {"query": ["a", "b"], "headers": ["X-L"]}}))
    assert ask(one, query="a=1&b=2&c=3").cache == "MISS"
    assert ask(one, query="b=2&a=1&c=4").cache == "HIT"
    assert ask(one, query="a=1&b=3").cache == "MISS"
    assert ask(one, query="a=1&b=2", headers={"x-l": "de"}).cache == "MISS"
    assert ask(one, path="//a", query="a=1&b=2").cache == "HIT"
    assert ask(one, method="POST").cache == "BYPASS"


def test_stale_answers_cover_failures_and_renewals() -> None:
    stale = {"if_error": "1h", "while_revalidate": "10s"}
    one = model(routes=route(cache={"ttl": "1m", "negative_ttl": "5s", "stale": stale}))
    down = Answer(503)
    assert [ask(one, at, a).cache for at, a in ((0, Answer()), (65, Answer()), (66, Answer()))] == [
        "MISS",
        "STALE",
        "HIT",
    ]
    assert (ask(one, 300, down).cache, ask(one, 300, down).status) == ("STALE", 200)
    assert ask(one, 9000, down).status == 503
    assert [ask(one, at, Answer(404), path="/a/../a", query="").cache for at in (10000, 10004, 10006)] == [
        "MISS",
        "HIT",
        "MISS",
    ]


def test_what_may_not_be_stored_is_not() -> None:
    one = model(routes=route(cache={"ttl": "1m"}))
    assert [ask(one, answer=Answer(cacheable=False)).cache for _ in range(2)] == ["MISS", "MISS"]
    assert [ask(one, answer=Answer(status)).cache for status in (404, 500, 200, 200)] == ["MISS", "MISS", "MISS", "HIT"]


def test_a_larger_body_is_refused() -> None:
    assert ask(model(max_body="1KiB"), method="POST", body=1025).problem == "payload-too-large"
