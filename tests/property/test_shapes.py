"""Shapes against the models: what a shape takes, the model takes, to the same values.

Data are generated policies and those of this repository, damaged at random. GWC_EXPLORE=1 makes new ones, and more.
"""

from __future__ import annotations

import copy
import math
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import BaseModel, ValidationError

from gwc.diagnostics import Report
from gwc.document import parse
from gwc.policy.bounds import BoundsPolicy
from gwc.policy.load import load_variants
from gwc.policy.platform import PlatformPolicy
from gwc.policy.service import ServicePolicy
from gwc.policy.shapes import Shape, shaped
from gwc.policy.shapes import platform as platforms
from gwc.policy.shapes.platform import BOUND_NAMES, bound_field
from gwc.source import Source

from .strategies import policies

ROOT = Path(__file__).resolve().parents[2]
MODELS: dict[str, type[BaseModel]] = {"Service": ServicePolicy, "Platform": PlatformPolicy}
EXPLORING = "GWC_EXPLORE" in os.environ
ROUNDS = 100_000 if EXPLORING else 4_000
SEED = random.SystemRandom().randrange(2**32) if EXPLORING else 5


def examples() -> dict[str, Any]:
    """Valid policies of this repository: as they are, and under their environments."""
    files = sorted([*ROOT.glob("policies/*.yaml"), *ROOT.glob("tests/maximal/**/*.yaml")])
    report, found = Report(), {}
    for path in files:
        document = parse(Source(str(path), path.read_text(encoding="utf-8")), report)
        assert document is not None
        variants = load_variants(document, report)
        found |= {f"{path.name} {name}": one.document.data() for name, one in (variants or {}).items()}
    assert not report.failed and len(found) > 5, report.diagnostics
    return found


EXAMPLES = examples()


def same(model: Any, shape: Any) -> None:
    if isinstance(model, BaseModel):
        assert isinstance(shape, Shape)
        fields = type(model).model_fields
        assert shape.__dict__.keys() <= {field.alias or name for name, field in fields.items()} | fields.keys()
        for name in fields:
            same(getattr(model, name), getattr(shape, name))
    elif isinstance(model, tuple):
        assert type(shape) is tuple and len(model) == len(shape)
        for one, other in zip(model, shape, strict=True):
            same(one, other)
    elif isinstance(model, dict):
        assert type(shape) is dict and list(model) == list(shape)
        for key in model:
            same(model[key], shape[key])
    else:
        assert type(model) is type(shape) and repr(model) == repr(shape)


def agree(data: dict[str, Any]) -> bool:
    """Whether a shape was made of it. What is valid and makes no shape is lost time, and fails, too."""
    shape = shaped(copy.deepcopy(data))
    try:
        model = MODELS[data["kind"]].model_validate(data)
    except (ValidationError, KeyError, TypeError):
        assert shape is None, data
        return False
    if len(model.environments) > 100:  # which `gwc.policy.load` refuses
        assert shape is None
        return False
    assert shape is not None, data
    same(model, shape)
    return True


@pytest.mark.parametrize("data", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_examples(data: dict[str, Any]) -> None:
    assert agree(data)


@settings(max_examples=500 if EXPLORING else 60)
@given(policies())
def test_generated_policies(written: dict[str, Any]) -> None:
    assert all(agree(data) for data in written.values())


def test_defaults_and_bounds_are_those_of_the_models() -> None:
    least = {"apiVersion": "gwc/v1", "kind": "Platform"}
    assert agree(least)
    assert tuple(BOUND_NAMES) == tuple(field.alias or name for name, field in BoundsPolicy.model_fields.items())
    for name, field in BoundsPolicy.model_fields.items():
        assert bound_field(field.alias or name) == name


_ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 10, 11, 500, 503, 600, 10_000, 10_001, 65_535, 65_536, 1_000_000_000, 1_000_000_001,
    0.5, 5.0, math.inf, math.nan, "", " ", "none", "x", "X-Team", "host", "a b", "é", "10s", "0s", "1.5ms", "367d",
    "60/min",
    "0/s", "20%", "101%", "1MiB", "required", "GET", "get", "jwt", "cluster", "user", "http://a:1", "https://b",
    "http://a/b",
    "redis://a:1/0", "https://u:p@a", "127.0.0.1", "::1", "[::1]:80", "10.0.0.0/8", "10.0.0.1/8", "127.0.0.1:1",
    "localhost:1",
    "/", "/a", "/a/", "/a/{b}", "/{a}/{a}", "/**", "/**/a", "//", "/a/../b", "*", "https://a.example.com", "2027-06-30",
    "2027-02-30", "TLSv1.2", "RS256", "connect", "reset", "urn:x:y", "/etc/x", "NAME", "X-Request-ID", "x-user-id",
    "Date",
    "gwc/v1", "gwc/v2", "Service", "Platform", [], {}, [1], ["a", "a"], ["A", "a"], {"a": 1}, {"file": "/a"},
    {"env": "A"},
    {"header": "X-A"}, {"min": 1}, {"max": "1s"}, {"secret": {"env": "A"}}, {"url": "http://a"}, [{"url": "http://a"}],
    "x" * 64, "x" * 401, "1" * 400, "a" * 2001, "\n", "a\nb", "012", "1e3",
)  # fmt: skip


def nodes(value: Any) -> Iterator[Any]:
    """All mappings and lists."""
    if isinstance(value, dict | list):
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from nodes(item)


def damaged(data: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    data = copy.deepcopy(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        every = list(nodes(data))
        _damage(chance.choice(every), every, chance)
    return data


def _damage(node: Any, every: list[Any], chance: random.Random) -> None:
    value = copy.deepcopy(chance.choice(_ODD))
    if isinstance(node, dict):
        key = str(chance.choice([*node, *node, *chance.choice(every), "extra", "limits", "cache", "Cache"]))
        if key not in node or chance.random() < 0.75:
            node[key] = value
        else:
            del node[key]
    elif node and chance.random() < 0.5:
        node[chance.randrange(len(node))] = value
    elif node:
        node.append(copy.deepcopy(chance.choice(node)))
    else:
        node.append(value)


def test_damaged_policies() -> None:
    chance, known = random.Random(SEED), list(EXAMPLES.values())
    taken = sum(agree(damaged(chance.choice(known), chance)) for _ in range(ROUNDS))
    assert ROUNDS // 50 < taken < ROUNDS, "one of the two is never seen to refuse, or to agree"


@pytest.mark.parametrize("name", [name for name in EXAMPLES if not name.endswith("None")])
def test_what_is_like_something_known_is_shaped_the_same(name: str) -> None:
    """An environment's policy, of which most is the very same data."""
    plain = EXAMPLES[name.rpartition(" ")[0] + " None"]
    other = {key: plain[key] if plain.get(key) == value else value for key, value in EXAMPLES[name].items()}
    known = shaped(plain)
    assert known is not None
    shape = shaped(other, (plain, known))
    same(MODELS[other["kind"]].model_validate(other), shape)
    assert shape is not None and shape.__dict__["kind"] is known.__dict__["kind"]


def test_a_default_is_nobodys_to_change() -> None:
    """Defaults are shared by all policies, so they hold nothing that could be changed by accident."""
    assert platforms.Platform.targets == {} and platforms.Platform.environments == {}
    first, second = (shaped({"apiVersion": "gwc/v1", "kind": "Platform"}) for _ in range(2))
    assert first is not None and second is not None and first is not second
    assert first.__dict__ == second.__dict__
