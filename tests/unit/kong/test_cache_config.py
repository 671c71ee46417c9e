"""What the compiler tells the plugin of a cache: settings, its own listeners, and what can be purged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gwc.ir import Address, Cache, Gateway, Https, Listen, Secret
from gwc_kong import TARGET
from gwc_kong.admin import status_api
from gwc_kong.cache import loopback_config
from gwc_kong.document import document
from gwc_kong.sharing import At
from unit.kong.gateways import gateway, route, service

PLAIN = Cache(
    ttl=60.0,
    vary_query=(),
    vary_headers=(),
    stale_if_error=0.0,
    stale_while_revalidate=0.0,
    negative_ttl=None,
    per_user=False,
)
RENEWED = replace(PLAIN, stale_while_revalidate=5.0)


def bare(value: Any) -> Any:
    """Without the policy's places."""
    if isinstance(value, At):
        return bare(value.value)
    if isinstance(value, Mapping):
        return {key: bare(item) for key, item in value.items()}
    return [bare(item) for item in value] if isinstance(value, list) else value


def cached(cache: Cache | None, **changes: Any) -> Gateway:
    return gateway(service("notes", route("one", "/one", cache=cache), route("two", "/two")), **changes)


def config(built: Gateway) -> Any:
    plugin, *_ = bare(document(built, "plugin"))["plugins"]
    return plugin["config"]


def test_each_setting_of_a_cache_reaches_the_plugin() -> None:
    full = Cache(
        ttl=60.0,
        vary_query=("lang", "v"),
        vary_headers=("accept-language",),
        stale_if_error=9.0,
        stale_while_revalidate=5.0,
        negative_ttl=3.0,
        per_user=True,
    )
    routes = config(cached(full))["routes"]
    assert routes["notes.one"]["cache"] == {
        "ttl": 60.0, "negative_ttl": 3.0, "query": ["lang", "v"], "headers": ["accept-language"],
        "if_error": 9.0, "while_revalidate": 5.0, "per_user": True,
    }  # fmt: skip
    assert "cache" not in routes["notes.two"]
    assert "negative_ttl" not in config(cached(PLAIN))["routes"]["notes.one"]["cache"]


@pytest.mark.parametrize(
    ("address", "reached"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("fd00::1", "[fd00::1]")],
)
def test_the_gateway_reaches_its_own_listeners(address: str, reached: str) -> None:
    https = Https(
        address=Address(host=address, port=8443),
        certificate="/c.pem",
        key=Secret(source="file", name="/k.pem"),
        min_version="TLSv1.2",
        redirect=False,
    )
    listen = Listen(http=Address(host=address, port=8080), https=https, admin=Address(host="127.0.0.1", port=9901))
    found = bare(dict(loopback_config(cached(RENEWED, listen=listen))))
    assert found == {"loopback": {"http": {"host": reached, "port": 8080}, "https": {"host": reached, "port": 8443}}}


@pytest.mark.parametrize("cache", [None, PLAIN])
def test_nothing_is_renewed_where_no_policy_says_so(cache: Cache | None) -> None:
    assert dict(loopback_config(cached(cache))) == {}


def test_only_cached_routes_can_be_purged() -> None:
    text = status_api(cached(PLAIN)).text
    assert 'routes["/cache/purge/:service/:route"]' in text
    assert '["notes"] = { ["one"] = true }' in text
    assert "two" not in text
    assert "purge" not in status_api(cached(None)).text


def test_the_dictionary_of_answers_has_its_size() -> None:
    for profile in TARGET.profiles:
        assert "gwc_cache 64m" in TARGET.emit(cached(PLAIN), profile).files["kong.env"].text
