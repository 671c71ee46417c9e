"""`rate_limit_store: {redis: rediss://...}`: the store's certificate is verified, and what is not is no store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.cluster import PASSWORD, started
from conformance.harness import Service
from conformance.pki import make_pki
from conformance.variants import Variant, variants
from ratelimit_double import Redis, redis_missing

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("cluster")]


def _counting_itself() -> list[Any]:
    """Kong in its profile of plugins. Envoy leaves Redis to the rate limit service, whose settings have the scheme."""
    named = ("kong/plugin", "kong-standin/plugin")
    return [pytest.param(variant, id=variant.name) for variant in variants() if variant.name in named]


@pytest.mark.parametrize("certificate", ["service", "rogue"])
@pytest.mark.parametrize("variant", _counting_itself())
def test_the_store_has_to_prove_who_it_is(variant: Variant, certificate: str, service: Service, tmp_path: Path) -> None:
    if reason := redis_missing() or variant.missing():
        pytest.skip(f"{variant.name} cannot share a count here: {reason}")
    if variant.name.startswith("kong-standin/"):
        pytest.skip("Kong resolves the store's name and trusts its authorities; the stand-in does neither")
    make_pki(tmp_path)
    redis = Redis(PASSWORD, certificate=tmp_path / f"{certificate}.pem")
    environ = {"KONG_LUA_SSL_TRUSTED_CERTIFICATE": str(tmp_path / "ca.pem")}
    with started(variant, "deny", service, tmp_path / "gateways", redis, environ) as pair:
        expected = [200] * 3 + [429] if certificate == "service" else [503] * 4
        assert pair.statuses("/all", 4) == expected
