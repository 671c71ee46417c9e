"""What the Kong target writes: order, quoting, settings of the node, and what its judge says of it."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gwc.ir import (
    Address,
    ApiKeys,
    Auth,
    Budget,
    Consumer,
    HeaderChanges,
    Headers,
    JwtProvider,
    Limit,
    LimitKey,
    RateLimitStore,
    Route,
    Secret,
    UpstreamTls,
)
from gwc.target import Artifact, OutputFile
from gwc.units import Rate
from gwc_kong import TARGET
from gwc_kong.document import lua
from gwc_kong.judge import complaints, facts, judge, own_schema
from gwc_kong.routing import ANSWERED, FIELD
from gwc_kong.yaml_text import text as yaml_text
from unit.kong.gateways import CONNECT_RETRY, gateway, route, service
from unit.kong.schema_facts import plugin_schema, spec

PROFILES = ("plugin", "bundled")
HOSTILE = [
    '"',
    "'",
    "$host",
    "$(x)",
    "%REQ(x)%",
    "{{x}}",
    "]]",
    "]==]",
    "#",
    "\\",
    "; return 1",
    "a: b",
    "{vault://env/home}",
]
SAMPLE = gateway(
    service("assistant", route("ask", "/a/{id}", "POST"), route("any", "/a/**", "GET"), hosts=("b.test", "a.test")),
    service("notes", route("list", "/a/notes", "GET", "HEAD")),
)


def kong_yml(artifact: Artifact) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(artifact.files["kong.yml"].text)
    return document


def settings_of(artifact: Artifact) -> dict[str, str]:
    return dict(line.split("=", 1) for line in artifact.files["kong.env"].text.splitlines())


@pytest.mark.parametrize("profile", PROFILES)
def test_equal_gateways_give_equal_bytes(profile: str) -> None:
    assert TARGET.emit(SAMPLE, profile) == TARGET.emit(replace(SAMPLE), profile)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_judge_accepts_what_is_emitted(profile: str) -> None:
    assert TARGET.judge(TARGET.emit(SAMPLE, profile)) == ()


@pytest.mark.parametrize("profile", PROFILES)
def test_a_service_may_have_the_name_of_gwcs_own_things(profile: str) -> None:
    """Also once texts of services are filled in, which begins after some that are alike."""
    others = [service(name, route("answered", f"/{name}")) for name in "abc"]
    artifact = TARGET.emit(gateway(*others, service("gwc", route("answered", "/x"))), profile)
    assert TARGET.judge(artifact) == ()
    tags = [one["tags"] for one in kong_yml(artifact)["services"]]
    assert tags == [["gwc", "a"], ["gwc", "b"], ["gwc", "c"], ["gwc"]]


@pytest.mark.parametrize("profile", PROFILES)
def test_kong_routes_by_the_word_of_the_plugin_alone(profile: str) -> None:
    """One Kong service for the routes of a service that are tried again equally often, each with one Kong route."""
    often = replace(CONNECT_RETRY, attempts=3)
    built = gateway(service("a", route("x", "/x"), route("y", "/y", retries=often), route("z", "/z")), *SAMPLE.services)
    document = kong_yml(TARGET.emit(built, profile))
    wanted = ["a.retries-0", "a.retries-3", "assistant.retries-0", "notes.retries-0"]
    assert [(s["name"], [r["name"] for r in s["routes"]]) for s in document["services"]] == [(w, [w]) for w in wanted]
    routes = [*(r for s in document["services"] for r in s["routes"]), *document["routes"]]
    assert {r["name"]: r["expression"] for r in routes} == {
        name: f'http.headers.x_gwc_service == "{name}"' for name in (*wanted, "gwc.answered")
    }
    assert {s["name"]: s["retries"] for s in document["services"]} == {
        name: 3 * (name == "a.retries-3") for name in wanted
    }


def test_the_plugin_names_what_kong_has() -> None:
    document = kong_yml(TARGET.emit(SAMPLE, "plugin"))
    rows = document["plugins"][0]["config"]["routes"]
    assert {name: (row["path"], row.get("hosts")) for name, row in rows.items()} == {
        "assistant.ask": ("/a/{id}", ["b.test", "a.test"]), "assistant.any": ("/a/**", ["b.test", "a.test"]),
        "notes.list": ("/a/notes", None),
    }  # fmt: skip
    assert {row["upstream"] for row in rows.values()} == {one["name"] for one in document["services"]}


def test_the_plugin_says_what_kong_reads() -> None:
    core = lua("core")
    (header,) = re.findall(r'^local SERVICE = "(.*)"$', core, re.M)
    assert "http.headers." + header.lower().replace("-", "_") == FIELD
    assert re.findall(r'^local NONE = "(.*)"$', core, re.M) == [ANSWERED]
    assert re.findall(r"^local MOST_HEADERS = (.*)$", core, re.M) == [
        settings_of(TARGET.emit(SAMPLE, "plugin"))["KONG_LUA_MAX_REQ_HEADERS"]
    ]


def test_nothing_is_reached_when_the_plugin_does_not_run() -> None:
    hosts = {s["host"] for s in kong_yml(TARGET.emit(SAMPLE, "plugin"))["services"]}
    assert hosts == {"assistant.gwc.invalid", "notes.gwc.invalid"}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(profile: str, text: str) -> None:
    headers = Headers(
        request=HeaderChanges(set=(("X-A", text),), remove=()), response=HeaderChanges(set=(("X-B", text),), remove=())
    )
    artifact = TARGET.emit(gateway(service("s", route("r", "/r", headers=headers))), profile)
    assert TARGET.judge(artifact) == ()
    plugin = kong_yml(artifact)["plugins"][0]["config"]
    if profile == "plugin":
        assert plugin["routes"]["s.r"]["request_headers"]["set"] == [{"name": "X-A", "value": text}]
    else:
        from lupa import luajit21

        compiled = luajit21.LuaRuntime().eval("function(text) return loadstring(text) ~= nil end")
        assert all(compiled(f) for functions in plugin.values() for f in functions)


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_text_escapes_the_yaml(text: str) -> None:
    rendered = yaml_text({"a": text, "b": [text], "c": {f"key {text}": {"d": text}}})
    assert yaml.safe_load(rendered) == {"a": text, "b": [text], "c": {f"key {text}": {"d": text}}}
    assert rendered.isascii()


def test_settings_of_the_node() -> None:
    plain = settings_of(TARGET.emit(SAMPLE, "plugin"))
    assert plain["KONG_PLUGINS"] == "gwc"
    assert plain["KONG_ADMIN_LISTEN"] == "off"
    assert plain["KONG_NGINX_PROXY_PROXY_NEXT_UPSTREAM"] == "error timeout"
    assert "KONG_TRUSTED_IPS" not in plain
    retries = replace(CONNECT_RETRY, statuses=(503,), unsafe=True)
    other = gateway(service("s", route("r", "/r", retries=retries, max_body=5)), trusted_proxies=("10.0.0.0/8",))
    told = settings_of(TARGET.emit(other, "bundled"))
    assert told["KONG_PLUGINS"] == "pre-function,prometheus"
    assert told["KONG_NGINX_PROXY_PROXY_NEXT_UPSTREAM"] == "error timeout http_503 non_idempotent"
    assert told["KONG_NGINX_PROXY_CLIENT_MAX_BODY_SIZE"] == "5"
    assert told["KONG_TRUSTED_IPS"] == "10.0.0.0/8"


def test_the_secret_is_a_reference() -> None:
    for profile in PROFILES:
        text = TARGET.emit(SAMPLE, profile).files["kong.yml"].text
        assert "{vault://env/gateway-secret}" in text


def test_every_line_of_a_service_leads_to_a_policy() -> None:
    """With provenance: see the golden tests. Here: a node without any costs nothing."""
    assert TARGET.emit(SAMPLE, "plugin").files["kong.yml"].lines == {}


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("services", 0, "retries"), 40000, "between 0 and 32767"),
        (("services", 0, "retries"), "1", "type integer"),
        (("services", 0, "retries"), True, "type integer"),
        (("services", 0, "protocol"), "gopher", "one of"),
        (("services", 0, "nonsense"), 1, "unknown field"),
        (("services", 0, "routes", 0, "priority"), -1, "between"),
        (("services", 0, "routes", 0, "paths"), ["/x"], "cannot stand beside"),
        (("services", 0, "routes", 0, "tags"), ["a", "a"], "twice"),
        (("services", 0, "name"), "", "not be empty"),
        (("plugins", 0, "config", "accept"), "sometimes", "one of"),
        (("plugins", 0, "config", "routes", "notes.list", "connect"), 0, "greater than 0"),
        (("plugins", 0, "config", "unknown"), 1, "unknown field"),
        (("plugins", 0, "name"), "no-such-plugin", "no facts"),
        (("_format_version",), "2.0", "3.0"),
        (("_info",), {}, "unknown"),
    ],
)
def test_the_judge_finds_what_kong_refuses(path: tuple[str | int, ...], value: object, fault: str) -> None:
    document = kong_yml(TARGET.emit(SAMPLE, "plugin"))
    node: Any = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    assert any(fault in message for _, message in complaints(document)), list(complaints(document))


def test_the_judge_finds_what_is_missing_or_double() -> None:
    document = kong_yml(TARGET.emit(SAMPLE, "plugin"))
    del document["services"][0]["host"]
    document["plugins"].append(document["plugins"][0])
    faults = {message for _, message in complaints(document)}
    assert faults == {"required", "two are named 'gwc'"}


def test_a_fault_is_shown_at_its_line() -> None:
    artifact = TARGET.emit(SAMPLE, "plugin")
    broken = artifact.files["kong.yml"].text.replace('protocol: "http"', 'protocol: "gopher"', 1)
    (found,) = judge(replace(artifact, files={**artifact.files, "kong.yml": OutputFile(broken, {})}))
    assert found.code == "GWC603"
    assert "services.0.protocol" in found.message


def test_the_facts_of_our_own_plugin_are_its_schema() -> None:
    assert plugin_schema(lua("schema")) == own_schema()


def _dump() -> Path | None:
    """A dump of Kong's schemas, kept in a folder beside the checkout."""
    neighbours = Path(__file__).resolve().parents[3].parent
    return next(iter(sorted(neighbours.glob("*/engines/kong-3.9.3-schemas.json.gz"))), None)


def test_the_facts_are_those_of_kong() -> None:
    dump = _dump()
    if dump is None:
        pytest.skip("no dump of Kong's schemas lies beside this checkout")
    with gzip.open(dump) as file:
        kong = json.load(file)
    own = facts()
    assert own["version"] == kong["kong_version"]
    for name, fields in own["entities"].items():
        # Two fields that only the expressions router has: the dump is of the default one.
        theirs = {n: spec(f) for entry in kong["entities"][name]["fields"] for n, f in entry.items()}
        assert {k: v for k, v in fields.items() if k not in ("expression", "priority")} == theirs
    for name, schema in own["plugins"].items():
        theirs = {n: spec(f) for entry in kong["plugins"][name]["fields"] for n, f in entry.items()}
        assert schema == theirs["config"]


def test_a_route_with_auth_asks_for_it() -> None:
    closed: Route = route("r", "/r", auth=Auth(providers=("jwt",), scopes=("a.b",)))
    config = kong_yml(TARGET.emit(gateway(service("s", closed)), "plugin"))["plugins"][0]["config"]
    assert config["routes"]["s.r"]["auth"] == {"providers": ["jwt"], "scopes": ["a.b"]}


def test_of_a_key_set_only_what_is_public_and_signs() -> None:
    keys = [
        {"kty": "RSA", "n": "n", "e": "AQAB", "d": "private", "kid": "a", "alg": "RS256"},
        {"kty": "RSA", "n": "n", "e": "AQAB", "use": "enc"},
        {"kty": "EC", "crv": "P-256", "x": "x", "y": "y"},
        {"kty": "oct", "k": "shared"},
    ]
    provider = JwtProvider(
        name="one", issuer="https://id/", audiences=("a",), jwks=json.dumps({"keys": keys}), jwks_url=None,
        user_claim="sub", scope_claim="scope", algorithms=("RS256",), leeway=30.0,
    )  # fmt: skip
    one = gateway(service("s", route("r", "/r")))
    artifact = TARGET.emit(replace(one, identity=replace(one.identity, jwt=(provider,))), "plugin")
    (issuer,) = kong_yml(artifact)["plugins"][0]["config"]["jwt"]
    assert [json.loads(key["jwk"]) for key in issuer["keys"]] == [
        {"kty": "RSA", "n": "n", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "x", "y": "y"},
    ]
    assert "private" not in artifact.files["kong.yml"].text
    assert "shared" not in artifact.files["kong.yml"].text


@pytest.mark.parametrize("tls", [None, UpstreamTls(ca=None, sni=None, client_certificate=None, client_key=None)])
def test_what_gateways_count_together_is_so_whatever_the_service_speaks(tls: UpstreamTls | None) -> None:
    fields: dict[str, Any] = {"header": None, "rate": Rate(3, 60), "burst": 3, "shadow": False, "cluster": True}
    limits = (Limit(id="a", key=LimitKey.IP, **fields), Limit(id="b", key=LimitKey.SERVICE, **fields))
    auth, budget = Auth(providers=("jwt",), scopes=()), Budget(units=Rate(9, 60), charge=None, cluster=True)
    plain = service("s", route("r", "/r", auth=auth), limits=limits, budget=budget)
    address = Address(host="127.0.0.1", port=6379)
    store = RateLimitStore(
        redis=address, redis_tls=False, redis_database=0, password=None, service=None, on_failure="deny"
    )
    built = gateway(replace(plain, upstream=replace(plain.upstream, tls=tls)), rate_limit_store=store)
    one = kong_yml(TARGET.emit(built, "plugin"))["plugins"][0]["config"]["routes"]["s.r"]
    assert [limit["id"] for name in ("shared_before", "shared_after") for limit in one[name]] == ["a", "b"]
    assert (one["limits_before"], one["limits_after"], one["budget"]["cluster"]) == ([], [], True)


@pytest.mark.parametrize("profile", PROFILES)
def test_secrets_in_files_become_one_environment_file(profile: str) -> None:
    one = gateway(service("s", route("r", "/r")))
    key = Consumer(name="mobile-app", secret=Secret(source="file", name="/run/key"))
    identity = replace(one.identity, api_key=ApiKeys(header="X-Key", consumers=(key,)))
    artifact = TARGET.emit(replace(one, identity=identity), profile)
    (output,) = artifact.secrets
    assert output.path == "secrets/kong.secrets.env"
    assert output.render(("value\n",)) == "GWC_KEY_MOBILE_APP=value\n"
    assert "{vault://env/gwc-key-mobile-app}" in artifact.files["kong.yml"].text
    with pytest.raises(ValueError, match="one line"):
        output.render(("two\nlines",))


def test_the_judge_knows_that_kong_fills_in_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """An optional record of a plugin's settings must require nothing: Kong refuses the configuration without it."""
    record = {"type": "record", "fields": {"host": {"type": "string", "required": True}}}
    schema = own_schema()
    widened = {**schema, "fields": {**schema["fields"], "extra": record}}
    monkeypatch.setattr("gwc_kong.judge.own_schema", lambda: widened)
    faults = list(complaints(kong_yml(TARGET.emit(SAMPLE, "plugin"))))
    assert [path for path, _ in faults] == [("plugins", 0, "config", "extra")]
