"""OpenAPI 3: what of a description becomes policy, and what the report says of the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from gwc.ir import Auth

from .conftest import Import, route_of

RIDES = (Path(__file__).parent / "fixtures" / "openapi.yaml").read_text()
SMALL = 'openapi: "3.0.3"\ninfo: {title: t, version: "1"}\npaths: {/a: {get: {}}}\n'


def test_paths_methods_names_and_base_path(importing: Import) -> None:
    gateway = importing("openapi", RIDES).gateway()
    (service,) = gateway.services
    assert (service.name, service.base_path, service.strip) == ("ride-hailing-api", "/api/v2", "")
    assert str(service.upstream.endpoints[0].address) == "eu.rides.example.com:8443"
    assert [(r.name, r.path.text.removeprefix("/api/v2"), r.methods) for r in service.routes] == [
        ("list-rides", "/rides", ("GET",)),
        ("book-ride", "/rides", ("POST",)),
        ("rides-ride-id", "/rides/{ride_id}", ("DELETE", "GET")),
        ("get-receipt", "/rides/{id}/{format}", ("GET",)),
        ("stream-positions", "/positions", ("GET",)),
        ("status", "/status", ("GET",)),
        ("partners", "/partners", ("GET",)),
        ("reports", "/reports", ("GET",)),
        ("either", "/public-or-not", ("GET",)),
        ("legacy", "/legacy", ("GET",)),
        ("files", "/files/{path}", ("GET",)),
        ("put-shared", "/shared", ("PUT",)),
        ("own", "/own", ("GET",)),
    ]
    assert route_of(gateway, "/api/v2/positions").stream
    assert route_of(gateway, "/api/v2/rides").description == "All rides of the caller"


def test_credentials_never_become_fewer(importing: Import) -> None:
    gateway = importing("openapi", RIDES).gateway()

    def auth(path: str, method: str = "GET") -> Auth | None:
        return route_of(gateway, f"/api/v2{path}", method).auth

    read = Auth(providers=("jwt",), scopes=("rides.read",))
    assert auth("/rides") == auth("/rides/{ride_id}") == read
    assert auth("/rides", "POST") == Auth(providers=("jwt",), scopes=("rides.read", "rides.write"))
    assert auth("/status") is None
    assert auth("/partners") == Auth(providers=("jwt", "api_key"), scopes=("rides.read",))
    assert auth("/reports") == read  # both together: the stronger one
    assert auth("/public-or-not") == Auth(providers=("api_key",), scopes=())
    assert auth("/legacy") == Auth(providers=("jwt",), scopes=("was.http",))  # no user of the issuer has it
    assert [jwt.issuer for jwt in gateway.identity.jwt] == ["https://id.rides.example.com"]
    assert gateway.identity.api_key is not None and gateway.identity.api_key.header == "X-Partner-Key"


def test_everything_else_is_reported_with_its_line(importing: Import) -> None:
    outcome = importing("openapi", RIDES)
    lines = RIDES.split("\n")

    def of(words: str) -> int:
        return next(number for number, line in enumerate(lines, 1) if words in line)

    left_out = outcome.said("GWC801")
    assert [int(one.partition(":")[0]) for one in left_out] == [
        of("x-audience"),
        of("sandbox.rides"),
        of("trace:"),
        of("other.yaml"),
        of("own.example.com"),
        of("x-google-backend"),
    ]
    assert {int(one.partition(":")[0]) for one in outcome.said("GWC802")} == {
        of("region: {default"),
        of("receipt.{format}"),
        of("/partners") + 1,
        of("/reports") + 1,
        of("/public-or-not") + 1,
        of("/files/{path}*"),
        of("basic: {type"),
    }
    no_matter = {one.partition("`")[2].partition("`")[0] for one in outcome.said("GWC805")}
    assert no_matter == {"callbacks", "webhooks", "version", "tags", "requestBody", "parameters", "deprecated"}
    assert any("eu.rides.example.com" in one for one in outcome.said("GWC804"))


def test_json_is_read_alike(importing: Import) -> None:
    data = yaml.safe_load(RIDES)
    data["info"]["description"] = 'a \U0001f695 and a "quote"'
    text = json.dumps(data, indent="\t")
    assert "\\ud83d" in text
    assert importing("openapi", text).files == importing("openapi", RIDES).files


def test_what_has_no_server_and_no_security_says_so(importing: Import) -> None:
    outcome = importing("openapi", SMALL, endpoint="http://10.0.0.1:99", service="tiny")
    gateway = outcome.gateway()
    assert gateway.services[0].name == "tiny"
    assert str(gateway.services[0].upstream.endpoints[0].address) == "10.0.0.1:99"
    assert gateway.services[0].routes[0].auth is None
    assert any("public" in one for one in outcome.said("GWC804"))


def test_schemas_may_be_deep_and_not_endless(importing: Import) -> None:
    for levels, fine in ((35, True), (60, False)):
        schema: dict[str, object] = {}
        for _ in range(levels):
            schema = {"properties": {"inner": schema}}
        data = {**yaml.safe_load(SMALL), "components": {"schemas": {"deep": schema}}}
        outcome = importing("openapi", json.dumps(data))
        assert bool(outcome.files) == fine
        assert any("nested more than" in one for one in outcome.said("GWC800")) != fine


def test_a_word_that_openapi_does_not_have_is_named(importing: Import) -> None:
    outcome = importing("openapi", SMALL.replace("get: {}", "get: {opertionId: x}") + "path: {}\nsecurty: [a]\n")
    assert outcome.said("GWC801") == [
        "3: `opertionId` is no word of OpenAPI that gwc knows",
        "4: `path` is no word of OpenAPI that gwc knows",
        "5: `securty` is no word of OpenAPI that gwc knows",
    ]


def test_credentials_of_an_address_are_not_copied(importing: Import) -> None:
    outcome = importing("openapi", SMALL + "servers: [{url: 'https://user:hunter2@api.example.com/v1'}]\n")
    assert outcome.said("GWC803") == ["4: a user and a password in a URL are not copied"]
    assert all("hunter2" not in text for text in outcome.files.values())


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("swagger: '2.0'\n", "1:10", "OpenAPI 2.0 is not read"),
        ("openapi: 4.0.0\n", "1:10", "OpenAPI 4.0.0 is not read"),
        ("foo: 1\n", "1:1", "no OpenAPI description"),
        ("openapi: 3.0.0\npaths: {}\n", "1:1", "no route in it"),
        ("openapi: 3.0.0\npaths:\n  /a: {get: {}\n", "4:1", "not valid YAML"),
        ("", "1:1", "the file is empty"),
        ("- a\n", "1:1", "not a mapping"),
        ('{"openapi": "3.0.0", "paths": {"/a": {"get": {}}, "/a": {}}}', "1:51", "duplicate key"),
        (b"openapi: \xff", "1:10", "not UTF-8"),
        ("openapi: 3.0.0\n\x07", "2:1", "U+0007"),
    ],
)
def test_damaged_input_is_an_error_with_its_place(importing: Import, text: str | bytes, place: str, words: str) -> None:
    outcome = importing("openapi", text)
    assert outcome.files == {}
    (error,) = [one for one in outcome.found if one.code == "GWC800"]
    assert (f"{error.span.line}:{error.span.column}", words in error.message) == (place, True), error


@pytest.mark.parametrize(
    "broken", ["1", "[]", "{}", "null", '""', "{get: 1}", "{get: []}", "{$ref: 3}", "{$ref: '#/paths/~1a'}"]
)
@pytest.mark.parametrize("where", ["paths", "info", "servers", "security", "components", "/a"])
def test_wrong_types_never_break_it(importing: Import, where: str, broken: str) -> None:
    text = (
        SMALL.replace("{/a: {get: {}}}", f"{{/a: {broken}, /b: {{get: {{}}}}}}")
        if where == "/a"
        else ("\n".join(line for line in SMALL.split("\n") if not line.startswith(where)) + f"\n{where}: {broken}\n")
    )
    outcome = importing("openapi", text)
    assert outcome.files or any(one.code == "GWC800" for one in outcome.found)
