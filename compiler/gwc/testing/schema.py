"""The language of tests as a JSON Schema (2020-12), for editors."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from gwc.policy.schema import DIALECT, tidy
from gwc.testing.language import Answer, Body, TestsFile, TextExpectation, User


@cache
def json_schema() -> dict[str, Any]:
    # Those beside the file are named because only hand-written schemas refer to them: each has a short form.
    models = (TestsFile, Answer, Body, TextExpectation, User)
    _, schema = models_json_schema([(model, "validation") for model in models], by_alias=True)
    definitions = schema["$defs"]
    for definition in definitions.values():
        tidy(definition)
    return {
        "$schema": DIALECT,
        "$id": "urn:gwc:v1:tests",
        "title": "gwc policy tests, gwc/v1",
        "$ref": "#/$defs/TestsFile",
        "$defs": dict(sorted(definitions.items())),
    }


@cache
def keys() -> dict[str, list[str]]:
    """Every key of the language and the sections that take it, for suggestions."""
    words = {"TestsFile": "a file of tests", "TestCase": "a test", "Step": "a step"}
    found: dict[str, list[str]] = {}
    for name, definition in json_schema()["$defs"].items():
        for key in definition.get("properties", {}):
            found.setdefault(key, []).append(words.get(name, f"`{_SECTIONS.get(name, name.lower())}`"))
    return found


_SECTIONS = {"Expectation": "expect", "Receipt": "receives", "TextExpectation": "headers"}
