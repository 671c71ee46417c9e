"""Tens of thousands of new keys do not push a spent bucket out, and none of them is refused for the others' sake."""

from __future__ import annotations

import asyncio
import math
import time
from itertools import chain

import pytest

from conformance.conftest import Launcher, on_each_gateway, skip_where_missing
from conformance.harness import Launched
from conformance.script import KEY_HEADER
from conformance.test_overload import read_status
from conformance.variants import Variant
from gwc.support import Fidelity

KEYS = 30_000
CONNECTIONS = 8
PIPELINED = 20
PER_CONNECTION = 900  # NGINX closes a connection after its thousandth request
REFILL = 60.0  # seconds a token, as in identity_attacks/draining.yaml; its burst is 2


@pytest.mark.live
@pytest.mark.slow
@on_each_gateway()
def test_a_flood_of_keys(variant: Variant, launch: Launcher) -> None:
    skip_where_missing(variant)
    gateway = launch("identity_attacks/draining", variant)
    if gateway.declared.get("limits.header") is Fidelity.UNSUPPORTED:
        return  # the compiler refuses such a policy: test_scenarios.py shows it
    started = time.monotonic()
    assert statuses(gateway, ["victim"] * 4).count(200) == 2
    flood = statuses(gateway, [f"flood-{number}" for number in range(KEYS)])
    assert flood.count(200) == KEYS
    back = math.ceil((time.monotonic() - started) / REFILL)
    assert statuses(gateway, ["victim"] * 4).count(200) <= back


def statuses(gateway: Launched, tenants: list[str]) -> list[int]:
    return asyncio.run(_all(gateway, tenants))


async def _all(gateway: Launched, tenants: list[str]) -> list[int]:
    shares = (tenants[number::CONNECTIONS] for number in range(CONNECTIONS))
    return list(chain.from_iterable(await asyncio.gather(*(_share(gateway, share) for share in shares))))


async def _share(gateway: Launched, tenants: list[str]) -> list[int]:
    parts = [tenants[at : at + PER_CONNECTION] for at in range(0, len(tenants), PER_CONNECTION)]
    return [status for part in parts for status in await _connection(gateway, part)]


async def _connection(gateway: Launched, tenants: list[str]) -> list[int]:
    reader, writer = await asyncio.open_connection(*gateway.address)
    found = []
    for at in range(0, len(tenants), PIPELINED):
        piece = tenants[at : at + PIPELINED]
        writer.write(b"".join(map(_request, piece)))
        found += [await read_status(reader) for _ in piece]
    writer.close()
    return found


def _request(tenant: str) -> bytes:
    headers = ("Host: gateway.test", f"{KEY_HEADER}: flood", f"X-Tenant: {tenant}")
    return "\r\n".join(["GET /tenant HTTP/1.1", *headers, "", ""]).encode()
