from __future__ import annotations

import json
import re
from typing import Any

import pytest

from gwc.ir import Gateway
from gwc_envoy import TARGET
from unit.envoy.policies import gateway, route


def bootstrap(given: Gateway) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(TARGET.emit(given, "default").files["envoy.json"].text)
    return data


def manager(given: Gateway, name: str = "http") -> dict[str, Any]:
    listeners = bootstrap(given)["static_resources"]["listeners"]
    found = next(listener for listener in listeners if listener["name"] == name)
    config: dict[str, Any] = found["filter_chains"][0]["filters"][0]["typed_config"]
    return config


def routes(given: Gateway, host: str = "any") -> list[dict[str, Any]]:
    hosts = manager(given)["route_config"]["virtual_hosts"]
    found: list[dict[str, Any]] = next(h for h in hosts if h["name"] == host)["routes"]
    return found


def named(given: Gateway, name: str, host: str = "any") -> list[dict[str, Any]]:
    return [entry for entry in routes(given, host) if entry["name"] == name]


def test_the_same_gateway_gives_the_same_bytes() -> None:
    given = gateway({"service": "a"}, {"service": "b", "hosts": ["b.example.com"]})
    assert TARGET.emit(given, "default") == TARGET.emit(given, "default")


def test_refusals_come_first_and_not_found_last() -> None:
    names = [entry["name"] for entry in routes(gateway({"service": "a"}))]
    assert names == ["grpc", "encoded-slash", "a/r", "method-not-allowed", "not-found"]


@pytest.mark.parametrize(
    ("path", "refused"),
    [("/a%2fb", True), ("/a%2Fb", True), ("/a%5C", True), ("/%00", True), ("/a%252Fb", False), ("/a%20", False)],
)
def test_what_counts_as_an_encoded_slash(path: str, refused: bool) -> None:
    pattern = routes(gateway({"service": "a"}))[1]["match"]["safe_regex"]["regex"]
    assert bool(re.fullmatch(pattern, path)) is refused


@pytest.mark.parametrize(
    ("called", "refused"),
    [("application/grpc", True), ("application/grpc+proto", True), ("application/grpc-web", False), ("x", False)],
)
def test_what_calls_itself_grpc(called: str, refused: bool) -> None:
    (header,) = routes(gateway({"service": "a"}))[0]["match"]["headers"]
    assert bool(re.fullmatch(header["string_match"]["safe_regex"]["regex"], called)) is refused


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("/v1/ask", {"path": "/v1/ask"}),
        ("/", {"path": "/"}),
        ("/v1/", {"path": "/v1/"}),
        ("/files/**", {"prefix": "/files/"}),
        ("/**", {"prefix": "/"}),
        ("/n/{id}", {"safe_regex": {"regex": "/n/[^/]+"}}),
        ("/n/{id}/x.y/**", {"safe_regex": {"regex": r"/n/[^/]+/x\.y/.*"}}),
    ],
)
def test_paths(path: str, match: dict[str, Any]) -> None:
    given = gateway({"service": "a", "routes": [route(path=path)]})
    assert named(given, "a/r")[0]["match"].items() >= match.items()


def test_the_base_path_is_cut_off_at_a_segment() -> None:
    given = gateway({"service": "a", "base_path": "/a.b", "routes": [route(path="/{x}")]})
    rewrite = named(given, "a/r")[0]["route"]["regex_rewrite"]
    assert re.sub(rewrite["pattern"]["regex"], rewrite["substitution"], "/a.b/c", count=1) == "/c"
    assert re.match(rewrite["pattern"]["regex"], "/aXb/c") is None


def test_a_host_answers_with_its_dot_and_falls_back() -> None:
    given = gateway({"service": "a", "hosts": ["api.example.com"]}, {"service": "b"})
    hosts = manager(given)["route_config"]["virtual_hosts"]
    assert [host["domains"] for host in hosts] == [["api.example.com", "api.example.com."], ["*"]]
    assert named(given, "b/r", "api.example.com") and not named(given, "a/r")


def test_a_route_that_needs_credentials_is_never_open() -> None:
    jwks = {
        "jwt": {"issuer": "https://id.example.com/", "audience": ["a"], "jwks": {"url": "https://id.example.com/k"}}
    }
    given = gateway(
        {"service": "a", "auth": {"any_of": ["jwt"]}}, identity={"user_header": "X-User-Id", **jwks}
    )  # fmt: skip
    forwarded = [entry for entry in named(given, "a/r") if "route" in entry]
    assert all("jwt_authn" in json.dumps(manager(given)["http_filters"]) for _ in forwarded)


def test_retries_differ_by_method() -> None:
    settings = {"attempts": 2, "when": ["connect", "reset", 503], "per_try": "1s"}
    given = gateway({"service": "a", "routes": [route(methods=("GET", "POST"), retries=settings)]})
    safe, unsafe = (entry["route"]["retry_policy"] for entry in named(given, "a/r"))
    assert safe["retry_on"] == "connect-failure,reset,retriable-status-codes"
    assert unsafe["retry_on"] == "connect-failure"
    assert safe["per_try_timeout"] == unsafe["per_try_timeout"] == "1s"


@pytest.mark.parametrize(
    ("when", "per_try", "hop"),
    [
        (["connect"], None, False),
        ([503], None, False),
        (["connect", "reset", 503], "1s", False),
        (["reset"], None, True),
        ([503], "1s", True),
        (["connect"], "1s", True),
    ],
)
def test_a_hop_only_where_envoy_cannot_tell_causes_apart(when: list[object], per_try: str | None, hop: bool) -> None:
    settings = {"attempts": 1, "when": when, **({"per_try": per_try} if per_try else {})}
    action = named(gateway({"service": "a", "retries": settings}), "a/r")[0]["route"]
    assert (action["cluster"] == "gwc.single_try/a") is hop


def test_a_stream_is_bounded_to_its_first_byte() -> None:
    given = gateway({"service": "a", "timeouts": {"request": "7s"}, "routes": [route(stream=True)]})
    action = named(given, "a/r")[0]["route"]
    assert action["timeout"] == "0s"
    assert action["retry_policy"] == {"num_retries": 0, "per_try_timeout": "7.05s"}
    assert action["cluster"] == "gwc.first_byte/a"


def test_no_policy_no_cap() -> None:
    clusters = {c["name"]: c for c in bootstrap(gateway({"service": "a"}))["static_resources"]["clusters"]}
    threshold = clusters["a"]["circuit_breakers"]["thresholds"][0]
    assert set(threshold.values()) == {1_000_000_000}


def test_routes_with_another_connect_timeout_have_their_own_cluster() -> None:
    slow = route("slow", "/slow", timeouts={"connect": "2s"})
    given = gateway({"service": "a", "timeouts": {"connect": "500ms"}, "routes": [route(), slow]})
    clusters = {c["name"]: c["connect_timeout"] for c in bootstrap(given)["static_resources"]["clusters"]}
    assert clusters["a/connect-500ms"] == "0.5s"
    assert clusters["a/connect-2s"] == "2s"


def test_without_trusted_proxies_nobody_is_believed() -> None:
    config = manager(gateway({"service": "a"}))
    removed = {m.get("remove") for m in config["early_header_mutation_extensions"][0]["typed_config"]["mutations"]}
    assert removed >= {"x-forwarded-for", "x-forwarded-proto", "x-request-id", "traceparent", "x-user-id"}
    assert config["use_remote_address"] is True


def test_with_trusted_proxies_only_the_direct_peer_counts() -> None:
    config = manager(gateway({"service": "a"}, trusted_proxies=["10.0.0.0/8", "fd00::/8"]))
    assert config["use_remote_address"] is False
    ranges = config["original_ip_detection_extensions"][0]["typed_config"]["xff_trusted_cidrs"]["cidrs"]
    assert ranges == [
        {"address_prefix": "10.0.0.0", "prefix_len": 8},
        {"address_prefix": "fd00::", "prefix_len": 8},
    ]


def test_secrets_are_named_never_written() -> None:
    secret = {"header": "X-Gateway-Secret", "secret": {"env": "GATEWAY_SECRET"}}
    given = gateway({"service": "a"}, identity={"user_header": "X-User-Id", "gateway_secret": secret})
    assert bootstrap(given)["static_resources"]["secrets"] == [
        {"name": "gateway-secret", "generic_secret": {"secret": {"environment_variable": "GATEWAY_SECRET"}}}
    ]


def test_output_lines_lead_to_the_policy() -> None:
    output = TARGET.emit(gateway({"service": "a"}), "default").files["envoy.json"]
    lines = output.text.splitlines()
    traced = {lines[number - 1].strip().rstrip(","): span.file for number, span in output.lines.items()}
    assert traced['"name": "a/r"'] == "a.yaml"
    assert traced['"name": "http"'] == "platform.yaml"
