"""What a gateway knows and must not tell: API keys, its own secret, and the tokens of its users."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from conformance.client import Request, exchange
from conformance.conftest import Launcher, on_each_gateway, skip_where_missing
from conformance.tokens import token
from conformance.variants import Variant

KEY, SECRET = "k-Mobile-7f3a9c2e51", "s-Gateway-41d0"  # as in identity_attacks/spoofing.yaml


@pytest.mark.live
@on_each_gateway()
def test_no_secret_is_written_down(variant: Variant, launch: Launcher) -> None:
    """Neither in what was rendered nor in what was logged, but for the files below secrets/, which are for one user."""
    skip_where_missing(variant)
    gateway = launch("identity_attacks/spoofing", variant)
    bearer = token("ann")
    for target in ("/x", "/keys", "/public", "/nowhere"):
        for name, value in (("Authorization", f"Bearer {bearer}"), ("X-API-Key", KEY), ("X-API-Key", KEY.upper())):
            headers = (("Host", "gateway.test"), (name, value))
            assert exchange(gateway.address, Request("GET", target, headers)).status in (200, 401, 404)
    leaks = {bearer.rpartition(".")[2], KEY, KEY.upper(), SECRET}
    assert [leak for leak in leaks if leak in gateway.running.output()] == []
    assert [f"{path}: {leak}" for path in _public(gateway.directory) for leak in leaks if leak in _text(path)] == []


def _public(directory: Path) -> list[Path]:
    """Every file that others may read. A file of secrets that others may read is one of them."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [path for path in files if "secrets" not in path.parts or stat.S_IMODE(path.stat().st_mode) & 0o077]


def _text(path: Path) -> str:
    return path.read_bytes().decode("latin-1")
