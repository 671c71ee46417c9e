"""Credentials, limits, budgets and breakers: what is emitted for them. What they do is for the scenarios to show."""

from __future__ import annotations

from typing import Any

import pytest

from gwc.features import FEATURES
from gwc.ir import Gateway
from gwc.support import Fidelity
from gwc.survey import check
from gwc_envoy import TARGET
from unit.envoy.policies import gateway, route
from unit.envoy.test_emit import bootstrap, manager, named

_IDENTITY = {
    "jwt": {"issuer": "https://id.example.com/", "audience": ["a"], "jwks": {"url": "https://id.example.com/keys"}},
    "api_key": {"consumers": [{"name": "mobile", "secret": {"env": "KEY_MOBILE"}}]},
}


def protected(*routes: dict[str, Any], **service: Any) -> Gateway:
    return gateway({"service": "a", "auth": {"any_of": ["jwt"]}, "routes": list(routes), **service}, identity=_IDENTITY)


def filters(given: Gateway) -> list[str]:
    return [entry["name"] for entry in manager(given)["http_filters"]]


def config(given: Gateway, name: str) -> dict[str, Any]:
    found = next(entry for entry in manager(given)["http_filters"] if entry["name"] == name)
    typed: dict[str, Any] = found["typed_config"]
    return typed


def test_the_order_of_the_guards() -> None:
    limits = [{"per": key, "rate": "5/s"} for key in ("ip", "user")]
    given = protected(route(), limits=limits, budget={"per": "user", "units": "9/hour"})
    names = [name for name in filters(given) if name.startswith(("gwc.limits.", "gwc.jwt", "gwc.auth", "gwc.budget"))]
    assert names == ["gwc.limits.answer", "gwc.limits.ip", "gwc.jwt", "gwc.auth", "gwc.limits.caller", "gwc.budget"]


def test_a_token_is_needed_unless_a_route_says_otherwise() -> None:
    given = protected(route(), route("open", "/open", auth="none"))
    jwt = config(given, "gwc.jwt")
    assert jwt["rules"] == [{"match": {"prefix": "/"}, "requires": {"provider_name": given.identity.jwt[0].name}}]
    asked, unasked = named(given, "a/r")[0], named(given, "a/open")[0]
    assert asked["typed_per_filter_config"]["gwc.jwt"]["requirement_name"] == "required"
    assert unasked["typed_per_filter_config"]["gwc.jwt"]["disabled"] is True
    assert unasked["metadata"]["filter_metadata"]["gwc.auth"] == {"accepts": "none"}


def test_keys_are_named_never_written() -> None:
    given = protected(route(auth={"any_of": ["api_key"]}))
    script = config(given, "gwc.auth")["default_source_code"]["inline_string"]
    assert 'local CONSUMERS = {{name = "mobile", env = "KEY_MOBILE"}}' in script


def test_without_credentials_there_is_no_filter_for_them() -> None:
    assert not {"gwc.jwt", "gwc.auth", "gwc.token"} & set(filters(gateway({"service": "a"})))


def test_every_limit_has_one_bucket_set_however_many_hosts_serve_it() -> None:
    service = {"service": "a", "limits": [{"per": "service", "rate": "5/s"}]}
    given = gateway(service, {"service": "b", "hosts": ["b.example.com"]})
    assert [entry["entries"] for entry in config(given, "gwc.limits.caller")["descriptors"]] == [
        [{"key": "limit", "value": given.services[0].limits[0].id}]
    ]
    for host in ("any", "b.example.com"):
        (entry,) = named(given, "a/r", host)
        assert entry["route"]["rate_limits"][0]["actions"][0]["generic_key"]["descriptor_value"].startswith("service/a")


def test_limits_that_a_request_meets_and_that_share_a_burst_are_in_different_filters() -> None:
    """A refusal names the filter and the burst: the access log and the answer say which limit it was."""
    limits = [{"per": "service", "rate": "5/s"}, {"per": "service", "rate": "5/min"}, {"per": "service", "rate": "9/s"}]
    given = gateway({"service": "a", "limits": limits, "routes": [route()]}, {"service": "b", "limits": limits[:1]})
    first, second = (config(given, name) for name in ("gwc.limits.caller", "gwc.limits.caller.1"))
    assert [d["entries"][0]["value"] for d in first["descriptors"]] == ["service/a/0", "service/a/2", "service/b/0"]
    assert [d["entries"][0]["value"] for d in second["descriptors"]] == ["service/a/1"]
    told = named(given, "a/r")[0]["metadata"]["filter_metadata"]
    assert told["gwc.limits"] == {"gwc.limits.caller.1/service/5": "service/a/1"}
    assert [row["actions"][0]["metadata"]["metadata_key"]["path"] for row in second["rate_limits"]] == [
        [{"key": "gwc.limits.caller.1/service/5"}]
    ]
    assert told["gwc.limits.answer"]["burst:caller.1:5"] == "service/a/1"


def test_a_service_s_user_limit_leaves_public_routes_alone() -> None:
    given = protected(route(), route("open", "/open", auth="none"), limits=[{"per": "user", "rate": "5/s"}])
    assert "rate_limits" in named(given, "a/r")[0]["route"]
    assert "rate_limits" not in named(given, "a/open")[0]["route"]


def test_every_counting_filter_is_enabled_and_shadows_enforce_nothing() -> None:
    limits = [{"per": "ip", "rate": "5/s"}, {"per": "ip", "rate": "1/s", "mode": "shadow"}]
    given = gateway({"service": "a", "limits": limits})
    for name, enforced in (("gwc.limits.ip", 100), ("gwc.limits.ip.shadow", 0)):
        assert config(given, name)["filter_enabled"]["default_value"]["numerator"] == 100
        assert config(given, name)["filter_enforced"]["default_value"]["numerator"] == enforced
        assert config(given, name)["max_dynamic_descriptors"] == 100_000


def test_filters_are_as_many_as_a_request_meets_shadows() -> None:
    """Every request passes all of them."""
    shadows = [{"per": "ip", "rate": f"{n}/s", "mode": "shadow"} for n in (1, 2)]
    given = gateway(*({"service": name, "base_path": f"/{name}", "limits": shadows} for name in "abcdefgh"))
    names = [entry["name"] for entry in manager(given)["http_filters"] if "shadow" in entry["name"]]
    assert names == ["gwc.limits.ip.shadow", "gwc.limits.ip.shadow.1", "gwc.limits.ip.shadow.noted"]
    assert len(config(given, names[1])["descriptors"]) == 8 and len(config(given, names[1])["rate_limits"]) == 1
    counters = [entry for entry in manager(given)["access_log"] if "limit_shadowed" in str(entry)]
    assert len(counters) == 2


def test_every_route_of_a_budget_says_what_it_costs() -> None:
    free, open_ = route("free", "/free", cost=0), route("open", "/open", auth="none")
    given = protected(route(cost=4), free, open_, budget={"per": "user", "units": "9/hour"})
    said = named(given, "a/r")[0]["metadata"]["filter_metadata"]["gwc.budget"]
    assert said == {"name": "a", "cost": 4, "units": 9, "period": 3600}
    for name in ("a/free", "a/open"):
        assert "gwc.budget" not in named(given, name)[0]["metadata"]["filter_metadata"]


def test_the_actual_cost_is_hidden_from_the_client() -> None:
    given = protected(route(), budget={"per": "user", "units": "9/hour", "charge": "X-Cost-Units"})
    assert "x-cost-units" in named(given, "a/r")[0]["response_headers_to_remove"]


def test_a_breaker_may_eject_the_only_endpoint() -> None:
    upstream = {"endpoints": [{"url": "http://127.0.0.1:1"}], "breaker": {"failures": 3, "open": "2s"}}
    clusters = bootstrap(gateway({"service": "a", "upstream": upstream}))["static_resources"]["clusters"]
    detection = next(c for c in clusters if c["name"] == "a")["outlier_detection"]
    assert detection["max_ejection_percent"] == 100
    assert detection["base_ejection_time"] == detection["max_ejection_time"] == "2s"


def test_the_table_covers_the_language() -> None:
    assert TARGET.support("default").entries.keys() == FEATURES.keys()


@pytest.mark.parametrize(
    ("platform", "service", "feature", "fidelity"),
    [
        (
            {},
            {"limits": [{"per": "ip", "rate": "5/s"}, {"per": "ip", "rate": "9/s"}]},
            "limits.ip",
            Fidelity.APPROXIMATE,
        ),
        (
            {"tracing": {"otlp": "http://127.0.0.1:4318"}, "trusted_proxies": ["2001:db8::/48"]},
            {},
            "tracing",
            Fidelity.APPROXIMATE,
        ),
    ],
)
def test_what_is_below_exact_says_so(
    platform: dict[str, Any], service: dict[str, Any], feature: str, fidelity: Fidelity
) -> None:
    given = gateway({"service": "a", **service}, **platform)
    code = {Fidelity.UNSUPPORTED: "GWC601", Fidelity.APPROXIMATE: "GWC602"}[fidelity]
    found = {d.code for d in check(given, TARGET.support("default")) if f"accept: [{feature}]" in d.hint}
    assert found == {code}


@pytest.mark.parametrize(("written", "bound"), [("0B", 0), ("10B", 10), ("1MiB", 2**20)])
def test_every_route_says_how_large_a_body_may_be(written: str, bound: int) -> None:
    given = gateway({"service": "a", "max_body": written})
    (entry,) = named(given, "a/r")
    assert entry["metadata"]["filter_metadata"]["gwc.attempt"]["bytes"] == bound
    assert entry["typed_per_filter_config"]["gwc.max_body"]["buffer"]["max_request_bytes"] == max(bound, 1)


def test_a_breaker_is_inexact_where_the_routes_of_its_own_service_differ() -> None:
    """Not where those of another service with an equal breaker do."""
    breaker = {"endpoints": [{"url": "http://127.0.0.1:1"}], "breaker": {"failures": 3, "open": "9s"}}
    slower = route("slow", "/slow", timeouts={"connect": "3s"})
    given = gateway(
        {"service": "a", "upstream": breaker}, {"service": "b", "upstream": breaker, "routes": [route(), slower]}
    )
    found = [d.message for d in check(given, TARGET.support("default")) if "upstream.breaker for" in d.message]
    assert len(found) == 1
    assert "upstream.breaker for b:" in found[0]


def test_what_an_answer_says_names_no_service() -> None:
    """A list of names, a thousand services long, is more than Envoy's expressions hold."""
    breaker = {"endpoints": [{"url": "http://127.0.0.1:1"}], "breaker": {"failures": 3, "open": "9s"}}
    few, many = (
        gateway(
            *({"service": f"s{number}", "base_path": f"/s{number}", "upstream": breaker} for number in range(count))
        )
        for count in (1, 9)
    )
    assert manager(few)["local_reply_config"] == manager(many)["local_reply_config"]
    clusters = {cluster["name"]: cluster for cluster in bootstrap(many)["static_resources"]["clusters"]}
    assert clusters["s8"]["metadata"]["filter_metadata"] == {"gwc.out_of_use": {"retry_after": "9"}}
