"""Reproducible and quick by default; GWC_EXPLORE=1 looks for new counter-examples, and shrinks what it finds.

Shrinking a policy takes minutes, which a failing run does not have: the policy itself is printed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

import certificates

_EXPLORING = "GWC_EXPLORE" in os.environ

settings.register_profile(
    "gwc",
    derandomize=not _EXPLORING,
    phases=tuple(Phase) if _EXPLORING else (Phase.explicit, Phase.generate),
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("gwc")


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gateway's host with every file that generated policies name."""
    directory = tmp_path_factory.mktemp("host")
    certificates.make(directory, "tls", "ca")
    (directory / "secret").write_text("a-secret-of-sixteen-bytes-or-more\n", encoding="utf-8")
    return directory
