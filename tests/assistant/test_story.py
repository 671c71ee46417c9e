"""The story of gateway and service, as `scripts/story` tells it, on every gateway that runs here."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.variants import Variant, variants
from storyline.__main__ import STORY, told
from storyline.models import Double

pytestmark = [pytest.mark.live, pytest.mark.slow]
NAMES = ("envoy/default", "nginx/njs", "kong-standin/plugin", "kong/plugin")
GATEWAYS = [
    pytest.param(one, id=one.name, marks=pytest.mark.xdist_group(f"story-{one.name}"))
    for one in variants()
    if one.name in NAMES
]


def skip_where_missing(variant: Variant) -> None:
    if missing := variant.missing():
        pytest.skip(missing)


@pytest.mark.parametrize("variant", GATEWAYS)
def test_every_answer_is_what_the_policies_say(variant: Variant, tmp_path: Path) -> None:
    skip_where_missing(variant)
    tell = told(variant.target, variant.engine, Double(), tmp_path)
    assert tell.wrong == []
    assert (tell.acts, tell.checked > 40) == (len(STORY), True)
