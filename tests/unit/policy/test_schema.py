"""The published JSON Schema says what the models say."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from gwc.diagnostics import Report
from gwc.document import parse
from gwc.policy.meanings import MEANINGS
from gwc.policy.schema import json_schema
from gwc.source import Source

from .wrong_policies import CASES, MARK, PLATFORM, SERVICE, Wrong

VALIDATOR = Draft202012Validator(json_schema())
EXAMPLES = sorted((Path(__file__).parents[3] / "policies").glob("*.yaml"))
SHAPE_CODES = {"GWC101", "GWC102", "GWC103", "GWC104", "GWC106"}
SHAPES = [case for case in CASES if case.code in SHAPE_CODES]


def _data(text: str) -> dict[str, object]:
    document = parse(Source("f.yaml", text.replace(MARK, "")), Report())
    assert document is not None
    return document.data()


def test_it_is_a_schema_of_its_dialect() -> None:
    Draft202012Validator.check_schema(json_schema())
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_it_accepts_the_examples(path: Path) -> None:
    VALIDATOR.validate(_data(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("text", [SERVICE, PLATFORM])
def test_it_accepts_the_least_that_is_valid(text: str) -> None:
    VALIDATOR.validate(_data(text))


PARTS = [
    (SERVICE, "upstream: {concurrency: 4}"),
    (SERVICE, "upstream: {breaker: {open: 1s}}"),
    (SERVICE, "routes: [{name: list, cost: 2, cache: {ttl: 1h}}]"),
    (PLATFORM, "listen: {https: {min_version: TLSv1.3}}"),
    (PLATFORM, "identity: {jwt: {leeway: 1s}, gateway_secret: {header: X-S}}"),
    (PLATFORM, "rate_limit_store: {on_failure: allow}"),
]


@pytest.mark.parametrize(("base", "overlay"), PARTS, ids=[overlay for _, overlay in PARTS])
def test_an_environment_holds_a_part_of_a_section(base: str, overlay: str) -> None:
    VALIDATOR.validate(_data(base + "environments: {prod: {" + overlay + "}}\n"))


def test_an_environment_replaces_lists_whole() -> None:
    for part in ("upstream: {endpoints: [{weight: 5}]}", "limits: [{per: ip}]"):
        assert not VALIDATOR.is_valid(_data(SERVICE + "environments: {prod: {" + part + "}}\n"))


@pytest.mark.parametrize("case", SHAPES, ids=[case.name for case in SHAPES])
def test_it_refuses_a_wrong_shape(case: Wrong) -> None:
    marked = case.platform if MARK in case.platform else case.service
    assert not VALIDATOR.is_valid(_data(marked))


def test_defaults_are_written_as_a_policy_writes_them() -> None:
    for name, definition in json_schema()["$defs"].items():
        for key, schema in definition.get("properties", {}).items():
            if schema.get("type") == "string" and "default" in schema:
                assert isinstance(schema["default"], str), f"{name}.{key}"


@pytest.mark.parametrize("name", ["ServicePolicy", "PlatformPolicy", "RoutePolicy"])
def test_every_key_of_a_section_is_described_or_a_section_itself(name: str) -> None:
    definitions = json_schema()["$defs"]
    for key, schema in definitions[name]["properties"].items():
        assert {"description", "$ref", "title", "items", "anyOf"} & schema.keys(), key


def test_every_field_says_what_it_means() -> None:
    definitions = json_schema()["$defs"]
    fields = [
        (name, key, value)
        for name, definition in definitions.items()
        if not name.endswith("Overlay") and name != "HostPort"  # a default's form, which no policy writes
        for key, value in definition.get("properties", {}).items()
    ]
    assert [f"{name}.{key}" for name, key, value in fields if not value.get("description")] == []


def test_no_meaning_is_of_a_field_that_there_is_not() -> None:
    properties = {name: definition.get("properties", {}) for name, definition in json_schema()["$defs"].items()}
    properties["*"] = {key for found in properties.values() for key in found}
    models = [name.partition(".")[::2] for name in MEANINGS]
    assert [(model, key) for model, key in models if key not in properties[model]] == []
