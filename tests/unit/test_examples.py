"""policies/ is the example that everybody copies: valid, complete, and accepting nothing that it need not accept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import accept
from gwc.compile import render
from gwc.diagnostics import Report
from gwc.discovery import load_targets
from gwc.document import parse
from gwc.features import FEATURES
from gwc.policy.load import load
from gwc.policy.service import Sections
from gwc.policy.types import Model
from gwc.source import read_policies

SAME_FORM = {
    ("BoundsPolicy", "limits_user"): "the same form as limits.ip",
    ("BoundsPolicy", "limits_service"): "the same form as limits.ip",
    ("SizeRange", "min"): "the same form as upstream.concurrency",
    ("CountRange", "min"): "the same form as upstream.concurrency",
    ("ShareRange", "min"): "the same form as upstream.concurrency",
}
"""Fields that the examples leave out because another one shows how they are written."""


def _set_fields(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, BaseModel):
        for name in value.model_fields_set:
            yield type(value).__name__, name
            yield from _set_fields(getattr(value, name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _set_fields(item)
    elif isinstance(value, dict):
        yield from _set_fields(list(value.values()))


def _models(base: type[Model]) -> Iterator[type[Model]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def _used_fields() -> set[tuple[str, str]]:
    report = Report()
    used: set[tuple[str, str]] = set()
    for source in read_policies(str(accept.POLICIES), report):
        document = parse(source, report)
        assert document is not None
        for environment in accept.ENVIRONMENTS:
            loaded = load(document, environment, report)
            assert loaded is not None, report.diagnostics
            used |= set(_set_fields(loaded.policy))
        if "environments" in document.root.items:
            used.add((type(loaded.policy).__name__, "environments"))
    return used


def test_the_examples_use_every_field_of_the_language() -> None:
    inherited = {("Range", "min"), ("Range", "max")} | {("Sections", name) for name in Sections.model_fields}
    policies = [model for model in _models(Model) if model.__module__.startswith("gwc.policy.")]  # not those of tests
    known = {(model.__name__, name) for model in policies for name in model.model_fields}
    assert known - _used_fields() - inherited - SAME_FORM.keys() == set()


def test_no_exception_from_that_rule_is_out_of_date() -> None:
    assert SAME_FORM.keys() & _used_fields() == set()


def test_the_examples_use_every_feature() -> None:
    gateways = [accept.gateway(environment) for environment in accept.ENVIRONMENTS]
    unused = {name for name, feature in FEATURES.items() if not any(list(feature.uses(one)) for one in gateways)}
    assert unused == set()


@pytest.mark.parametrize("environment", accept.ENVIRONMENTS)
def test_every_target_takes_the_examples_without_a_word(environment: str | None) -> None:
    report = Report()
    assert render(accept.gateway(environment), load_targets(()), report) is not None
    assert report.diagnostics == ()


def test_the_key_set_holds_public_keys_alone() -> None:
    keys = json.loads(Path(accept.POLICIES / "keys/jwks.json").read_text(encoding="utf-8"))["keys"]
    assert {key["kty"] for key in keys} == {"RSA", "EC"}
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & {name for key in keys for name in key}
