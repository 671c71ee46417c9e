"""A minute of constant overload: what is admitted is the rate and the burst, on every gateway, all at the same time."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from conformance import logbook
from conformance.harness import Launched, Service, launched
from conformance.scenario import SCENARIOS
from conformance.script import KEY_HEADER
from conformance.tokens import fill
from conformance.variants import Variant, variants
from gwc.model import Model
from gwc.replay.reading import Counts, entries
from gwc.support import Fidelity

RATE, BURST = 10, 20  # as in limits/overload.yaml
SECONDS = 60
CONNECTIONS = 3  # more than one, so that all worker processes take part
PER_CONNECTION = 10  # requests a second: three times what the limit admits in all
KINDS: Mapping[str, tuple[str, ...]] = {
    "ip": ("limits.ip",),
    "user": ("limits.user", "auth.jwt"),
    "service": ("limits.service",),
    "header": ("limits.header",),
}
PATHS = frozenset(f"/{kind}" for kind in KINDS)


@dataclass(slots=True)
class Admission:
    """What happened to one kind of limit on one gateway."""

    name: str
    fidelity: Fidelity
    statuses: Counter[int]
    seconds: float

    @property
    def excess(self) -> float:
        """The share by which more, or less, was admitted than the policy says."""
        expected = BURST + RATE * self.seconds
        return (self.statuses[200] - expected) / expected

    def __str__(self) -> str:
        return f"{self.name}: {dict(self.statuses)} in {self.seconds:.1f} s, {self.excess:+.1%} ({self.fidelity})"


@pytest.mark.live
@pytest.mark.slow
def test_a_minute_of_overload(service: Service, tmp_path_factory: pytest.TempPathFactory) -> None:
    with ExitStack() as stack:
        gateways = {
            variant.name: stack.enter_context(
                launched(SCENARIOS / "limits/overload.yaml", variant, service, tmp_path_factory.mktemp("overload"))
            )
            for variant in variants()
            if variant.missing() is None and _rendered(variant)
        }
        if not gateways:
            pytest.skip("no gateway here renders a limit")
        measured = asyncio.run(_measure(gateways))
        predicted = {name: _predicted(gateway) for name, gateway in gateways.items() if _tells(gateway)}
    print(*measured, *predicted.items(), sep="\n")
    assert [str(one) for one in measured if set(one.statuses) != {200, 429}] == []
    assert [str(one) for one in measured if one.fidelity is Fidelity.EXACT and abs(one.excess) > 0.02] == []
    assert predicted
    assert {name: both for name, both in predicted.items() if abs(both[0] - both[1]) > 0.01 * both[1]} == {}


def _tells(gateway: Launched) -> bool:
    """Whether all limits are exact. A log below exact has the same fields, and says some of them with less detail."""
    logged = gateway.declared.get("access_log") is not Fidelity.UNSUPPORTED
    return logged and not {name for names in KINDS.values() for name in names} & gateway.declared.keys()


def _predicted(gateway: Launched) -> tuple[int, int]:
    """How many requests of the recorded overload the model refuses, and how many the gateway did."""
    lines = sorted((line for line in logbook.lines(gateway, ()) if line["path"] in PATHS), key=lambda one: one["time"])
    model, counts = Model(gateway.gateway), Counts()
    text = io.StringIO("".join(json.dumps(line) + "\n" for line in lines))
    refused = sum(model.ask(entry.request, entry.answer).status == 429 for entry in entries(text, "gwc", counts))
    assert (counts.lines, counts.damaged) == (len(lines), 0)
    return refused, sum(line["status"] == 429 for line in lines)


def _rendered(variant: Variant) -> bool:
    entries = variant.target.support(variant.profile).entries
    usual = [getattr(entry, "usual", entry) for name, entry in entries.items() if name.startswith("limits.")]
    return any(support.fidelity is not Fidelity.UNSUPPORTED for support in usual)


async def _measure(gateways: Mapping[str, Launched]) -> list[Admission]:
    return list(
        await asyncio.gather(
            *(
                _overload(f"{name} {kind}", gateway, kind, lowest)
                for name, gateway in gateways.items()
                for kind, features in KINDS.items()
                for lowest in [_lowest(gateway, features)]
                if lowest is not Fidelity.UNSUPPORTED
            )
        )
    )


def _lowest(gateway: Launched, features: tuple[str, ...]) -> Fidelity:
    promises = {gateway.declared.get(feature, Fidelity.EXACT) for feature in features}
    return next(f for f in (Fidelity.UNSUPPORTED, Fidelity.APPROXIMATE, Fidelity.EXACT) if f in promises)


async def _overload(name: str, gateway: Launched, kind: str, fidelity: Fidelity) -> Admission:
    statuses: Counter[int] = Counter()
    started = time.monotonic()
    await asyncio.gather(*(_connection(gateway, _request(kind), statuses, started) for _ in range(CONNECTIONS)))
    return Admission(name, fidelity, statuses, time.monotonic() - started)


def _request(kind: str) -> bytes:
    headers = ["Host: gateway.test", f"{KEY_HEADER}: overload", "X-Tenant: red"]
    headers += [fill("Authorization: Bearer ${TOKEN:ann}", 0)] if kind == "user" else []
    return "\r\n".join([f"GET /{kind} HTTP/1.1", *headers, "", ""]).encode()


async def _connection(gateway: Launched, request: bytes, statuses: Counter[int], started: float) -> None:
    """Requests at fixed moments, however long the answers take: a slow machine must not lower the load."""
    reader, writer = await asyncio.open_connection(*gateway.address, local_addr=("127.0.40.1", 0))
    for number in range(SECONDS * PER_CONNECTION):
        await asyncio.sleep(started + number / PER_CONNECTION - time.monotonic())
        writer.write(request)
        statuses[await read_status(reader)] += 1
    writer.close()


async def read_status(reader: asyncio.StreamReader) -> int:
    """The status of the next answer; its body is read to the end."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1").lower()
    fields = dict(line.partition(":")[::2] for line in head.split("\r\n")[1:])
    if "chunked" in fields.get("transfer-encoding", ""):
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    else:
        await reader.readexactly(int(fields["content-length"]))
    return int(head.split(" ", 2)[1])
