"""What happens when there are more keys than a gateway keeps, shown with room for few."""

from __future__ import annotations

import http.client
import math
import random
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from conformance.conftest import on_each_gateway, skip_where_missing
from conformance.harness import Launched, Service, launched
from conformance.scenario import SCENARIOS
from conformance.script import KEY_HEADER
from conformance.test_key_flood import REFILL, statuses
from conformance.tokens import fill
from conformance.variants import Variant
from gwc.support import Fidelity
from gwc.target import Artifact, OutputFile

SCENARIO = SCENARIOS / "identity_attacks/draining.yaml"
KEYS = 4000
SMALL: Mapping[str, tuple[str, str, str]] = {
    "envoy": ("envoy.json", r'("max_dynamic_descriptors": ?)100000', r"\g<1>100"),
    "nginx": ("nginx.conf", r"(zone=gwc_(?:ip|user|header|budget):)16m", r"\g<1>64k"),
    "kong": ("kong.env", r"(gwc_(?:ip|user|header|budget)) 16m", r"\g<1> 64k"),
}
"""File, what it says of the room for keys, and what it says in this test: room for some hundreds."""
ANN = "Authorization: Bearer ${TOKEN:ann}"


@pytest.mark.live
@on_each_gateway()
def test_at_the_bound(variant: Variant, service: Service, tmp_path: Path) -> None:
    skip_where_missing(variant)
    if _refuses_header_limits(variant):
        return  # the compiler refuses such a policy: test_scenarios.py shows it
    cramped = partial(_with_little_room, variant)
    with launched(SCENARIO, variant, service, tmp_path, change=cramped) as gateway:
        began = time.monotonic()
        assert statuses(gateway, ["victim"] * 4).count(200) == 2
        assert [_ask(gateway, "/user", ANN) for _ in range(4)] == [200, 200, 200, 429]
        assert [_ask(gateway, "/ip") for _ in range(4)] == [200, 200, 200, 429]

        # Nobody is refused for the others' sake, whatever the length of their keys.
        assert set(statuses(gateway, [f"flood-{number}" for number in range(KEYS)])) == {200}
        # The latest ones once more in another order: what is given up next lies scattered over the memory.
        latest = [f"flood-{number}" for number in range(KEYS - 400, KEYS)]
        assert set(statuses(gateway, random.Random(1).sample(latest, len(latest)))) == {200}
        assert set(statuses(gateway, [f"{number:x<240}" for number in range(300)])) == {200}

        # Everybody is still counted, and who was given up begins with a full bucket.
        for tenant in ("fresh", "flood-0", "l" * 40, "m" * 240):
            found = statuses(gateway, [tenant] * 4)
            assert (found.count(200), found.count(429)) == (2, 2), tenant
        # NGINX gives up those first that would be full soonest, and the victim is emptier than all others.
        assert statuses(gateway, ["victim"] * 4).count(200) == (0 if variant.target.name == "nginx" else 2)

        # The other kinds of keys have not lost a bucket.
        back = math.floor((time.monotonic() - began) / REFILL)
        assert [_ask(gateway, "/user", ANN) for _ in range(3)].count(200) <= back
        assert [_ask(gateway, "/ip") for _ in range(3)].count(200) <= back


def _refuses_header_limits(variant: Variant) -> bool:
    entry = variant.target.support(variant.profile).entries["limits.header"]
    return getattr(entry, "usual", entry).fidelity is Fidelity.UNSUPPORTED


def _with_little_room(variant: Variant, artifact: Artifact) -> Artifact:
    name, wide, narrow = SMALL[variant.target.name]
    text, changed = re.subn(wide, narrow, artifact.files[name].text)
    assert changed, f"{name} does not say how many keys there is room for"
    return replace(artifact, files={**artifact.files, name: OutputFile(text, {})})


def _ask(gateway: Launched, path: str, *headers: str) -> int:
    connection = http.client.HTTPConnection(*gateway.address, timeout=10)
    try:
        lines = [fill(header, 0).partition(": ")[::2] for header in headers]
        connection.request("GET", path, headers={KEY_HEADER: "bound", **dict(lines)})
        return connection.getresponse().status
    finally:
        connection.close()
