"""Every generated policy is emitted twice to the same bytes, and the real engine accepts it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from compiling import compiled, emitted, gateway_of, on_a_host, sources_of, texts, write
from gwc.discovery import load_targets
from gwc.target import EngineMissingError, Target
from property.strategies import policies

VARIANTS = [(one.target, profile) for one in load_targets(()) for profile in one.target.profiles]
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


@pytest.mark.slow
@pytest.mark.live
@pytest.mark.timeout(1200)
@variants
def test_the_engine_accepts_200_generated_policies(target: Target, profile: str, host: Path) -> None:
    try:
        binary = target.engine.find(profile)
    except EngineMissingError as missing:
        pytest.skip(f"judged by gwc's own facts alone: {missing}")

    # Without shrinking: each try starts an engine, and the failing policy says enough. GWC_EXPLORE shrinks.
    phases = tuple(Phase) if "GWC_EXPLORE" in os.environ else (Phase.generate,)

    @settings(max_examples=200, phases=phases)
    @given(policies())
    def accepted(written: dict[str, Any]) -> None:
        gateway, report = compiled(on_a_host(sources_of(written), host))
        assert gateway is not None, report.diagnostics
        artifact = emitted(gateway, target, profile)
        with tempfile.TemporaryDirectory() as directory:
            write(artifact, Path(directory))
            assert target.engine.verify(binary, Path(directory), artifact) == ()

    accepted()
