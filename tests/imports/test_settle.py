"""What the language refuses of a draft is taken out, said at its source, and opens nothing."""

from __future__ import annotations

import json

import pytest

from .conftest import Import, route_of

OPEN = {"openapi": "3.0.0", "info": {"title": "t"}, "components": {"securitySchemes": {"o": {"type": "oauth2"}}}}


@pytest.mark.parametrize("scopes", [["not a scope"], ["fine", "not a scope"]])
def test_a_route_whose_credentials_cannot_be_said_goes_as_a_whole(importing: Import, scopes: list[str]) -> None:
    paths = {"/open": {"get": {}}, "/closed": {"get": {"security": [{"o": scopes}]}}}
    outcome = importing("openapi", json.dumps({**OPEN, "paths": paths}, indent=1))
    (service,) = outcome.gateway().services
    assert [(route.path.text, route.auth) for route in service.routes] == [("/open", None)]
    assert any("not a scope" in one for one in outcome.said("GWC801"))


def test_a_service_whose_own_credentials_cannot_be_said_goes_as_a_whole(importing: Import) -> None:
    data = {**OPEN, "security": [{"o": ["not a scope"]}], "paths": {"/a": {"get": {}}}}
    assert importing("openapi", json.dumps(data)).files == {}


def test_a_service_without_one_host_that_is_one_is_not_opened_to_all(importing: Import) -> None:
    server = "server {{ listen 80; server_name {0}; location /{1}/ {{ proxy_pass http://u:1; }} }}\n"
    text = server.format("under_score.example.com", "a") + server.format("ok.example.com x_y", "b")
    outcome = importing("nginx", text)
    (service,) = outcome.gateway().services
    assert service.hosts == ("ok.example.com",)
    assert [int(one.partition(":")[0]) for one in outcome.said("GWC801")] == [1, 2]


def test_a_value_that_is_refused_is_named_where_it_stands(importing: Import) -> None:
    text = (
        "server {\n listen 80;\n location /a/ {\n  proxy_pass http://u:1;\n  add_header Content-Type text/plain;\n"
        "  add_header X-Ok yes;\n  client_max_body_size 9999999g;\n }\n location /b/ { proxy_pass http://u:1; }\n}\n"
    )
    outcome = importing("nginx", text)
    gateway = outcome.gateway()
    assert route_of(gateway, "/b/**").name == "b-all"
    assert route_of(gateway, "/a/**").max_body <= 2**40
    assert any(one.startswith(("5:", "6:")) and "Content-Type" in one for one in outcome.said("GWC801"))


def test_two_routes_for_the_same_requests_are_one(importing: Import) -> None:
    text = (
        "_format_version: '3.0'\nservices:\n- {name: a, url: 'http://a:1', routes: [{name: x, paths: [/p/]}]}\n"
        "- {name: b, url: 'http://b:1', routes: [{name: y, paths: [/p/]}, {name: z, paths: [/q/]}]}\n"
    )
    outcome = importing("kong", text)
    routes = {service.name: [route.path.text for route in service.routes] for service in outcome.gateway().services}
    assert routes == {"a": ["/p/**"], "b-2": ["/q/**"]}
    assert any("both match" in one for one in outcome.said("GWC801")), outcome.found
