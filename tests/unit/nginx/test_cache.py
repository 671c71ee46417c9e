"""The edge cache as rendered."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from gwc_nginx import TARGET, cache
from unit.nginx.gateways import gateway, known_to_njs, route

PROFILES = ("njs", "plain")
KEPT = {"ttl": "1m", "vary": {"query": ["v"], "headers": ["Accept-Language"]}}


def files(profile: str, *routes: dict[str, Any], **service: Any) -> dict[str, str]:
    artifact = TARGET.emit(gateway({"routes": list(routes), **service}), profile)
    return {name: output.text for name, output in artifact.files.items()}


def cached(**fields: Any) -> dict[str, Any]:
    return route(methods=["GET", "HEAD"], **{"cache": KEPT, **fields})


def location(text: str, name: str) -> str:
    found = re.search(rf'^    location = "{re.escape(name)}" {{\n(.*?)^    }}', text, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found[1]


@pytest.mark.parametrize("profile", PROFILES)
def test_without_a_cached_route_there_is_no_store(profile: str) -> None:
    text = "\n".join(text for name, text in files(profile, route()).items() if not name.endswith(".js"))
    assert "proxy_cache" not in text
    assert "gwc_cached" not in text
    assert "X-Cache" not in text


@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_of_the_client_passes_but_what_keys_the_answer(profile: str) -> None:
    text = location(files(profile, cached())["public.conf"], "/_gwc/cache/main/r")
    assert "proxy_pass_request_headers off;" in text
    assert "proxy_pass_request_body off;" in text
    clients = {value for value in re.findall(r'proxy_set_header "[^"]+" "([^"]*)"', text) if "$http_" in value}
    assert clients == {"$http_accept_language"}


@pytest.mark.parametrize("profile", PROFILES)
def test_the_host_that_is_forwarded_is_the_host_that_keys(profile: str) -> None:
    text = location(files(profile, cached())["public.conf"], "/_gwc/cache/main/r")
    host = re.search(r'proxy_set_header "Host" "([^"]*)"', text)
    assert host is not None
    assert host[1] == {"njs": "$gwc_host", "plain": "$host"}[profile]


def test_what_the_service_may_not_steer_is_not_believed() -> None:
    text = location(files("njs", cached())["public.conf"], "/_gwc/cache/main/r")
    ignored = re.search(r"proxy_ignore_headers ([^;]*);", text)
    assert ignored is not None
    assert set(ignored[1].split()) >= {"Cache-Control", "Expires", "Set-Cookie", "Vary", "X-Accel-Expires"}


def test_nothing_is_kept_before_it_has_been_judged() -> None:
    found = files("njs", cached(cache={**KEPT, "stale": {"while_revalidate": "1m"}}))
    public, admin = found["public.conf"], found["admin.conf"]
    for text in (location(public, "/_gwc/cache/main/r"), location(admin, "/_gwc/renewal/main/r")):
        assert "proxy_no_cache $gwc_cache_unfit;" in text
        assert re.search(r"js_header_filter (cache.headers|misses.renewed);", text)
    assert found["njs/fitness.js"].count("gwc_cache_unfit = ''") == 1


def test_plain_leaves_cookies_and_vary_to_nginx_itself() -> None:
    text = location(files("plain", cached())["public.conf"], "/_gwc/cache/main/r")
    ignored = re.search(r"proxy_ignore_headers ([^;]*);", text)
    assert ignored is not None
    assert {"Set-Cookie", "Vary"}.isdisjoint(ignored[1].split())
    assert "proxy_no_cache $upstream_http_x_gwc_unfit;" in text


def test_plain_opens_no_route_with_credentials_from_the_store() -> None:
    keys = {"api_key": {"header": "X-Key", "consumers": [{"name": "a", "secret": {"env": "A"}}]}}
    service = {"routes": [cached(auth={"any_of": ["api_key"]}, cache={"ttl": "1m", "scope": "user"})]}
    text = TARGET.emit(gateway(service, identity=keys), "plain").files["public.conf"].text
    assert "/_gwc/cache/" not in text
    assert "return 401;" in location(text, "/_gwc/route/main/r")


def test_the_store_outlives_whatever_may_be_served_from_it() -> None:
    one = cached(cache={"ttl": "1h", "stale": {"if_error": "7d", "while_revalidate": "1h"}})
    two = cached(name="s", path="/s", cache={"ttl": "1500ms"})
    found = files("njs", one, two)
    hour, week = 3600, 7 * 86400
    assert f"inactive={hour + week + 60}s" in found["clients.conf"]
    assert f"proxy_cache_valid 200 301 404 {hour + week + 60}s;" in found["clients.conf"]
    assert "proxy_cache_valid" not in found["public.conf"]


def test_plain_never_keeps_an_answer_more_than_a_second_too_long() -> None:
    found = files("plain", cached(cache={"ttl": "2500ms", "negative_ttl": "200ms"}))
    text = location(found["public.conf"], "/_gwc/cache/main/r")
    assert "proxy_cache_valid 200 2s;" in text
    assert "proxy_cache_valid 301 404 1s;" in text


def test_only_200_is_kept_where_the_policy_does_not_say_more() -> None:
    text = location(files("plain", cached())["public.conf"], "/_gwc/cache/main/r")
    assert re.findall(r"proxy_cache_valid ([0-9 ]+) [0-9]+s;", text) == ["200"]
    settings = known_to_njs(gateway({"routes": [cached()]}))["settings"]
    assert settings["main/r"]["cache"]["negative"] == 0


def test_plain_keys_one_part_a_line_with_the_path_last() -> None:
    text = location(files("plain", cached())["public.conf"], "/_gwc/cache/main/r")
    key = re.search(r'proxy_cache_key "([^"]*)";', text)
    assert key is not None
    parts = key[1].split(r"\n")
    assert parts[0] == "$gwc_route"
    assert parts[-1] == "$gwc_path"
    assert {"$host", "$args", "$http_accept_language"} <= set(parts)


@pytest.mark.parametrize("length", [0, 1, 999_999, 1_048_576])
def test_plain_keeps_answers_of_up_to_a_mebibyte(length: int) -> None:
    assert not re.search(_too_long(), str(length))


@pytest.mark.parametrize("length", [1_048_577, 1_048_580, 1_048_600, 1_049_000, 1_050_000, 1_100_000, 2**21, 10**9])
def test_plain_keeps_no_larger_ones(length: int) -> None:
    assert re.search(_too_long(), str(length))


def _too_long() -> str:
    clients = files("plain", cached())["clients.conf"]
    found = re.search(r'\$gwc_unfit_length \{\n +default "";\n +"~(\S+)" 1;', clients)
    assert found is not None
    return found[1].replace("\\\\z", r"\Z")


def test_only_cached_routes_can_be_purged() -> None:
    found = json.loads(files("njs", cached(), route(name="s", path="/s"))["gwc.json"])
    assert found["cached"] == {":main/r": True}


def test_routes_that_are_cached_differently_share_no_settings() -> None:
    found = known_to_njs(gateway({"routes": [cached(), cached(name="s", path="/s", cache={"ttl": "2m"})]}))
    assert {name: of["cache"]["ttl"] for name, of in found["settings"].items()} == {"main/r": 60_000, "main/s": 120_000}


def test_the_room_for_generations_grows_with_the_routes() -> None:
    few = gateway({"routes": [cached()]})
    many = gateway({"routes": [cached(name=f"r{n}", path=f"/{n}") for n in range(600)]})
    assert [zones[-1] for zones in (cache.zones(few), cache.zones(many))] == [
        "gwc_purged:65k timeout=366d evict type=number", "gwc_purged:214k timeout=366d evict type=number",
    ]  # fmt: skip
