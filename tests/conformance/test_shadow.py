"""A shadow limit is there to be looked at: the access log tells the requests that it would have refused."""

from __future__ import annotations

import pytest

from conformance import logbook
from conformance.client import Request, exchange
from conformance.conftest import Launcher, on_each_gateway, skip_where_missing
from conformance.harness import Launched
from conformance.variants import Variant
from gwc.support import Fidelity

SCENARIO = "limits/shadow"


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
    marks = {line["request_id"]: line["shadowed_by"] for line in logbook.lines(gateway, sent)}
    assert [marks.get(request_id) for request_id in sent] == [[], [], *[[f"route/main{path}/0"]] * 2]


@pytest.mark.live
@on_each_gateway()
def test_each_of_several_tells_by_itself(variant: Variant, launch: Launcher) -> None:
    skip_where_missing(variant)
    gateway = launch(SCENARIO, variant)
    features = ("limits.shadow", "limits.header", "limits.ip")
    if Fidelity.UNSUPPORTED in {gateway.declared.get(name) for name in features}:
        return  # the compiler refuses such a policy: test_scenarios.py shows it
    sent = [_send(gateway, "/several") for _ in range(6)]
    marks = {line["request_id"]: sorted(line["shadowed_by"]) for line in logbook.lines(gateway, sent)}
    limits = [f"route/main/several/{number}" for number in range(3)]
    assert [marks.get(request_id) for request_id in sent] == [limits[:met] for met in (0, 0, 1, 2, 3, 3)]


def _send(gateway: Launched, path: str) -> str:
    """The request id of one request, of a client and a tenant that only this test has."""
    headers = (("Host", "gateway.test"), ("X-Tenant", f"shadow{id(gateway)}"))
    response = exchange(gateway.address, Request("GET", path, headers, source="127.0.41.1"))
    request_id = response.value("x-request-id")
    assert response.status == 200 and request_id is not None
    return request_id
