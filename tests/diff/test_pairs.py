"""What a change means: each pair of fragments in both directions, with exactly the levels that it has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from compiling import gateway_of
from diff.pairing import policies
from gwc.diff import diff

PAIRS = yaml.safe_load((Path(__file__).parent / "pairs.yaml").read_text(encoding="utf-8"))


def _levels(pair: Mapping[str, Any], old: str, new: str) -> list[str]:
    before, after = (gateway_of(policies(pair["at"], pair[side])) for side in (old, new))
    return sorted(f"{change.level} {change.field}" for change in diff(before, after))


@pytest.mark.parametrize("pair", PAIRS, ids=[pair["name"] for pair in PAIRS])
def test_a_change_and_its_reverse(pair: Mapping[str, Any]) -> None:
    forward = _levels(pair, "old", "new"), _levels(pair, "new", "old")
    assert forward == (sorted(pair["forward"]), sorted(pair["back"]))
