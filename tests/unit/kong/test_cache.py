"""The cache's pure Lua under LuaJIT: keys that nobody can forge, what may be kept, conditions, and who fetches."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.kong.luajit import loaded

KEYS_RUNTIME, KEYS = loaded("cache_key")
RULES_RUNTIME, RULES = loaded("cache_rules")
LISTED = ["lang", "version"]


def table(runtime: Any, value: Any) -> Any:
    """Python's lists and dicts as Lua tables, all the way down."""
    if isinstance(value, dict):
        return runtime.table_from({key: table(runtime, item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return runtime.table_from([table(runtime, item) for item in value])
    return value


def query(raw: str | None, listed: list[str] = LISTED) -> str:
    text: str = KEYS.query(raw, table(KEYS_RUNTIME, listed))
    return text


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (None, ""),
        ("", ""),
        ("version=1&lang=en", "lang=en&version=1"),
        ("lang=en&x=1&version=1&y", "lang=en&version=1"),
        ("version=2&lang=x&version=1", "lang=x&version=2&version=1"),
        ("version", "version"),
        ("version=", "version="),
        ("%76ersion=1", "%76ersion=1"),
        ("VERSION=1&version2=2&xversion=3", ""),
        ("version=1;lang=2", "version=1;lang=2"),
        ("version=1?lang=x", "version=1?lang=x"),
        ("version==1==", "version==1=="),
        ("&&version=%zz%&=", "version=%zz%"),
        ("version=a%26lang%3Dx", "version=a%26lang%3Dx"),
    ],
)
def test_the_listed_parameters_of_a_query(raw: str | None, kept: str) -> None:
    assert query(raw) == kept


@given(st.text(alphabet="versionlagx=&%+;?#12aF", max_size=60))
@settings(max_examples=300, deadline=None)
def test_a_service_finds_listed_parameters_only_and_all_of_them(raw: str) -> None:
    def read(text: str) -> list[tuple[str, str]]:
        return sorted((n for n in parse_qsl(text, keep_blank_values=True, encoding="latin-1")), key=lambda p: p[0])

    assert read(query(raw)) == [pair for pair in read(raw) if pair[0] in LISTED]
    assert query(query(raw)) == query(raw)


def text_of(facts: list[str], headers: dict[str, list[str]]) -> str:
    listed = ["accept-language", "x-tenant"]
    told = table(KEYS_RUNTIME, facts)
    told["n"] = len(facts)
    text: str = KEYS.text(told, table(KEYS_RUNTIME, listed), table(KEYS_RUNTIME, headers))
    return text


PART = st.text(alphabet='a:,-|*1"2\\', max_size=4)
REQUEST = st.tuples(
    st.lists(PART, min_size=3, max_size=3),
    st.dictionaries(st.sampled_from(["accept-language", "x-tenant"]), st.lists(PART, min_size=1, max_size=3)),
)


@given(REQUEST, REQUEST)
@settings(max_examples=500, deadline=None)
def test_different_requests_never_share_a_key(one: Any, other: Any) -> None:
    assert (text_of(*one) == text_of(*other)) == (one == other)


def test_absent_empty_and_repeated_headers_differ() -> None:
    given_values: list[dict[str, list[str]]] = [
        {}, {"x-tenant": [""]}, {"x-tenant": ["", ""]}, {"x-tenant": ["-"]}, {"x-tenant": ["a", "b"]},
        {"x-tenant": ["a,b"]}, {"x-tenant": ["a, b"]}, {"accept-language": ["a"]}, {"x-tenant": ["a"]},
    ]  # fmt: skip
    assert len({text_of(["/"], headers) for headers in given_values}) == len(given_values)


def test_only_listed_headers_are_read() -> None:
    sent = table(KEYS_RUNTIME, {"x-tenant": "red", "cookie": "a=1", "accept-language": ["de", "en"]})
    found = KEYS.headers(sent, table(KEYS_RUNTIME, ["accept-language", "x-tenant", "x-absent"]))
    assert {name: list(values.values()) for name, values in found.items()} == {
        "x-tenant": ["red"],
        "accept-language": ["de", "en"],
    }


CACHE: dict[str, Any] = {"ttl": 60, "negative_ttl": 5}


def storable(status: int = 200, *, framed: bool = True, cache: dict[str, Any] = CACHE, **headers: Any) -> bool:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer: bool = RULES.storable(table(RULES_RUNTIME, cache), status, table(RULES_RUNTIME, sent), framed)
    return answer


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cache_control": "no-cache, max-age=0, must-revalidate"},
        {"cache_control": "x-private, privateer, no-stores, no-store-y"},
        {"cache_control": ["public", "max-age=60"]},
        {"vary": "Accept-Encoding, Cookie"},
        {"pragma": "no-cache", "expires": "0"},
    ],
)
def test_what_may_be_kept(headers: dict[str, Any]) -> None:
    assert storable(**headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"set_cookie": "a=1"},
        {"set_cookie": ""},
        {"set_cookie": ["a=1", "b=2"]},
        {"set_cookie2": "a=1"},
        {"content_range": "bytes 0-1/2"},
        {"cache_control": "private"},
        {"cache_control": "PRIVATE"},
        {"cache_control": 'private="X-Name"'},
        {"cache_control": "private;max-age=3600"},
        {"cache_control": 'extension="a, b", private'},
        {"cache_control": "max-age=60,No-Store"},
        {"cache_control": ["public", "no-store"]},
        {"vary": "*"},
        {"vary": "Accept,*"},
        {"vary": ["Accept", " * "]},
    ],
)
def test_what_may_not(headers: dict[str, Any]) -> None:
    assert not storable(**headers)


def test_an_answer_whose_end_cannot_be_told_from_a_cut_is_not_kept() -> None:
    assert not storable(framed=False)


@pytest.mark.parametrize("status", [200, 301, 404])
def test_the_statuses_that_are_kept(status: int) -> None:
    assert storable(status)
    assert storable(status, cache={"ttl": 60}) == (status == 200)


@pytest.mark.parametrize("status", [201, 203, 204, 206, 302, 304, 307, 400, 401, 403, 410, 429, 500, 503, 599])
def test_the_statuses_that_are_not(status: int) -> None:
    assert not storable(status)


def test_what_is_of_one_answer_alone_is_not_kept() -> None:
    sent = {
        "Content-Type": "text/plain", "ETag": '"v1"', "X-Twice": ["a", "b"], "x-twice": "c", "Date": "today",
        "Connection": "close, X-Hop", "X-Hop": "1", "Keep-Alive": "5", "Transfer-Encoding": "chunked", "Trailer": "X",
        "X-Request-Id": "i", "X-Trace-Id": "own", "traceparent": "t", "RateLimit": "r", "RateLimit-Policy": "p",
        "X-Cache": "HIT", "Age": "7", "Content-Length": "3", "Retry-After": "1", "Proxy-Authenticate": "x",
    }  # fmt: skip
    lower = {**{name.lower(): value for name, value in sent.items()}, "x-twice": ["b", "c", "a"]}
    kept = RULES.kept(*(table(RULES_RUNTIME, part) for part in (sent, lower, {"x-trace-id": True})))
    found = {entry[1]: list(entry[2].values()) for entry in kept.values()}
    assert (found.pop("X-Twice", None) or found.pop("x-twice")) == ["b", "c", "a"]
    assert found == {"Content-Type": ["text/plain"], "ETag": ['"v1"'], "Date": ["today"]}


def same(given_headers: dict[str, Any], status: int = 200, **kept: str) -> bool:
    RULES_RUNTIME.execute(
        "ngx.parse_http_time = function(text) return tonumber(string.match(text, '^%a+, 0(%d) Jan 2006 ')) end"
    )
    headers = [[name.replace("_", "-"), [value]] for name, value in kept.items()]
    answer: bool = RULES.same(table(RULES_RUNTIME, given_headers), status, table(RULES_RUNTIME, headers))
    return answer


@pytest.mark.parametrize("condition", ['"v1"', 'W/"v1"', '"v0", W/"v1"', ' "v1" ,"v2"', "*", " * "])
@pytest.mark.parametrize("etag", ['"v1"', 'W/"v1"'])
def test_tags_compare_weakly(condition: str, etag: str) -> None:
    assert same({"if-none-match": condition}, ETag=etag)


@pytest.mark.parametrize("condition", ['"v2"', '"V1"', '"v"', '"xv1"', "v1", "", '"*"', "**"])
def test_other_tags_differ(condition: str) -> None:
    assert not same({"if-none-match": condition, "if-modified-since": "Mon, 02 Jan 2006 15:04:05 GMT"},
                    ETag='"v1"', Last_Modified="Mon, 02 Jan 2006 15:04:05 GMT")  # fmt: skip


def test_dates() -> None:
    since = "Mon, 02 Jan 2006 15:04:05 GMT"
    assert same({"if-modified-since": since}, Last_Modified=since)
    assert same({"if-modified-since": since}, Last_Modified=since.replace("02", "01"))
    assert not same({"if-modified-since": since}, Last_Modified=since.replace("02", "03"))
    assert not same({"if-modified-since": "yesterday"}, Last_Modified=since)
    assert not same({"if-modified-since": since})
    assert not same({}, Last_Modified=since)


def test_only_a_200_is_conditional() -> None:
    assert not same({"if-none-match": "*"}, 404, ETag='"v1"')


class Store:
    """The store over a dictionary of memory that may be full."""

    def __init__(self) -> None:
        self.runtime, self.store = loaded("cache_store")

    def own(self, text: str, digest: str = "d", token: str = "100.0") -> Any:
        return table(self.runtime, {"text": text, "digest": digest, "token": token})

    def write(self, own: Any, body: str, seconds: float = 60) -> bool:
        written: bool = self.store.write(own, 200, table(self.runtime, [["ETag", ['"v1"']]]), body, seconds)
        return written

    def pass_time(self, seconds: float) -> None:
        self.runtime.execute(f"now = now + {seconds}")


def test_an_answer_comes_back_as_it_was_kept() -> None:
    memory = Store()
    own = memory.own("a")
    assert memory.store.read(own) is None
    assert memory.write(own, "b\0d\xff")
    kept = memory.store.read(own)
    assert (kept.status, kept.size, kept.headers[1][1], kept.headers[1][2][1]) == (200, 4, "ETag", '"v1"')
    assert memory.store.body(own, kept) == "b\0d\xff"
    memory.pass_time(61)
    assert memory.store.read(own) is None


def test_two_texts_of_one_digest_do_not_share_an_answer() -> None:
    memory = Store()
    assert memory.write(memory.own("one"), "1")
    assert memory.store.read(memory.own("other")) is None


def test_a_head_without_its_own_body_has_none() -> None:
    memory = Store()
    own = memory.own("a")
    memory.write(own, "first")
    old = memory.store.read(own)
    memory.write(own, "other")
    assert memory.store.body(own, old) is None
    memory.store.drop(own)
    assert memory.store.read(own) is None


def test_what_finds_no_room_is_not_kept() -> None:
    memory = Store()
    memory.runtime.execute("ngx.shared.gwc_cache.set = function() return nil, 'no memory' end")
    assert not memory.write(memory.own("a"), "body")
    assert memory.store.read(memory.own("a")) is None


def test_one_request_fetches() -> None:
    memory = Store()
    first, second = memory.own("a", token="100.1"), memory.own("a", token="100.2")
    assert memory.store.take(first, 9)
    assert not memory.store.take(second, 9)
    assert memory.store.holder(second)[0] == "100.1"
    memory.store.release(second)  # not its own
    assert memory.store.holder(second)[0] == "100.1"
    memory.store.release(first)
    assert memory.store.take(second, 9)


def test_a_holder_that_lost_its_place_ends_nobody_elses() -> None:
    memory = Store()
    slow, quick = memory.own("a", token="100.1"), memory.own("a", token="100.2")
    assert memory.store.take(slow, 9)
    assert memory.store.seize(quick, 9)
    memory.store.release(slow, "failed", 1)
    assert memory.store.holder(slow)[0] == "100.2"
    memory.store.release(quick, "failed", 1)
    assert memory.store.holder(slow) == (None, "failed")
    memory.pass_time(1.1)
    assert memory.store.take(slow, 9)


def test_what_a_dead_worker_held_is_free_in_a_moment() -> None:
    memory = Store()
    dead, heir = memory.own("a", token="100.1"), memory.own("a", token="101.1")
    assert memory.store.take(dead, 60)
    memory.runtime.execute("pid = 101")
    memory.pass_time(3)
    assert not memory.store.take(heir, 60)
    memory.pass_time(2)
    assert memory.store.holder(heir)[1] == "gone"
    assert memory.store.take(heir, 60)


def test_the_time_of_an_answer_begins_with_it() -> None:
    memory = Store()
    own = memory.own("a", token="100.1")
    assert memory.store.take(own, 60)
    memory.pass_time(3)
    memory.store.answering(own, 60)
    token, step, since = memory.store.holder(own)
    assert (token, step, since) == ("100.1", "answering", 1000003)


def test_a_job_is_collected_once() -> None:
    memory = Store()
    memory.store.leave("secret", table(memory.runtime, {"token": "t"}), 9)
    assert memory.store.collect("guess") is None
    assert memory.store.collect("secret").token == "t"
    assert memory.store.collect("secret") is None


@pytest.mark.parametrize(
    "sent",
    [{}, {"x-gwc-renewal": "guess"}, {"x-gwc-renewal": "0" * 32}, {"x-gwc-renewal": "f" * 33},
     {"x-gwc-renewal": ["a" * 32, "a" * 32]}, {"x-gwc-renewal": ""}, {"x-other": "a" * 32}],
)  # fmt: skip
def test_nobody_passes_for_a_renewal(sent: dict[str, Any]) -> None:
    runtime, renewal = _renewal()
    assert not renewal.claimed(table(runtime, sent))
    assert renewal.claimed(table(runtime, {"x-gwc-renewal": "a" * 32})).token == "t"


def test_a_renewal_is_claimed_once_and_soon() -> None:
    for wait, expected in ((0, True), (11, False)):
        runtime, renewal = _renewal()
        runtime.execute(f"now = now + {wait}")
        sent = table(runtime, {"x-gwc-renewal": "a" * 32})
        assert bool(renewal.claimed(sent)) is expected
        assert not renewal.claimed(sent)


def _renewal() -> tuple[Any, Any]:
    """With one job left under the secret of thirty-two letters."""
    runtime, renewal = loaded("renewal", "cache_store", preload={"resty.openssl.rand": "return {}"})
    leave = runtime.eval('package.loaded["kong.plugins.gwc.cache_store"].leave')
    leave("a" * 32, table(runtime, {"token": "t"}), 10)
    return runtime, renewal
