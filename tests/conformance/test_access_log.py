"""Whatever a client sends, each line of the access log is JSON: strict readers drop what is not, and lose a trace."""

from __future__ import annotations

import json
import time

import pytest

from conformance.client import Request, exchange
from conformance.conftest import Launcher
from conformance.harness import Launched
from conformance.variants import Variant, variants

SCENARIO = "request_id/always"
_FLUSH = 20.0  # seconds; engines write their logs in pieces
_HOSTILE = (
    *('/"},{"', "/\\", "/\xff\xfe", "/a\xed\xa0\x80", "/a\xc0\xaf", "/\xc3\xa4?\xff", "/%22%00", "/?\xff"),
    *("/" + "\xc3\xa4" * 2000, "?", "*"),
)
"""One character stands for one byte."""


@pytest.mark.live
@pytest.mark.parametrize("variant", [pytest.param(v, id=v.name) for v in variants()])
def test_every_line_is_json(variant: Variant, launch: Launcher) -> None:
    if reason := variant.missing():
        pytest.skip(f"{variant.name} does not run here: {reason}")
    gateway = launch(SCENARIO, variant)
    for target in _HOSTILE:
        _send(gateway, target, "hostile\xff\"'{}\\")
    _send(gateway, "/the-last-line", "plain")
    lines = [line for line in _written(gateway) if line.startswith("{")]
    assert len(lines) > 1
    for line in lines:
        assert isinstance(json.loads(line), dict)
        assert "\N{REPLACEMENT CHARACTER}" not in line, f"bytes that are no UTF-8: {line}"


def _send(gateway: Launched, target: str, agent: str) -> None:
    listener = gateway.gateway.listen.http
    assert listener is not None
    exchange((listener.host, listener.port), Request("GET", target, (("Host", "gateway.test"), ("User-Agent", agent))))


def _written(gateway: Launched) -> list[str]:
    """All lines up to that of the last request; standard output is read with bytes that are no UTF-8 replaced."""
    deadline = time.monotonic() + _FLUSH
    while time.monotonic() < deadline:
        text = gateway.running.output()
        if "/the-last-line" in text and text.endswith("\n"):
            return text.splitlines()
        time.sleep(0.1)
    raise AssertionError("the access log does not get as far as the last request")
