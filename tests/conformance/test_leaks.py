"""The cases about leaks see them: on a proxy that caches as is usually advised, each of them fails as it should."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from conformance.harness import Launched, Service, Values, accepted_gateway
from conformance.scenario import SCENARIOS, load
from conformance.variants import Variant, variants
from gwc.process import Command, GatewayProcess
from ports import free_port

_CARELESS = """
{user}
error_log stderr;
pid nginx.pid;
events {{}}
http {{
    access_log off;
    proxy_cache_path kept keys_zone=kept:1m;
    server {{
        listen 127.0.0.1:{port};
        location = /ready {{ return 200; }}
        location / {{
            proxy_pass http://127.0.0.1:{service};
            proxy_cache kept;
            proxy_cache_valid any 1m;
            proxy_ignore_headers Cache-Control Expires Set-Cookie Vary;
            add_header X-Cache $upstream_cache_status always;
        }}
    }}
}}
"""
"""A time of its own for every answer, and the key that NGINX takes when nobody names one."""

LEAKS = [
    ("user", "no user gets another's answer", "body 'for ann', expected 'for bob'"),
    ("user", "without a credential nothing is served from the store", "status 200, expected 401; body b'for ann'"),
    ("user", "the same name at another provider is somebody else", 'body "one\'s", expected "two\'s"'),
    ("stored", "an answer with a cookie is nobody else's", r"step 2 .*Set-Cookie is \['session=first"),
    ("stored", "private and no-store are respected", r"step 2 .*X-Cache is \['HIT'\], expected 'MISS'"),
    ("stored", "an answer that varies by everything is not kept", r"step 2 .*X-Cache is \['HIT'\], expected 'MISS'"),
    ("stored", "only 200 is kept", r"step 2 .*X-Cache is \['HIT'\], expected 'MISS'"),
    ("request", "whoever asks gets the same", "should lack /ann"),
    ("request", "only what is listed arrives", "header tracestate at the service should be absent"),
    ("answers", "no origin gets another's permission", r"step 2 .*Access-Control-Allow-Origin is \['https://evil"),
    ("headers", "each value is an answer", "called 1 times, expected 3"),
    ("address", "hosts do not share answers", "body 'one', expected 'two'"),
]


@cache
def _nginx() -> Variant | None:
    """One of NGINX's variants that can run here."""
    return next((v for v in variants() if v.target.name == "nginx" and v.missing() is None), None)


@pytest.fixture(scope="module", params=sorted({name for name, _, _ in LEAKS}))
def careless(
    request: pytest.FixtureRequest, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Launched]]:
    """The policies of a scenario, and a proxy in their place that knows none of them."""
    variant, directory = _nginx(), tmp_path_factory.mktemp("careless")
    if variant is None:
        pytest.skip("no NGINX runs here")
    values: Values = {"LISTEN": free_port(), "ADMIN": free_port(), "PKI": str(service.pki), **service.upstream.ports}
    scenario = load(SCENARIOS / f"cache/{request.param}.yaml", values)
    gateway, declared = accepted_gateway(scenario, variant, values)

    def start() -> GatewayProcess:
        return _start(variant, directory, int(values["LISTEN"]), service.upstream.ports["A"])

    launched = Launched(scenario, gateway, declared, service.upstream, start(), directory, start)
    yield request.param, launched
    launched.stop()


def _start(variant: Variant, directory: Path, port: int, service: int) -> GatewayProcess:
    binary = variant.engine.find(variant.profile).path
    (directory / "logs").mkdir(exist_ok=True)
    user = "user root;" if os.geteuid() == 0 else ""  # otherwise its workers cannot enter the test's folder
    text = _CARELESS.format(user=user, port=port, service=service)
    (directory / "nginx.conf").write_text(text, encoding="utf-8")
    arguments = (binary, "-p", directory, "-c", "nginx.conf", "-g", "daemon off;")
    ready = f"http://127.0.0.1:{port}/ready"
    return GatewayProcess(Command("a careless proxy", arguments, directory, os.environ, ready, str))


@pytest.mark.live
@pytest.mark.xdist_group("leaks")
def test_the_cases_see_the_leaks(careless: tuple[str, Launched]) -> None:
    name, launched = careless
    variant = _nginx()
    assert variant is not None
    for scenario, case_name, leak in LEAKS:
        if scenario == name:
            case = next(case for case in launched.scenario.cases if case.name == case_name)
            found = launched.faults_of(variant, case)
            assert any(re.search(leak, fault) for fault in found), (case_name, found)
