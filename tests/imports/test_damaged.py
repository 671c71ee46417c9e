"""Damaged input: policies that are valid, or an error with its place. Never anything else."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Import

FIXTURES = Path(__file__).parent / "fixtures"
TEXTS = {
    "nginx": FIXTURES / "nginx" / "conf.d" / "api.conf",
    **{form: FIXTURES / f"{form}.yaml" for form in ("openapi", "kong", "envoy")},
}
ODD = (
    *("{", "}", ";", '"', "'", "$", "[", "]", ": ", "- ", "null", "{}", "[]", "true", "-1", "1e99", "\n", "&a ", "*a "),
    *("!!x ", "http://", "${", "%", "~", "\\", "9" * 30, "\u2028", "\x7f", "é"),
)
VALUES = (
    None,
    {},
    [],
    True,
    -1,
    1e300,
    10**30,
    "",
    " ",
    "\x00",
    "http://",
    "[",
    {"name": None},
    [[]],
    ["x", 1],
    "é" * 5000,
)
ROUNDS = 20


@pytest.mark.parametrize("form", TEXTS)
@pytest.mark.parametrize("seed", range(2))
def test_damaged_text(importing: Import, form: str, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(ROUNDS // 2):
        check(importing(form, _damaged(TEXTS[form].read_text(), rng)))


@pytest.mark.parametrize("form", ["openapi", "kong", "envoy"])
@pytest.mark.parametrize("seed", range(2))
def test_values_of_wrong_types(importing: Import, form: str, seed: int) -> None:
    rng = random.Random(seed)
    whole = yaml.safe_load(TEXTS[form].read_text())
    for _ in range(ROUNDS):
        data = json.loads(json.dumps(whole))
        for _ in range(rng.randint(1, 3)):
            holder, key = rng.choice(list(_places(data)))
            holder[key] = rng.choice(VALUES)
        check(importing(form, json.dumps(data)))


def check(outcome: Any) -> None:
    if outcome.files:
        outcome.gateway()
    else:
        assert any(one.code == "GWC800" for one in outcome.found)


def _damaged(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(text))
        end = min(len(text), start + rng.randint(0, 25))
        text = text[:start] + rng.choice(("", rng.choice(ODD))) + text[end if rng.random() < 0.5 else start :]
    return text


def _places(data: Any) -> Any:
    """Every value, as what holds it and its key there."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield data, key
        yield from _places(value)
