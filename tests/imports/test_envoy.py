"""Envoy: what of a bootstrap becomes policy, and what the report says of the rest."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gwc.ir import Auth, LimitKey, RetryCause
from gwc.units import Rate

from .conftest import Import, Outcome, route_of, service_of

TEXT = (Path(__file__).parent / "fixtures" / "envoy.yaml").read_text()
LINES = TEXT.split("\n")


def line(words: str) -> int:
    return next(number for number, text in enumerate(LINES, 1) if words in text)


@pytest.fixture
def fixture(importing: Import) -> Outcome:
    return importing("envoy", TEXT)


def test_listeners(fixture: Outcome) -> None:
    listen = fixture.gateway().listen
    assert listen.http is not None and str(listen.http) == "0.0.0.0:8080"
    assert listen.https is not None
    assert (listen.https.address.port, listen.https.certificate) == (8443, "/etc/envoy/tls.crt")
    assert (listen.https.min_version, listen.https.redirect) == ("TLSv1.3", True)
    assert str(listen.admin) == "127.0.0.1:9901"


def test_hosts_paths_methods_and_what_is_stripped(fixture: Outcome) -> None:
    gateway = fixture.gateway()
    assert {service.hosts for service in gateway.services} == {("shop.example.com",)}
    orders = service_of(gateway, "orders")
    assert orders.strip == "/orders"
    assert [(one.name, one.path.text, one.methods) for one in orders.routes] == [
        ("orders-write", "/orders/**", ("POST", "PUT")),
        ("orders-read", "/orders/**", ("GET",)),
    ]
    assert [one.path.text for one in service_of(gateway, "users").routes] == ["/users/{part2}", "/login", "/**"]
    assert [one.path.text for one in service_of(gateway, "users-2").routes] == ["/files", "/files/**"]


def test_clusters(fixture: Outcome) -> None:
    gateway = fixture.gateway()
    orders = service_of(gateway, "orders").upstream
    assert {str(one.address): one.weight for one in orders.endpoints} == {"orders-1:8000": 3, "orders-2:8000": 1}
    assert orders.concurrency == 128
    assert orders.breaker is not None and (orders.breaker.failures, orders.breaker.open) == (7, 20)
    assert orders.health is not None and (orders.health.path, orders.health.every) == ("/ready", 10)
    users = service_of(gateway, "users").upstream
    assert users.tls is not None and (users.tls.sni, users.tls.ca) == ("users.internal", "/etc/envoy/ca.pem")
    shared = service_of(gateway, "users-2").upstream
    assert {str(one.address): one.weight for one in shared.endpoints} == {"10.0.0.9:443": 90, "10.0.0.10:443": 10}


def test_timeouts_retries_and_sizes(fixture: Outcome) -> None:
    gateway = fixture.gateway()
    write, read = route_of(gateway, "/orders/**", "POST"), route_of(gateway, "/orders/**", "GET")
    assert (write.timeouts.connect, write.timeouts.request, write.timeouts.idle) == (0.25, 5, 120)
    assert (read.timeouts.idle, write.max_body) == (30, 65536)
    retries = write.retries
    assert (retries.attempts, retries.per_try, retries.unsafe, retries.budget) == (3, 1.5, True, 0.25)
    assert retries.causes == (RetryCause.CONNECT, RetryCause.RESET)
    assert retries.statuses == (500, 502, 503, 504)
    assert (retries.backoff_base, retries.backoff_max) == (0.05, 0.5)
    assert (read.retries.attempts, read.retries.causes) == (1, (RetryCause.CONNECT,))  # the virtual host's


def test_limits_cors_headers_and_websockets(fixture: Outcome) -> None:
    user = route_of(fixture.gateway(), "/users/{part2}")
    (limit,) = user.limits
    assert (limit.key, limit.rate, limit.burst, limit.shadow) == (LimitKey.SERVICE, Rate(10, 1), 20, False)
    assert user.cors is not None
    assert (user.cors.origins, user.cors.methods) == (("https://app.example.com",), ("GET", "POST"))
    assert (user.cors.headers, user.cors.max_age) == (("authorization", "content-type"), 600)
    assert dict(user.headers.response.set) == {"X-Frame-Options": "DENY"}
    assert user.headers.request.set == ()
    assert user.websocket


def test_who_gets_in(fixture: Outcome) -> None:
    gateway = fixture.gateway()
    token = Auth(providers=("jwt",), scopes=())
    assert route_of(gateway, "/**").auth == route_of(gateway, "/orders/**").auth == token
    assert route_of(gateway, "/login").auth is None
    (jwt,) = gateway.identity.jwt
    assert (jwt.issuer, jwt.audiences, jwt.jwks_url) == (
        "https://id.example.com/",
        ("shop",),
        "https://id.example.com:443/keys",
    )


def test_no_secret_is_copied_or_quoted(fixture: Outcome, gwc, tmp_path: Path) -> None:
    (tmp_path / "envoy.yaml").write_text(TEXT)
    printed, as_json = gwc("import", "envoy", "envoy.yaml"), gwc("import", "envoy", "envoy.yaml", "--format", "json")
    for text in (*fixture.files.values(), printed.out, printed.err, as_json.out):
        assert "very-secret-token" not in text
    assert [int(one.partition(":")[0]) for one in fixture.said("GWC803")] == [line("very-secret-token")]


def test_the_report_names_everything_else(fixture: Outcome) -> None:
    assert sorted({int(one.partition(":")[0]) for one in fixture.said("GWC801")}) == sorted(
        line(words)
        for words in (
            *("xff_num_trusted_hops", "%UPSTREAM_HOST%", "*.shop.example.com", "example\\\\.org", "status: 200"),
            *("retriable-4xx", "timeout: 0s", "x-beta", "path: /late", "filters.http.lua", "LEAST_REQUEST"),
            "max_connections",
        )
    )
    assert any("cluster id" in one for one in fixture.said("GWC805"))


def test_both_spellings_of_a_field_are_one(importing: Import, fixture: Outcome) -> None:
    def camel(value: Any) -> Any:
        if isinstance(value, dict):
            return {re.sub(r"_([a-z])", lambda found: found[1].upper(), key): camel(one) for key, one in value.items()}
        return [camel(one) for one in value] if isinstance(value, list) else value

    assert importing("envoy", json.dumps(camel(yaml.safe_load(TEXT)))).files == fixture.files


ROUTE: dict[str, Any] = {"name": "r", "match": {"prefix": "/a/"}, "route": {"cluster": "c"}}


def bootstrap(route: Any = None, filters: Any = (), cluster: Any = None, **host: Any) -> str:
    at = {"socket_address": {"address": "127.0.0.1", "port_value": 1}}
    ok = {"name": "ok", "match": {"path": "/ok"}, "route": {"cluster": "c"}}
    manager = {
        "@type": "type.googleapis.com/x.HttpConnectionManager",
        "route_config": {"virtual_hosts": [{"domains": ["*"], "routes": [ok, route or ROUTE], **host}]},
        "http_filters": [
            {"name": name, "typed_config": {"@type": f"x.{kind}", **more}} for name, kind, more in filters
        ],
    }
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": at}}]}]
    listener = {
        "name": "l",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": 80}},
        "filter_chains": [{"filters": [{"name": "m", "typed_config": manager}]}],
    }
    clusters = [{"name": "c", "load_assignment": {"endpoints": endpoints}, **(cluster or {})}]
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}})


@pytest.mark.parametrize(
    ("match", "path"),
    [
        ({"path": "/a"}, "/a"),
        ({"prefix": "/a/"}, "/a/**"),
        ({"prefix": "/a"}, "/a /a/**"),
        ({"path_separated_prefix": "/a"}, "/a /a/**"),
        ({"safe_regex": {"regex": "/u/[^/]+"}}, "/u/{part2}"),
        ({"safe_regex": {"google_re2": {}, "regex": "/a/.*"}}, "/a/**"),
    ],
)
def test_matches(importing: Import, match: Any, path: str) -> None:
    (service,) = importing("envoy", bootstrap({**ROUTE, "match": match})).gateway().services
    assert " ".join(one.path.text for one in service.routes) == f"/ok {path}"


@pytest.mark.parametrize("kind", ["RBAC", "ExtAuthz", "BasicAuth", "OAuth2", "ApiKeyAuth"])
def test_a_guard_that_the_language_lacks_lets_nobody_in(importing: Import, kind: str) -> None:
    gateway = importing("envoy", bootstrap(filters=[("guard", kind, {"rules": {}})])).gateway()
    assert route_of(gateway, "/a/**").auth == Auth(providers=("jwt",), scopes=("was.guard",))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"match": {"prefix": "/a"}, "requires": {"provider_name": "p"}}, True),
        ({"match": {"prefix": "/a/b"}, "requires": {"provider_name": "p"}}, True),  # a part: closed as a whole
        ({"match": {"prefix": "/b"}, "requires": {"provider_name": "p"}}, False),
        ({"match": {"safe_regex": {"regex": "/x"}}, "requires": {"provider_name": "p"}}, True),
        ({"match": {"prefix": "/"}, "requires": {"requires_any": {"requirements": [{"allow_missing": {}}]}}}, True),
        ({"match": {"prefix": "/"}}, False),
        ({"match": {"prefix": "/"}, "requirement_name": "named"}, True),
    ],
)
def test_rules_of_tokens_never_open_more(importing: Import, rule: Any, expected: bool) -> None:
    more = {
        "providers": {
            "p": {"issuer": "https://i", "audiences": ["a"], "remote_jwks": {"http_uri": {"uri": "https://i/k"}}}
        },
        "rules": [rule],
        "requirement_map": {"named": {"provider_name": "p"}},
    }
    gateway = importing("envoy", bootstrap(filters=[("jwt", "JwtAuthentication", more)])).gateway()
    assert (route_of(gateway, "/a/**").auth is not None) == expected


def test_a_listener_of_datagrams_is_left_out(importing: Import) -> None:
    data = json.loads(bootstrap())
    at = {"socket_address": {"protocol": "UDP", "address": "0.0.0.0", "port_value": 53}}
    data["static_resources"]["listeners"].append({"name": "dns", "address": at, "listener_filters": [{"name": "udp"}]})
    assert any("without HTTP" in one for one in importing("envoy", json.dumps(data)).said("GWC801"))


LEFT_OUT: dict[str, dict[str, Any]] = {
    "is no path template": {"route": {**ROUTE, "match": {"safe_regex": {"regex": "/(a|b)/x"}}}},
    "a redirect": {"route": {"match": {"prefix": "/a"}, "redirect": {"path_redirect": "/b"}}},
    "that a header names": {"route": {**ROUTE, "route": {"cluster_header": "x"}}},
    "is not here": {"route": {**ROUTE, "route": {"cluster": "nowhere"}}},
    "`hash_policy`": {"route": {**ROUTE, "route": {"cluster": "c", "hash_policy": [{}, {"header": {}}]}}},
    "`request_mirror_policies`": {
        "route": {**ROUTE, "route": {"cluster": "c", "request_mirror_policies": [{"cluster": "c"}]}}
    },
    "the filter wasm": {"filters": [("wasm", "Wasm", {"config": {"a": 1}})]},
    "`made_up`": {"cluster": {"made_up": 1}},
    "for some requests": {"route": {**ROUTE, "match": {"prefix": "/a", "query_parameters": [{"name": "q"}]}}},
}


@pytest.mark.parametrize(("words", "parts"), LEFT_OUT.items())
def test_what_cannot_be_said_is_reported(importing: Import, words: str, parts: dict[str, Any]) -> None:
    outcome = importing("envoy", bootstrap(**parts))
    assert any(words in one for one in outcome.said("GWC801")), outcome.said("GWC801")
    assert route_of(outcome.gateway(), "/ok").name == "ok"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: 1\n", "1:1", "no bootstrap"),
        ("static_resources: {listeners: []}\n", "1:1", "no route in it"),
        ("static_resources:\n  listeners: [\n", "3:1", "not valid YAML"),
        ('{"static_resources": {"listeners": [}}', "1:37", "not valid YAML"),
    ],
)
def test_damaged_input_is_an_error_with_its_place(importing: Import, text: str, place: str, words: str) -> None:
    outcome = importing("envoy", text)
    assert outcome.files == {}
    (error,) = [one for one in outcome.found if one.code == "GWC800"]
    assert (f"{error.span.line}:{error.span.column}", words in error.message) == (place, True), error


@pytest.mark.parametrize("private", [False, True])
def test_a_key_set_of_the_configuration_becomes_a_file_unless_it_is_private(importing: Import, private: bool) -> None:
    key = {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "BBBB", **({"d": "very-private"} if private else {})}
    more = {
        "providers": {"p": {"issuer": "https://i", "local_jwks": {"inline_string": json.dumps({"keys": [key]})}}},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "p"}}],
    }
    outcome = importing("envoy", bootstrap(filters=[("jwt", "JwtAuthentication", more)]))
    assert ('"AAAA"' in outcome.files["keys/jwks.json"]) == (not private)
    assert all("very-private" not in text for text in outcome.files.values())
    assert len(outcome.said("GWC803")) == private
    assert outcome.gateway().identity.jwt[0].issuer == "https://i"


def test_routes_of_another_listener_are_not_opened_on_this_one(importing: Import) -> None:
    data = json.loads(bootstrap())
    other = json.loads(json.dumps(data["static_resources"]["listeners"][0]).replace("/a/", "/inner/"))
    for address, port in (("127.0.0.1", 80), ("0.0.0.0", 81)):
        listener = json.loads(json.dumps(other))
        listener["address"]["socket_address"] = {"address": address, "port_value": port}
        data["static_resources"]["listeners"].insert(0, listener)
    data["static_resources"]["listeners"].sort(key=lambda one: one["address"]["socket_address"]["port_value"])
    outcome = importing("envoy", json.dumps(data))
    gateway = outcome.gateway()
    assert "/inner/**" not in {route.path.text for service in gateway.services for route in service.routes}
    assert str(gateway.listen.http) == "0.0.0.0:80"
    assert sum("another listener" in one for one in outcome.said("GWC801")) == 2
