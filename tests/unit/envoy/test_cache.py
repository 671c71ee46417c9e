"""The cache: what is emitted for it, and its memory and judgement under a real LuaJIT. The rest is for scenarios."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lupa import luajit21

from gwc.ir import Gateway
from gwc_envoy import cache, xds
from unit.envoy.policies import gateway, route
from unit.envoy.test_emit import bootstrap, manager, named

_JWT = {"jwt": {"issuer": "https://id.example.com/", "audience": ["a"], "jwks": {"url": "https://id.example.com/keys"}}}
_RING = 64 * 1024


def cached(**section: Any) -> Gateway:
    return gateway({"service": "a", "routes": [route(cache={"ttl": "1m", **section}), route("open", "/open")]})


def listeners(of: Gateway) -> list[str]:
    return [entry["name"] for entry in bootstrap(of)["static_resources"]["listeners"]]


def script(of: Gateway) -> str:
    found = next(entry for entry in manager(of)["http_filters"] if entry["name"] == cache.FILTER)
    text: str = found["typed_config"]["default_source_code"]["inline_string"]
    return text


def test_without_a_cache_there_is_nothing_of_it() -> None:
    given = gateway({"service": "a", "routes": [route()]})
    text = json.dumps(bootstrap(given))
    assert f'"name": "{cache.FILTER}' not in text and "GWC_CACHE_MEMORY" not in text


def test_the_cache_stands_behind_every_check_and_before_the_budget() -> None:
    section = {"ttl": "1m", "scope": "user"}
    given = gateway(
        {
            "service": "a",
            "auth": {"any_of": ["jwt"]},
            "budget": {"per": "user", "units": "9/hour"},
            "limits": [{"per": "user", "rate": "5/s"}],
            "routes": [route(cache=section)],
        },
        identity=_JWT,
    )
    names = [entry["name"] for entry in manager(given)["http_filters"]]
    wanted = ["gwc.jwt", "gwc.auth", "gwc.limits.caller", "gwc.upstream_errors", cache.FILTER, "gwc.budget"]
    assert [name for name in names if name in wanted] == wanted


def test_only_routes_with_a_cache_name_themselves() -> None:
    given = cached()
    assert named(given, "a/r")[0]["metadata"]["filter_metadata"][cache.FILTER] == {"route": "a/r"}
    assert cache.FILTER not in named(given, "a/open")[0]["metadata"]["filter_metadata"]


def test_renewals_are_the_route_s_own_action_with_the_proof() -> None:
    secret = {"gateway_secret": {"header": "X-Proof", "secret": {"env": "PROOF"}}}
    given = gateway({"service": "a", "routes": [route(cache={"ttl": "1m"})]}, identity=secret)
    listener = next(e for e in bootstrap(given)["static_resources"]["listeners"] if e["name"] == cache.RENEWAL)
    renewal = listener["filter_chains"][0]["filters"][0]["typed_config"]
    assert "gwc.gateway_secret" in [entry["name"] for entry in renewal["http_filters"]]
    (found,) = renewal["route_config"]["virtual_hosts"][0]["routes"]
    assert found["route"] == {k: v for k, v in named(given, "a/r")[0]["route"].items() if k != "rate_limits"}
    assert {"x-gwc-key", "x-gwc-renewal"} <= set(renewal["route_config"]["request_headers_to_remove"])


def test_the_internal_listeners_are_not_reachable() -> None:
    given = cached()
    assert {cache.RENEWAL, cache.WAIT, cache.GONE} <= set(listeners(given))
    for listener in bootstrap(given)["static_resources"]["listeners"]:
        if listener["name"].startswith("gwc."):
            assert "address" not in listener and listener["internal_listener"] == {}


def test_only_what_may_cover_for_errors_takes_the_hop() -> None:
    assert "gwc.cover" not in listeners(cached())
    given = cached(stale={"if_error": "1h"})
    assert "gwc.cover" in listeners(given)
    assert named(given, "a/r")[0]["route"]["cluster"] == "gwc.cover/a"
    assert named(given, "a/open")[0]["route"]["cluster"] == "a"


def test_services_without_a_cache_have_no_judge() -> None:
    given = gateway({"service": "a", "routes": [route(cache={"ttl": "1m"})]}, {"service": "b"})
    clusters = {entry["name"]: json.dumps(entry) for entry in bootstrap(given)["static_resources"]["clusters"]}
    assert "gwc.cache.judge" in clusters["a"] and "gwc.cache.judge" not in clusters["b"]


def test_the_policy_s_words_are_quoted() -> None:
    section = {"vary": {"query": ["__index", "a.b~c"], "headers": ["X-Tenant"]}, "negative_ttl": "250ms"}
    line = next(line for line in script(cached(**section)).splitlines() if line.startswith("ROUTES["))
    routes: Any = luajit21.LuaRuntime().execute(f"local ROUTES = {{}} {line} return ROUTES")
    found = routes["a/r"]
    assert list(found.query.values()) == ["__index", "a.b~c"] and found.listed["x-tenant"]
    assert (found.ttl, found.negative_ttl, found.if_error) == (60, 0.25, 0)


class Store:
    """The memory of a process of its own size."""

    def __init__(self) -> None:
        lua = luajit21.LuaRuntime(encoding=None)
        lua.execute("os.getenv = function() return nil end")
        text = xds.script("cache_store.lua", {"@RING@": str(_RING)})
        self.of = lua.execute(text.encode())

    def get(self, key: bytes) -> tuple[bytes, bytes] | None:
        born, head, body = self.of[b"get"](key)
        return None if born is None else (head, body)

    def put(self, key: bytes, head: bytes, body: bytes) -> bool:
        return bool(self.of[b"put"](key, head, body)[0])


_KEYS = st.sampled_from([b"k%d" % number for number in range(40)])
_WRITES = st.lists(st.tuples(_KEYS, st.binary(max_size=20), st.binary(max_size=6000)), max_size=120)


@settings(deadline=None, max_examples=60)
@given(_WRITES)
def test_what_is_read_is_what_was_written_last(writes: list[tuple[bytes, bytes, bytes]]) -> None:
    store, last = Store(), {}
    for key, head, body in writes:
        assert store.put(key, head, body)
        last[key] = (head, body)
        assert store.get(key) == (head, body)
    for key, value in last.items():
        assert store.get(key) in (None, value)


def test_the_oldest_goes_and_what_is_used_stays() -> None:
    store = Store()
    for number in range(1000):
        store.put(b"new%d" % number, b"", bytes(1000))
        if number:
            assert store.get(b"hot") == (b"", b"hot")
        else:
            store.put(b"hot", b"", b"hot")
    assert store.get(b"new0") is None and store.get(b"new999") is not None


_WORKER = b"""
local store, seed = ...
math.randomseed(seed)
local wrong = 0
for _ = 1, 6000 do
  local key = "key" .. math.random(1, 200)
  if math.random() < 0.4 then
    store.put(key, key .. "!", key:rep(math.random(1, 300)))
  else
    local born, head, body = store.get(key)
    if born and (head ~= key .. "!" or #body % #key ~= 0 or body ~= key:rep(#body / #key)) then wrong = wrong + 1 end
  end
  if math.random() < 0.1 and store.begin(key, 0.001) == "lead" then store.finish(key, 0) end
end
return wrong
"""


def test_workers_share_the_memory_and_never_see_half_an_answer() -> None:
    text = xds.script("cache_store.lua", {"@RING@": str(_RING)}).replace("GWC_CACHE_MEMORY", "GWC_CACHE_SHARED_TEST")
    workers = [luajit21.LuaRuntime(encoding=None) for _ in range(4)]
    stores = [lua.execute(text.encode()) for lua in workers]
    stores[0][b"put"](b"k", b"", b"everybody's")
    assert [store[b"get"](b"k")[2] for store in stores] == [b"everybody's"] * 4
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(lua.execute, _WORKER, stores[n], n) for n, lua in enumerate(workers)]
    assert [entry.result() for entry in done] == [0] * 4


def test_what_is_too_large_is_refused() -> None:
    store = Store()
    assert not store.put(b"k", b"", bytes(_RING)) and store.get(b"k") is None


def test_one_leads_until_it_lands_or_is_gone() -> None:
    store = Store()
    word, flight, _ = store.of[b"begin"](b"k", 60)
    assert (word, store.of[b"begin"](b"k", 60)[0]) == (b"lead", b"wait")
    store.of[b"release"](b"1:2.5")
    assert store.of[b"begin"](b"k", 60)[0] == b"wait"
    store.of[b"release"](flight)
    assert store.of[b"begin"](b"k", 60)[0] == b"lead"
    store.of[b"finish"](b"k", 60)
    assert store.of[b"begin"](b"k", 60)[0] == b"alone"


def test_nobody_waits_for_long_once_the_head_is_there() -> None:
    """Whoever leads may read as slowly as he likes."""
    store = Store()
    _, flight, _ = store.of[b"begin"](b"k", 60)
    store.of[b"arrive"](b"k")
    assert store.of[b"begin"](b"k", 60)[0] == b"wait"
    time.sleep(2.05)
    assert store.of[b"begin"](b"k", 60)[0] == b"alone"
    store.of[b"release"](flight)
    assert store.of[b"begin"](b"k", 60)[0] == b"lead"


def test_a_crowd_that_waits_takes_turns() -> None:
    """Two thousand looks a second, however many they are."""
    store = Store()
    store.of[b"begin"](b"k", 60)
    turns = [store.of[b"begin"](b"k", 60)[2] for _ in range(2000)]
    assert turns[0] < 0.01 and 0.5 < turns[-1] <= 1.0


def test_a_purge_is_of_one_route() -> None:
    store = Store()
    store.of[b"purge"](3)
    assert [store.of[b"generation"](route) for route in (2, 3, 4)] == [0, 1, 0]


def judged(**headers: str | None) -> str:
    """The note that the judge leaves, for headers of one line each."""
    lua = luajit21.LuaRuntime()
    lua.execute(xds.script("cache_judge.lua"))
    fields = {"content_length": "1", **headers}
    return str(
        lua.execute(
            """
            local fields = ...
            local note
            local headers = {}
            function headers:get(name) return fields[name] end
            function headers:replace(_, value) note = value end
            envoy_on_response({headers = function() return headers end})
            return note
            """,
            lua.table_from({name.replace("_", "-"): value for name, value in fields.items() if value is not None}),
        )
    )


@pytest.mark.parametrize(
    ("headers", "note"),
    [
        ({}, "yes"),
        ({"content_length": None}, "no"),  # it ends where the connection does
        ({"content_length": None, "transfer_encoding": "chunked"}, "yes"),
        ({"cache_control": "max-age=0, must-revalidate, no-cache"}, "yes"),
        ({"cache_control": "x-private, no-stores"}, "yes"),
        ({"vary": "Accept, Cookie"}, "yes"),
        ({"cache_control": "Public,PRIVATE"}, "no"),
        ({"cache_control": 'private="x"'}, "no"),
        ({"cache_control": "no-store;max-age=1"}, "no"),
        ({"vary": "Accept , *"}, "no"),
        ({"set_cookie": ""}, "no"),
        ({"content_range": "bytes 0-1/2"}, "no"),
    ],
)
def test_the_service_s_word(headers: dict[str, str | None], note: str) -> None:
    assert judged(**headers) == note


def keys() -> Any:
    """`key_of` of the script, over a route with a query, two headers and a user."""
    section = {"ttl": "1m", "scope": "user", "vary": {"query": ["q"], "headers": ["A", "B"]}}
    service = {"service": "a", "auth": {"any_of": ["jwt"]}, "routes": [route(cache=section)]}
    text = script(gateway(service, identity=_JWT))
    lua = luajit21.LuaRuntime(encoding="latin-1")
    opened = text[: text.index("-- What is kept under a key")]
    return lua.execute(
        f"""
        os.getenv = function() return nil end
        {opened}
        return function(host, path, user, a, b)
          local fields = {{[":authority"] = host, [":path"] = path, ["x-gwc-user"] = user, a = a, b = b}}
          local headers = {{}}
          function headers:get(name) return fields[name] end
          return key_of(ROUTES["a/r"], headers)
        end
        """
    )


_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=6) | st.text("|:-=%0123456789", max_size=8)
_ASKED = st.tuples(_TEXT, _TEXT, _TEXT, st.none() | _TEXT, st.none() | _TEXT)


@settings(deadline=None, max_examples=400)
@given(_ASKED, _ASKED)
def test_different_requests_share_no_key(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    key_of = _KEY_OF
    assert (key_of(*one) == key_of(*other)) == (one == other)
    assert key_of(*one).isascii()


_KEY_OF = keys()


def test_a_parameter_that_repeats_costs_no_more_than_its_length() -> None:
    """Up to as many as a head holds. Were each addition to copy what is there already, ten times would cost 100."""
    text = script(cached(vary={"query": ["v", "w"]}))
    lua = luajit21.LuaRuntime(encoding="latin-1")
    opened = text[: text.index("local function drop_the_unlisted")]
    query_of: Any = lua.execute(f'os.getenv = function() return nil end {opened} return query_of, ROUTES["a/r"]')
    assert _repeated(query_of, 25_000) < 40 * _repeated(query_of, 2_500)


def _repeated(query_of: Any, times: int) -> float:
    """Processor time for a query that has one parameter so often, in seconds; the least of five."""
    asked, took = "&".join(["v"] * times), []
    for _ in range(5):
        began = time.process_time()
        assert query_of[0](query_of[1], f"w=1&{asked}&x") == f"{asked}&w=1"
        took.append(time.process_time() - began)
    return min(took)
