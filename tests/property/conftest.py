"""Reproducible by default; GWC_EXPLORE=1 looks for new counter-examples instead of the same ones every time."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "gwc",
    derandomize="GWC_EXPLORE" not in os.environ,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("gwc")
