"""A shadow limit is there to be looked at: the access log tells the requests that it would have refused."""

from __future__ import annotations

import json
import time
import uuid

import pytest

from conformance.client import Request, exchange
from conformance.conftest import Launcher, on_each_gateway, skip_where_missing
from conformance.harness import Launched
from conformance.variants import Variant
from gwc.support import Fidelity

SCENARIO = "limits/shadow"
_FLUSH = 20.0  # seconds; engines write their logs in pieces


@pytest.mark.live
@on_each_gateway()
@pytest.mark.parametrize(("path", "feature"), [("/ip", "limits.ip"), ("/header", "limits.header")])
def test_the_log_tells_what_would_have_been_refused(
    variant: Variant, path: str, feature: str, launch: Launcher
) -> None:
    skip_where_missing(variant)
    gateway = launch(SCENARIO, variant)
    if Fidelity.UNSUPPORTED in {gateway.declared.get(name) for name in ("limits.shadow", feature)}:
        return  # the compiler refuses such a policy: test_scenarios.py shows it
    sent = [_send(gateway, path) for _ in range(4)]  # all before the first look: a log may be seconds behind
    marks = [_shadow_of(_logged(gateway, request_id)) for request_id in sent]
    assert [bool(mark) for mark in marks] == [False, False, True, True], marks


def _send(gateway: Launched, path: str) -> str:
    """The request id of one request, of a client and a tenant that only this test has."""
    headers = (("Host", "gateway.test"), ("X-Tenant", f"shadow{id(gateway)}"))
    response = exchange(gateway.address, Request("GET", path, headers, source="127.0.41.1"))
    assert response.status == 200
    return response.value("x-request-id") or uuid.uuid4().hex


def _logged(gateway: Launched, request_id: str) -> dict[str, object]:
    """The access log's line of the request, as soon as it was written."""
    deadline = time.monotonic() + _FLUSH
    while time.monotonic() < deadline:
        for line in gateway.running.output().splitlines():
            if request_id in line and line.startswith("{"):
                found: dict[str, object] = json.loads(line)
                return found
        time.sleep(0.1)
    raise AssertionError(f"no line of the access log has {request_id}")


def _shadow_of(line: dict[str, object]) -> str:
    """What the line says of shadow limits; the dash stands for nothing in the logs of Envoy and NGINX."""
    fields = [value for name, value in line.items() if "shadow" in name]
    assert fields, f"no field of the access log tells of shadow limits: {sorted(line)}"
    return "".join(str(value) for value in fields if value not in (None, "-", "", []))
