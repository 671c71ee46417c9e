"""The short ways of the Kong target, held against the long ones: texts against their lines, what is shared against what
is made anew, a verdict against its reasons."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gwc.diagnostics import Span
from gwc.ir import Level, Origin, Retries
from gwc.parts import made
from gwc.target import Assembled
from gwc_kong import TARGET, plugin
from gwc_kong.accepting import plugin_accepted, route_accepted, service_accepted
from gwc_kong.bundled import lua_literal
from gwc_kong.document import document
from gwc_kong.facts import ROOT
from gwc_kong.judge import complaints
from gwc_kong.sharing import At, Record, Shared, bare
from gwc_kong.yaml_text import lines, spans, text
from unit.kong.gateways import CONNECT_RETRY, gateway, route, service
from unit.kong.test_emit import PROFILES, SAMPLE

EMPTY = gateway()
MIXED = gateway(
    service("a", route("x", "/x", "GET"), route("z", "/a/b/{c}"), hosts=("h.test", "::1")),
    service("b", route("x", "/x", "GET"), route("y", "/a/{b}", "GET"), route("z", "/a/b/c")),
    service("c", route("x", "/x", "POST"), route("y", "/a/{c}", "POST"), route("z", "/a/b/d")),
)
"""Services that serve one path together, and whose rows lie between each other's."""

_scalars = st.one_of(
    st.text(max_size=12), st.booleans(), st.integers(-(10**9), 10**9), st.integers(0, 10**9).map(lambda n: n / 1000)
)


_HERE = {"field": Origin(Level.SERVICE, Span("a.yaml", 3, 1, 3, 2))}


def _at(value: Any) -> At:
    return At(value, _HERE, "field")


def _fields(*told: tuple[str, str, Any]) -> Mapping[str, Any]:
    """What is shared has one type for each of its values; `False` and `0`, which are equal, would be one."""
    return {name: value for name, _, value in told}


def _marked(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | values.map(_at)


def _mappings(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Plain, shared, and in pieces."""
    plain = st.dictionaries(st.text(max_size=6), inner, max_size=3)
    shared = st.dictionaries(st.text(max_size=6), _scalars | _scalars.map(_at), max_size=3).map(
        lambda values: Shared(_fields, *((name, type(bare(value)).__name__, value) for name, value in values.items()))
    )
    pieces = st.tuples(plain, shared).filter(lambda both: not {*both[0]} & {*both[1]})
    return plain | shared | pieces.map(lambda both: Record(*both))


_values = st.recursive(
    _marked(_scalars),
    lambda inner: _marked(st.lists(inner, max_size=3) | _mappings(inner)),
    max_leaves=12,
)
_documents = st.dictionaries(st.text(max_size=6), _values, min_size=1, max_size=4)


def _plain(value: Any) -> Any:
    found: Any = bare(value)
    if isinstance(found, Mapping):
        return {key: _plain(item) for key, item in found.items()}
    if isinstance(found, float) and found.is_integer():
        return int(found)
    return [_plain(item) for item in found] if isinstance(found, list) else found


@given(_documents)
@settings(max_examples=300, deadline=None)
def test_the_text_is_that_of_its_lines_and_says_the_document(document: dict[str, Any]) -> None:
    found = text(document)
    assert found == "".join(line.text + "\n" for line in lines(document))
    assert yaml.safe_load(found) == _plain(document)
    assert set(spans(document).values()) <= {_HERE["field"].span}


@given(_documents)
@settings(max_examples=100, deadline=None)
def test_a_literal_of_lua_says_the_document(document: dict[str, Any]) -> None:
    assert lua_literal(document) == lua_literal(_plain(document))


def test_lines_lead_to_where_they_were_written() -> None:
    document = {"a": 1, "b": At([{"c": 2, "d": [_at({"e": 3})]}], {}, "field"), "f": Record({"g": 1}, {"h": _at("x")})}
    assert [text(document).splitlines()[number - 1].strip() for number in spans(document)] == ["- e: 3", 'h: "x"']


@pytest.mark.parametrize("profile", PROFILES)
def test_the_pieces_are_the_document(profile: str) -> None:
    for one in (SAMPLE, MIXED, EMPTY):
        output = TARGET.emit(one, profile).files["kong.yml"]
        assert isinstance(output, Assembled)
        assert output.text == "".join(line.text + "\n" for line in lines(document(one, profile)))
        assert all(made(piece).fit for piece in output.pieces())


def _accepted(document: dict[str, Any]) -> bool:
    """As the pieces are judged; what is fixed in them, or is asked of all services together, is asked here."""
    services, routes, plugins = document.get("services", []), document.get("routes", []), document.get("plugins", [])
    every = [*(route for service in services for route in service.get("routes", [])), *routes]
    names = [[str(entity.get("name")) for entity in kind] for kind in (services, every, plugins)]
    return (
        ROOT.issuperset(document)
        and document.get("_format_version") == "3.0"
        and all(map(service_accepted, services))
        and all(map(route_accepted, every))
        and all(map(plugin_accepted, plugins))
        and all(len(set(kind)) == len(kind) for kind in names)
    )


def _emitted(profile: str) -> dict[str, Any]:
    return dict(_plain(document(SAMPLE, profile)))


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from _places(item, (*path, key))


_WRONG: tuple[Any, ...] = (None, "", "x", 0, -1, 99999, 1.5, True, [], ["x", "x"], {}, {"x": "y"}, _at("x"))


@pytest.mark.parametrize("profile", PROFILES)
def test_whatever_is_changed_both_come_to_the_same_verdict(profile: str) -> None:
    document = _emitted(profile)
    refused = 0
    for number, path in enumerate(path for path in _places(document) if not _is_entity(path)):
        for wrong in (_WRONG[number % len(_WRONG)], _WRONG[(number + 5) % len(_WRONG)], ...):
            changed = copy.deepcopy(document)
            holder: Any = changed
            for key in path[:-1]:
                holder = holder[key]
            if wrong is ...:
                del holder[path[-1]]
            else:
                holder[path[-1]] = wrong
            verdict = _explained(changed)
            assert _accepted(changed) is verdict, (path, wrong)
            refused += not verdict
    assert refused > 100


def _is_entity(path: tuple[Any, ...]) -> bool:
    """Both walk over entities and need them to be some."""
    nested = path[0] == "services" and len(path) in (3, 4) and path[2] == "routes"
    return len(path) < 3 or nested or path[-1] == "config" or path == ("plugins", path[1], "name")


def _explained(document: dict[str, Any]) -> bool:
    return not list(complaints(_plain(document)))


def test_what_is_shared_is_made_for_all_that_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for its text, and once for the verdict on it."""
    asked: list[Retries] = []

    def counted(retries: Retries) -> Iterator[tuple[str, object]]:
        asked.append(retries)
        return real(retries)

    real = plugin._retries
    monkeypatch.setattr(plugin, "_retries", counted)
    seldom = replace(CONNECT_RETRY, attempts=7, statuses=(507,))
    services = [
        service(name, *(route(f"r{n}", f"/{name}/{n}", retries=replace(seldom)) for n in range(9))) for name in "abc"
    ]
    text = TARGET.emit(gateway(*services), "plugin").files["kong.yml"].text
    assert text.count("- 507\n") == 27
    assert len(asked) == 2


def test_values_that_differ_are_not_shared() -> None:
    """Whatever is changed in a gateway changes its text, whatever was printed before."""
    retries = [replace(CONNECT_RETRY, attempts=1, budget=budget) for budget in (None, 0.1, 0.2)]
    found = {
        TARGET.emit(gateway(service("s", route("r", "/r", retries=one))), "plugin").files["kong.yml"].text
        for one in retries
    }
    assert len(found) == 3
