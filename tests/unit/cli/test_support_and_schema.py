"""gwc support and gwc schema: what a gateway promises, and what a policy may hold."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from gwc.features import FEATURES
from gwc.report.matrix import as_markdown, as_text
from gwc.support import EXACT, SupportTable

from .conftest import PLATFORM, SERVICE, Gwc


def test_the_matrix_as_text(gwc: Gwc) -> None:
    result = gwc("support", "-t", "alpha", "-t", "beta")
    lines = result.out.splitlines()
    assert result.code == 0
    assert lines[0].split() == ["feature", "alpha/full", "alpha/small", "beta/full", "beta/small"]
    rows = {line.split()[0]: line.split()[1:] for line in lines[1 : len(FEATURES) + 1]}
    assert list(rows) == list(FEATURES)
    assert rows["cors"] == ["unsupported"] * 4
    assert rows["cache"] == ["exact*"] * 4
    assert "  cors: unsupported: it has no idea of origins; answer preflights in the service" in lines
    assert "  cache: (ttl above 1d) unsupported: a day at most" in lines


def test_the_matrix_as_json(gwc: Gwc) -> None:
    document = json.loads(gwc("support", "--format", "json").out)
    assert [entry["feature"] for entry in document["features"]] == list(FEATURES)
    cache = next(entry for entry in document["features"] if entry["feature"] == "cache")
    assert len(cache["targets"]) == 6
    assert cache["targets"][0] == {
        "target": "alpha",
        "profile": "full",
        "promises": [
            {"fidelity": "exact", "condition": "", "note": ""},
            {"fidelity": "unsupported", "condition": "ttl above 1d", "note": "a day at most"},
        ],
    }


def test_the_matrix_as_markdown(gwc: Gwc) -> None:
    out = gwc("support", "-t", "gamma", "--format", "markdown").out
    assert f"| `cors` | unsupported | unsupported | {FEATURES['cors'].summary} |" in out
    assert "| `cache` | exact\\* | exact\\* |" in out
    assert "- `websocket` approximate: connections are cut after an hour" in out


def test_a_target_that_keeps_every_promise() -> None:
    table = SupportTable("perfect", "only", dict.fromkeys(FEATURES, EXACT))
    assert as_markdown([table]).endswith("## perfect/only\n\nEverything is exact.\n")
    assert len(as_text([table]).splitlines()) == len(FEATURES) + 1


@pytest.mark.parametrize("kind", [(), ("platform",), ("service",)])
def test_the_schema_is_one(gwc: Gwc, kind: tuple[str, ...]) -> None:
    result = gwc("schema", *kind)
    schema = json.loads(result.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    validator = jsonschema.Draft202012Validator(schema)
    for name, text in (("platform", PLATFORM), ("service", SERVICE)):
        valid = not list(validator.iter_errors(yaml.safe_load(text)))
        assert valid is (not kind or name in kind)
