"""Reproducible by default; GWC_EXPLORE=1 looks for new counter-examples instead of the same ones every time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import certificates

settings.register_profile(
    "gwc",
    derandomize="GWC_EXPLORE" not in os.environ,
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
