"""Whatever the policies are, Prometheus takes their alert rules, and what people wrote in them stays text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

import maximal
import promtool
from compiling import compiled, gateway_of, sources_of
from gwc.observability import emit
from gwc.observability.metrics import FAMILIES
from gwc.observability.promql import literal
from property.strategies import HOSTILE, policies

ALL = frozenset(FAMILIES)


@settings(max_examples=25)
@given(policies())
def test_promtool_takes_every_rule(tmp_path_factory: Any, generated: dict[str, Any]) -> None:
    directory: Path = tmp_path_factory.mktemp("rules")
    files = emit.files(gateway_of(generated), ALL)
    assert files == emit.files(gateway_of(generated), ALL)
    (directory / "alerts.yaml").write_text(files[emit.ALERTS].text, encoding="utf-8")
    assert promtool.check_rules(directory / "alerts.yaml") == ""
    for path, file in files.items():
        assert path == emit.ALERTS or json.loads(file.text)["panels"]


@pytest.mark.parametrize("text", [text for text in HOSTILE if text and "\0" not in text], ids=ascii)
def test_what_people_write_stays_text(text: str) -> None:
    """As YAML and JSON read it, and as Prometheus does, who expands templates: test_alerts.py asks promtool."""
    written = maximal.policies()
    name = next(name for name, data in written.items() if data["kind"] == "Service")
    written[name] |= {"owner": text, "description": text}
    gateway, _ = compiled(sources_of(written, maximal.DIRECTORY))
    if gateway is None:
        return  # refused, with a position: test_hostile.py
    files = emit.files(gateway, ALL)
    rules = [rule for group in yaml.safe_load(files[emit.ALERTS].text)["groups"] for rule in group["rules"]]
    owners = {rule["labels"]["owner"] for rule in rules if rule["labels"].get("service") == written[name]["service"]}
    assert owners == {literal(text)}
    board = json.loads(files[f"grafana/{written[name]['service']}.json"].text)
    assert (board["description"], board["tags"]) == (text, ["gwc", text])
