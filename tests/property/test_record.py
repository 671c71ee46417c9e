"""gateway.json beside each output: what is printed straight from the IR is the JSON of it, whatever the policies."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings

import accept
import maximal
from compiling import compiled, gateway_of, sources_of
from gwc.ir import Gateway, Timeouts
from gwc.ir_json import to_jsonable
from gwc.ir_text import to_text
from gwc.record import read_record, record_file
from property.strategies import HOSTILE, policies


def _plainly(gateway: Gateway) -> str:
    """The file as it is defined: a line for each key, and for each service."""
    data = to_jsonable(replace(gateway, now=date.min), places=False)
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in data.items() if key != "services"]
    services = ",\n".join(map(json.dumps, data["services"]))
    lines.insert([*data].index("services"), f'"services": [\n{services}\n]' if services else '"services": []')
    return '{"schema": 1, "target": "one", "profile": "two", "gateway": {\n' + ",\n".join(lines) + "\n}}\n"


@settings(max_examples=40)
@given(policies())
def test_the_record_is_the_json_of_the_gateway(generated: dict[str, Any]) -> None:
    gateway = gateway_of(generated)
    text = record_file("one", "two", gateway).text
    assert text == _plainly(gateway)
    assert read_record(text).gateway.services == gateway.services


@pytest.mark.parametrize("environment", accept.ENVIRONMENTS)
def test_the_record_of_the_examples(environment: str | None) -> None:
    gateway = accept.gateway(environment)
    assert record_file("one", "two", gateway).text == _plainly(gateway)
    assert to_text(gateway) == json.dumps(to_jsonable(gateway, places=False))


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_text_escapes_its_quotes(text: str) -> None:
    written = maximal.policies()
    written["everything"] |= {"owner": text, "description": text}
    gateway, _ = compiled(sources_of(written, maximal.DIRECTORY))
    if gateway is not None:  # refused, with a position: test_hostile.py
        assert record_file("one", "two", gateway).text == _plainly(gateway)


def test_a_gateway_without_services_has_none() -> None:
    gateway = replace(accept.gateway(None), services=())
    assert record_file("one", "two", gateway).text == _plainly(gateway)


def test_what_is_equal_is_not_the_same() -> None:
    """What was printed is kept, and 1 == 1.0 == True."""
    for one in (1, 1.0, True, 1):
        node = Timeouts(connect=one, request=2.5, idle=one)
        assert to_text(node) == json.dumps(to_jsonable(node, places=False))


def test_a_text_is_that_of_its_own_values() -> None:
    """An object may get the place in memory of one that is gone, of which a text is kept."""
    for number in range(2000):
        node = Timeouts(connect=number + 0.5, request=number + 0.25, idle=60.0)
        assert to_text(node) == json.dumps(to_jsonable(node, places=False))


def test_what_is_no_part_of_the_ir_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes is not part of the IR"):
        to_text((b"",))
