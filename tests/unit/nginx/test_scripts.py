"""Each server has the njs modules that it calls, and nothing is imported for all."""

from __future__ import annotations

import re

import pytest

from gwc_nginx import TARGET
from unit.nginx.gateways import gateway, route

RICH = {
    "upstream": {"endpoints": [{"url": "http://127.0.0.1:1"}], "health": {"path": "/up", "every": "5s"}},
    "routes": [
        route(name="a", path="/a", cache={"ttl": "1m", "stale": {"while_revalidate": "1m"}}),
        route(name="b", path="/b", stream=True, timeouts={"request": "1s", "idle": "5s"}),
        route(name="c", path="/c", cors={"origins": ["https://app.example.com"]}),
    ],
}


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    listen = {
        "http": "127.0.0.1:8080",
        "admin": "127.0.0.1:9901",
        "https": {
            "port": 8443,
            "certificate": {"file": "/etc/gwc/tls.crt"},
            "key": {"secret": {"file": "/etc/gwc/tls.key"}},
            "redirect": True,
        },
    }
    made = gateway(RICH, listen=listen, tracing={"otlp": "http://127.0.0.1:4318", "sample": "10%"})
    return {name: output.text for name, output in TARGET.emit(made, "njs").files.items()}


def servers(text: str) -> list[str]:
    return re.split(r"(?m)^server \{$", text)[1:]


def imported(server: str) -> set[str]:
    return set(re.findall(r"js_import (\w+) from", server))


def test_no_server_has_the_modules_of_another(files: dict[str, str]) -> None:
    assert "js_import" not in files["nginx.conf"]


@pytest.mark.parametrize("name", ["public.conf", "admin.conf"])
def test_what_a_server_calls_it_has_imported(files: dict[str, str], name: str) -> None:
    for server in servers(files[name]):
        called = set(re.findall(r"js_(?:content|header_filter|body_filter|periodic) (\w+)\.", server))
        assert called
        assert called <= imported(server)


def test_what_variables_call_is_imported_where_they_are_used(files: dict[str, str]) -> None:
    every = files["nginx.conf"] + files["clients.conf"]
    modules = dict(re.findall(r"js_set (\$\w+) (\w+)\.", every))
    assert {"$gwc_location", "$gwc_secret", "$gwc_hop", "$gwc_line", "$gwc_done"} <= set(modules)
    for name in ("public.conf", "admin.conf"):
        for server in servers(files[name]):
            used = {module for variable, module in modules.items() if re.search(re.escape(variable) + r"\b", server)}
            assert used <= imported(server)
    # The access log of the public servers is written at the level above them.
    assert all(modules["$gwc_line"] in imported(server) for server in servers(files["public.conf"]))
