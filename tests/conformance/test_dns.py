"""Host names are resolved again when their records expire, without a reload: the service moves, and traffic follows.

The gateway runs in a mount namespace of its own, whose /etc/resolv.conf names the test's name server. Kong is not among
the variants: its stand-in does not contain Kong's resolver.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from conformance.conftest import skip_where_missing
from conformance.dns import ADDRESS, NameServer
from conformance.harness import Launched, Service, launched
from conformance.upstream import MOVED
from conformance.variants import Variant, variants
from gwc.diagnostics import Diagnostic
from gwc.target import Artifact, Binary, Engine, Running

NAME = "service.conformance.test"
POLICY = f"""
summary: a service that moves
platform: {{defaults: {{retries: none, timeouts: {{connect: 1s, request: 3s}}}}}}
services:
  - service: moving
    upstream: "http://{NAME}:${{A}}"
    routes: [{{name: any, path: /x, methods: [GET]}}]
cases:
  - {{name: asked, proves: [upstream.dns], request: GET /x, expect: {{status: 200}}}}
"""
_WITHIN = 15.0  # seconds; a record lives for one, and engines look again within five


@dataclass(frozen=True, slots=True)
class InNamespace:
    """An engine whose processes see another /etc/resolv.conf."""

    engine: Engine
    directory: Path

    def find(self, profile: str) -> Binary:
        binary = self.engine.find(profile)
        resolv, wrapper = self.directory / "resolv.conf", self.directory / binary.path.name
        resolv.write_text(f"nameserver {ADDRESS[0]}\n", encoding="utf-8")
        mount = f"mount --bind {shlex.quote(str(resolv))} /etc/resolv.conf"
        inner = shlex.quote(f'{mount} && exec {shlex.quote(str(binary.path))} "$@"')
        wrapper.write_text(f'#!/bin/sh\nexec unshare -m sh -c {inner} sh "$@"\n', encoding="utf-8")
        wrapper.chmod(0o755)
        return replace(binary, path=wrapper)

    def verify(self, binary: Binary, directory: Path, artifact: Artifact) -> tuple[Diagnostic, ...]:
        return self.engine.verify(binary, directory, artifact)

    def launch(self, binary: Binary, directory: Path, environ: Mapping[str, str]) -> Running:
        return self.engine.launch(binary, directory, environ)


@pytest.fixture
def names() -> Iterator[NameServer]:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("no mount namespaces here: run as root to see names resolved again")
    with ExitStack() as stack:
        try:
            server = stack.enter_context(NameServer(NAME, "127.0.0.1"))
        except OSError as taken:
            pytest.skip(f"{ADDRESS[0]}:{ADDRESS[1]} cannot be had, so that no name server can move a record: {taken}")
        yield server


@pytest.mark.live
@pytest.mark.xdist_group("dns")
@pytest.mark.parametrize("variant", [pytest.param(v, id=v.name) for v in variants() if v.target.name != "kong"])
def test_traffic_follows_the_record(variant: Variant, names: NameServer, service: Service, tmp_path: Path) -> None:
    skip_where_missing(variant)
    scenario, directory = tmp_path / "moving.yaml", tmp_path / "gateway"
    scenario.write_text(POLICY, encoding="utf-8")
    directory.mkdir()
    inside = replace(variant, engine=InNamespace(variant.engine, tmp_path))
    with launched(scenario, inside, service, directory) as gateway:
        assert _answers_from(gateway, "A")
        names.address = MOVED
        assert _answers_from(gateway, "MOVED")
        names.address = None
        time.sleep(2)
        names.address = "127.0.0.1"
        assert _answers_from(gateway, "A")
        assert names.questions > 2


def _answers_from(gateway: Launched, instance: str) -> bool:
    """Whether `instance` answers in time, and once it has, alone."""
    (case,) = gateway.scenario.cases
    deadline = time.monotonic() + _WITHIN
    while time.monotonic() < deadline:
        answers = [gateway.ask(case.steps[0], os.urandom(8).hex()) for _ in range(5)]
        if [answer.value("x-instance") for answer in answers] == [instance] * 5:
            return True
        time.sleep(0.3)
    return False
