"""Kong: what of a declarative configuration becomes policy, and what the report says of the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from gwc.ir import Accept, Auth, LimitKey
from gwc.units import Rate

from .conftest import Import, Outcome, route_of, service_of

TEXT = (Path(__file__).parent / "fixtures" / "kong.yaml").read_text()
LINES = TEXT.split("\n")
SECRETS = ("hunter2", "8f14e45f", "do-not-copy-this", "c2VjcmV0", "MIIabc")


def line(words: str) -> int:
    return next(number for number, text in enumerate(LINES, 1) if words in text)


@pytest.fixture
def fixture(importing: Import) -> Outcome:
    return importing("kong", TEXT)


def test_services_hosts_and_what_is_stripped(fixture: Outcome) -> None:
    gateway = fixture.gateway()
    assert [(one.name, one.hosts, one.strip) for one in gateway.services] == [
        ("catalogue", (), ""),
        ("catalogue-2", ("shop.example.com",), ""),
        ("orders", ("orders.example.com",), "/orders"),
    ]
    assert [route.path.text for route in service_of(gateway, "orders").routes] == ["/orders/**"]
    assert route_of(gateway, "/items").methods == ("GET", "HEAD")
    assert route_of(gateway, "/search/{lang}").name == "search"
    assert str(service_of(gateway, "orders").upstream.endpoints[0].address) == "orders-up:8443"


def test_upstreams_with_weights_health_and_breaker(fixture: Outcome) -> None:
    upstream = service_of(fixture.gateway(), "catalogue").upstream
    assert [(str(one.address), one.weight) for one in upstream.endpoints] == [
        ("10.1.0.1:8080", 100),
        ("10.1.0.2:8080", 50),
    ]
    assert upstream.health is not None and (upstream.health.path, upstream.health.every) == ("/health", 5)
    assert upstream.breaker is not None and (upstream.breaker.failures, upstream.breaker.open) == (4, 3)


def test_timeouts_retries_and_sizes(fixture: Outcome) -> None:
    gateway = fixture.gateway()
    items = route_of(gateway, "/items")
    assert (items.timeouts.connect, items.timeouts.request, items.timeouts.idle) == (2, 30, 30)
    assert items.retries.attempts == 2
    assert route_of(gateway, "/orders/**").max_body == 8 * 2**20


def test_limits_stand_on_the_level_of_their_plugin(fixture: Outcome) -> None:
    gateway = fixture.gateway()
    limits = service_of(gateway, "catalogue").limits
    assert [(one.key, one.rate, one.burst, one.cluster) for one in limits] == [
        (LimitKey.USER, Rate(60, 60), 60, True),
        (LimitKey.USER, Rate(1000, 3600), 1000, True),
    ]
    assert route_of(gateway, "/items").limits == ()
    store = gateway.rate_limit_store
    assert store is not None
    assert (str(store.redis), store.redis_database, store.on_failure) == ("redis.internal:6380", 2, "deny")
    assert store.password is not None and store.password.name == "REDIS_PASSWORD"


def test_who_gets_in(fixture: Outcome) -> None:
    gateway = fixture.gateway()
    assert route_of(gateway, "/search/{lang}").auth == Auth(providers=("api_key",), scopes=())
    assert route_of(gateway, "/items").auth == Auth(providers=("jwt",), scopes=("was.ip-restriction",))
    assert route_of(gateway, "/orders/**").auth == Auth(providers=("jwt",), scopes=("staff",))
    keys = gateway.identity.api_key
    assert keys is not None
    assert [(one.name, one.secret.name) for one in keys.consumers] == [
        ("mobile-app", "KEY_MOBILE_APP"),
        ("partner", "PARTNER_KEY"),
    ]
    assert [jwt.issuer for jwt in gateway.identity.jwt] == ["https://id.example.com/"]


def test_cache_cors_headers_and_what_is_the_platforms(fixture: Outcome) -> None:
    gateway = fixture.gateway()
    items, orders = route_of(gateway, "/items"), route_of(gateway, "/orders/**")
    assert items.cache is not None
    assert (items.cache.ttl, items.cache.vary_query, items.cache.negative_ttl) == (300, ("page",), 300)
    assert items.cache.per_user
    assert orders.cors is not None and orders.cors.origins == ("https://app.example.com",)
    assert dict(orders.headers.request.set) == {"X-From": "edge"}
    assert orders.headers.response.remove == ("X-Powered-By",)
    assert (gateway.request_id.header, gateway.request_id.accept) == ("X-Trace", Accept.ALWAYS)
    assert gateway.tracing is not None
    assert (gateway.tracing.otlp, gateway.tracing.sample) == ("http://otel.internal:4318", 0.25)


def test_no_secret_is_copied_or_quoted(fixture: Outcome, gwc, tmp_path: Path) -> None:
    (tmp_path / "kong.yaml").write_text(TEXT)
    printed, as_json = gwc("import", "kong", "kong.yaml"), gwc("import", "kong", "kong.yaml", "--format", "json")
    for text in (*fixture.files.values(), printed.out, printed.err, as_json.out):
        assert not [secret for secret in SECRETS if secret in text]
    assert len(fixture.said("GWC803")) == 5


def test_the_report_names_everything_else(fixture: Outcome) -> None:
    assert sorted({int(one.partition(":")[0]) for one in fixture.said("GWC801")}) == sorted(
        line(words)
        for words in (
            *("headers: {x-beta", "month: 9", "rename:", "name: old", '"*.example.com"', "name: nobody"),
            *("least-connections", "weight: 0", "example\\\\.org", "http-log", "acls:"),
        )
    )


def test_json_is_read_alike(importing: Import, fixture: Outcome) -> None:
    assert importing("kong", json.dumps(yaml.safe_load(TEXT))).files == fixture.files


BASE = {
    "_format_version": "3.0",
    "services": [{"name": "s", "url": "http://s:1", "routes": [{"name": "r", "paths": ["/a/"]}]}],
}


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        ({"name": "made-up"}, "the plugin made-up"),
        ({"name": "rate-limiting", "config": {"minute": 5, "limit_by": "path"}}, "counted by path"),
        ({"name": "rate-limiting", "config": {"minute": 5, "limit_by": "ip", "mystery": 1}}, "`mystery`"),
        ({"name": "key-auth", "config": {"key_names": ["a", "b"]}}, "API keys in b"),
        ({"name": "request-termination", "config": {"status_code": 503}}, "answers itself"),
        ({"name": "cors", "config": {"origins": ["https://a.b"], "exposed_headers": ["X"]}}, "exposed_headers"),
        ({"name": "request-transformer", "config": {"add": {"querystring": ["a:b"]}}}, "add.querystring"),
        ({"name": "proxy-cache", "config": {"response_code": [200, 203]}}, "answers 203"),
    ],
)
def test_what_a_plugin_says_and_a_policy_cannot_is_reported(importing: Import, plugin: object, words: str) -> None:
    outcome = importing("kong", json.dumps({**BASE, "plugins": [plugin]}))
    assert any(words in one for one in outcome.said("GWC801")), outcome.said("GWC801")


@pytest.mark.parametrize(
    "name", ["basic-auth", "hmac-auth", "ldap-auth", "oauth2", "mtls-auth", "ip-restriction", "acl"]
)
def test_a_guard_that_the_language_lacks_lets_nobody_in(importing: Import, name: str) -> None:
    outcome = importing("kong", json.dumps({**BASE, "plugins": [{"name": name}]}))
    assert route_of(outcome.gateway(), "/a/**").auth == Auth(providers=("jwt",), scopes=(f"was.{name}",))


def test_a_guard_beside_a_true_issuer_is_not_opened_to_all_of_its_users(importing: Import) -> None:
    oidc = {"name": "openid-connect", "config": {"issuer": "https://id.example.com"}}
    plugins = [oidc, {"name": "acl", "config": {"allow": ["staff"]}}, {"name": "ip-restriction"}]
    gateway = importing("kong", json.dumps({**BASE, "plugins": plugins})).gateway()
    assert [jwt.issuer for jwt in gateway.identity.jwt] == ["https://id.example.com"]
    assert route_of(gateway, "/a/**").auth == Auth(providers=("jwt",), scopes=("was.acl",))


def test_the_nearest_plugin_of_a_name_holds(importing: Import) -> None:
    data = json.loads(json.dumps(BASE))
    data["plugins"] = [{"name": "request-size-limiting", "config": {"allowed_payload_size": 1}}]
    data["services"][0]["plugins"] = [{"name": "request-size-limiting", "config": {"allowed_payload_size": 2}}]
    assert route_of(importing("kong", json.dumps(data)).gateway(), "/a/**").max_body == 2 * 2**20


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: 1\n", "1:1", "no declarative configuration"),
        ("_format_version: '3.0'\n", "1:1", "no route in it"),
        ("_format_version: '3.0'\nservices: [\n", "3:1", "not valid YAML"),
        ("_format_version: '3.0'\nservices:\n\t- x\n", "3:1", "not valid YAML"),
        ("_format_version: '3.0'\n--- \n", "2:1", "second document"),
        ("a: &a [*a]\n", "1:8", "inside its own anchor"),
    ],
)
def test_damaged_input_is_an_error_with_its_place(importing: Import, text: str, place: str, words: str) -> None:
    outcome = importing("kong", text)
    assert outcome.files == {}
    (error,) = [one for one in outcome.found if one.code == "GWC800"]
    assert (f"{error.span.line}:{error.span.column}", words in error.message) == (place, True), error


def test_references_to_the_environment_are_kept(importing: Import) -> None:
    keys = ["{vault://env/first-key}", '{{ env "SECOND" }}', '${{ env "DECK_THIRD" }}']
    consumer = {"username": "a", "keyauth_credentials": [{"key": key} for key in keys]}
    outcome = importing("kong", json.dumps({**BASE, "plugins": [{"name": "key-auth"}], "consumers": [consumer]}))
    api_key = outcome.gateway().identity.api_key
    assert api_key is not None
    assert [one.secret.name for one in api_key.consumers] == ["FIRST_KEY", "SECOND", "DECK_THIRD"]
    assert outcome.said("GWC803") == []


def test_a_service_that_speaks_something_else_is_not_imported(importing: Import) -> None:
    data = json.loads(json.dumps(BASE))
    data["services"].append({"name": "g", "url": "grpc://g:1", "routes": [{"paths": ["/g"]}]})
    data["services"].append({"name": "t", "host": "t", "protocol": "tcp", "routes": [{"paths": ["/t"]}]})
    outcome = importing("kong", json.dumps(data))
    assert [service.name for service in outcome.gateway().services] == ["s"]
    assert [one.partition(": ")[2] for one in outcome.said("GWC801")] == [
        "a service that speaks grpc",
        "a service that speaks tcp",
    ]


def test_a_service_of_the_platforms_name_has_a_file_of_its_own(importing: Import) -> None:
    services = [{"name": "platform", "url": "http://a:1", "routes": [{"name": "r", "paths": ["/a/"]}]}]
    outcome = importing("kong", json.dumps({"_format_version": "3.0", "services": services}))
    assert sorted(outcome.files) == ["platform.service.yaml", "platform.yaml"]
    assert service_of(outcome.gateway(), "platform").routes[0].path.text == "/a/**"
