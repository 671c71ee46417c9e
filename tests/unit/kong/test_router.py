"""The plugin's index of routes, held against what it stands for: the first of the compiler's one order that matches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwc.ir import Gateway, PathTemplate, SegmentKind
from gwc.routing import PathEntry, host_tables
from gwc_kong.bundled import lua_literal
from gwc_kong.plugin import ServiceConfig
from gwc_kong.routing import host_header, row_name
from unit.kong.gateways import gateway, route, service
from unit.kong.luajit import loaded

RUNTIME, ROUTER = loaded("router")
HOSTS = ("a.test", "b.test", "::1")
METHODS = ("GET", "POST", "PUT")


def configuration(built: Gateway) -> Any:
    rows = {name: row for one in built.services for name, row in ServiceConfig(built, one, "plugin").rows()}
    return RUNTIME.eval(lua_literal({"routes": rows}))


def found(conf: Any, header: str, path: str, method: str) -> tuple[str, ...]:
    """The row that answers; or what the path serves instead, or nothing."""
    place = ROUTER.place(conf, header, path)
    if place is None:
        return ()
    row = place.methods[method]
    return ("405", ROUTER.allow(place)) if row is None else (f"{row.service}.{row.name}",)


def pattern(template: PathTemplate) -> str:
    kinds = {SegmentKind.PARAM: "[^/]+", SegmentKind.REST: ".*"}
    return "/" + "/".join(kinds.get(one.kind) or re.escape(one.text) for one in template.segments)


def oracle(built: Gateway, host: str, path: str, method: str) -> tuple[str, ...]:
    """Row by row, as `gwc.routing` says it."""
    tables = {table.host: table for table in host_tables(built)}
    table = tables.get(host) or tables[None]
    entry = next((one for one in table.entries if re.fullmatch(pattern(one.path), path, re.S)), None)
    return () if entry is None else serving(entry, method)


def serving(entry: PathEntry, method: str) -> tuple[str, ...]:
    for one in entry.routes:
        if method in one.route.methods:
            return (row_name(one.service, one.route),)
    return ("405", ", ".join(entry.allow))


_TEXTS = st.sampled_from(["a", "b", "c", "a.b", "methods", "1"])
_SEGMENTS = st.lists(_TEXTS | st.sampled_from(["{x}", "{y}"]), max_size=4)
_ENDS = st.sampled_from(["", "", "/", "/**"])


@st.composite
def gateways(draw: st.DrawFn) -> Gateway:
    """In which no two routes match the same requests."""
    seen, services = set(), []
    for number in range(draw(st.integers(1, 4))):
        hosts = draw(st.sets(st.sampled_from(HOSTS), max_size=2))
        routes = []
        for one in range(draw(st.integers(1, 8))):
            made = route(
                f"r{one}",
                "".join(f"/{segment}" for segment in draw(_SEGMENTS)) + draw(_ENDS) or "/",
                *draw(st.sets(st.sampled_from(METHODS), min_size=1)),
            )
            keys = {(host, made.path.shape, method) for host in hosts or {None} for method in made.methods}
            if not keys & seen:
                routes.append(made)
                seen |= keys
        services.append(service(f"s{number}", *routes, hosts=tuple(sorted(hosts))))
    return gateway(*services)


_ASKED = st.lists(_TEXTS | st.sampled_from(["", "x", "**", "{}", "{x}", "cors"]), min_size=1, max_size=6).map(
    lambda segments: "/" + "/".join(segments)
)


@given(gateways(), st.lists(st.tuples(st.sampled_from([*HOSTS, "c.test"]), _ASKED), min_size=1, max_size=30))
@settings(max_examples=300, deadline=None)
def test_the_index_finds_what_the_order_of_matching_says(built: Gateway, asked: list[tuple[str, str]]) -> None:
    conf = configuration(built)
    for host, path in (*asked, *((host, path) for host, _ in asked for path in near(built))):
        for method in (*METHODS, "DELETE"):
            assert found(conf, host_header(host), path, method) == oracle(built, host, path, method), (host, path)


def near(built: Gateway) -> Iterator[str]:
    """A path of each template, and one beside it."""
    for one in built.services:
        for each in one.routes:
            path = re.sub(r"\{.\}", "b", each.path.text)
            yield path.replace("**", "")
            yield path.replace("**", "a//x")
            yield path + "/"


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ("a.test", True), ("A.Test", True), ("a.test.", True), ("a.test:8080", True), ("a.test.:80", True),
        ("b.test", False), ("", False), ("a.test:x", False), ("a.test..", False), ("[::1]", True), ("[::1]:80", True),
        ("::1", False), ("false", False), ("xa.test", False),
    ],
)  # fmt: skip
def test_names_of_hosts(header: str, known: bool) -> None:
    conf = configuration(gateway(service("s", route("r", "/r"), hosts=("a.test", "::1"))))
    assert found(conf, header, "/r", "GET") == (("s.r",) if known else ())


def test_the_routes_of_a_host_come_before_those_of_any() -> None:
    conf = configuration(
        gateway(
            service("own", route("r", "/{x}"), hosts=("a.test",)), service("any", route("r", "/r"), route("s", "/s/t"))
        )
    )
    assert found(conf, "a.test", "/r", "GET") == ("own.r",)
    assert found(conf, "b.test", "/r", "GET") == ("any.r",)
    assert found(conf, "a.test", "/s/t", "GET") == ("any.s",)


def test_an_index_is_made_once_for_a_configuration() -> None:
    one, other = (configuration(gateway(service("s", route("r", path)))) for path in ("/a", "/b"))
    same = RUNTIME.eval("rawequal")
    first = ROUTER.place(one, "", "/a")
    assert same(first, ROUTER.place(one, "", "/a"))
    assert ROUTER.place(other, "", "/a") is None
    assert ROUTER.place(other, "", "/b") is not None


def test_a_request_costs_its_path_and_not_the_number_of_routes() -> None:
    """Counted by the lookups that the interpreter makes."""
    count = RUNTIME.eval(
        """function(place, conf, path)
          local steps = 0
          jit.off(); debug.sethook(function() steps = steps + 1 end, "", 1)
          local found = place(conf, "", path)
          debug.sethook(); jit.on()
          return found and steps
        end"""
    )
    steps = []
    for many in (10, 1000):
        routes = (route(f"r{n}", f"/{n}/" + "{x}") for n in range(many))
        conf = configuration(gateway(service("s", *routes)))
        ROUTER.prepare(conf)
        steps.append(count(ROUTER.place, conf, f"/{many - 1}/x"))
    assert steps[0] == steps[1] > 0
