"""Every generated policy is emitted twice to the same bytes, and the real engine accepts it."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from compiling import compiled, emitted, gateway_of, on_a_host, sources_of, texts, write
from gwc.discovery import load_targets
from gwc.target import EngineMissingError, Target
from layouts import LAYOUTS
from property.strategies import policies

VARIANTS = [
    (one.target, profile)
    for one in load_targets(())
    for profile in one.target.profiles
    if (one.target.name, profile) not in LAYOUTS
]
variants = pytest.mark.parametrize(
    ("target", "profile"), VARIANTS, ids=[f"{target.name}-{profile}" for target, profile in VARIANTS]
)


@variants
@settings(max_examples=60)
@given(written=policies())
def test_emitting_twice_gives_equal_bytes_and_our_own_judge_agrees(
    target: Target, profile: str, written: dict[str, Any]
) -> None:
    first, second = (emitted(gateway_of(written), target, profile) for _ in range(2))
    assert texts(first) == texts(second)
    assert target.judge(first) == ()


@cache
def generated() -> tuple[dict[str, Any], ...]:
    """200 policies, the same for all engines: making one costs as much as having it judged."""
    found: list[dict[str, Any]] = []

    @settings(max_examples=200, phases=(Phase.generate,))
    @given(policies())
    def collect(written: dict[str, Any]) -> None:
        found.append(written)

    collect()
    return tuple(found)


@pytest.mark.slow
@pytest.mark.live
@pytest.mark.timeout(1200)
@variants
def test_the_engine_accepts_200_generated_policies(target: Target, profile: str, host: Path, tmp_path: Path) -> None:
    try:
        binary = target.engine.find(profile)
    except EngineMissingError as missing:
        pytest.skip(f"judged by gwc's own facts alone: {missing}")
    assert len(generated()) >= 200
    for number, written in enumerate(generated()):
        gateway, report = compiled(on_a_host(sources_of(written), host))
        assert gateway is not None, report.diagnostics
        artifact = emitted(gateway, target, profile)
        write(artifact, tmp_path / str(number))
        complaints = target.engine.verify(binary, tmp_path / str(number), artifact)
        assert complaints == (), json.dumps(written)
        shutil.rmtree(tmp_path / str(number))
