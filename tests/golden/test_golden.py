"""Both seams of the compiler, written down: the examples as a Gateway, and that Gateway as each target's files.

After a wanted change: pytest tests/golden --snapshot-update, and read the difference before you commit it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

import accept
import certificates
from compiling import emitted, on_a_host, write
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.discovery import load_targets
from gwc.ir import Gateway
from gwc.ir_json import gateway_to_json
from gwc.observability import emit as observability
from gwc.observability.metrics import FAMILIES
from gwc.source import read_policies
from gwc.target import EngineMissingError, Target
from layouts import LAYOUTS

REPOSITORY = Path(__file__).parents[2]
VARIANTS = [
    (environment, one.target, profile)
    for environment in accept.ENVIRONMENTS
    for one in load_targets(())
    for profile in one.target.profiles
    # The other environment differs in addresses and TLS: one profile a target shows how they are written.
    if environment is None or profile == one.target.profiles[0]
]
NAMES = [f"{environment or 'base'}-{target.name}-{profile}" for environment, target, profile in VARIANTS]
Golden = Callable[[str], SnapshotAssertion]
variants = pytest.mark.parametrize(("environment", "target", "profile"), VARIANTS, ids=NAMES)
APART = [(name, *one) for name, one in zip(NAMES, VARIANTS, strict=True) if (one[1].name, one[2]) not in LAYOUTS]
"""Those that say something of their own."""


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions in the output are relative to the working directory."""
    monkeypatch.chdir(REPOSITORY)


@pytest.mark.parametrize("environment", accept.ENVIRONMENTS, ids=["base", "prod"])
def test_policies_to_gateway(environment: str | None, golden: Golden) -> None:
    assert gateway_to_json(accept.gateway(environment)) == golden("ir.json")


@pytest.mark.parametrize(
    ("environment", "target", "profile"), [one[1:] for one in APART], ids=[one[0] for one in APART]
)
def test_gateway_to_files(environment: str | None, target: Target, profile: str, golden: Golden) -> None:
    artifact = emitted(accept.gateway(environment), target, profile)
    for path, output in artifact.files.items():
        if output.text not in shipped(target):
            assert output.text == golden(path)


def test_gateway_to_what_watches_it(golden: Golden) -> None:
    """The same for every target that serves all metric families."""
    for path, output in observability.files(accept.gateway(None), frozenset(FAMILIES)).items():
        assert output.text == golden(path)


@variants
def test_accepted_by_engine(environment: str | None, target: Target, profile: str, tmp_path: Path) -> None:
    artifact = emitted(installed(environment, tmp_path / "host"), target, profile)
    assert target.judge(artifact) == ()
    write(artifact, tmp_path / "build")
    try:
        binary = target.engine.find(profile)
    except EngineMissingError as missing:
        pytest.skip(f"judged by gwc's own facts alone: {missing}")
    assert target.engine.verify(binary, tmp_path / "build", artifact) == ()


@cache
def shipped(target: Target) -> frozenset[str]:
    """The texts of the target's own package, which it copies into the output: no need to write them down twice."""
    package = REPOSITORY / "targets" / target.name / f"gwc_{target.name}"
    files = (path for path in package.rglob("*") if path.suffix in (".js", ".lua"))
    return frozenset(path.read_text(encoding="utf-8") for path in files)


def installed(environment: str | None, host: Path) -> Gateway:
    """The examples on a gateway's host that has the certificates and keys which they name."""
    certificates.make(host, "tls/gateway", "tls/gateway-client", "upstream-ca")
    (host / "keys").mkdir()
    (host / "keys/billing").write_text("a-key-of-sixteen-bytes-or-more\n", encoding="utf-8")
    report = Report()
    sources = on_a_host(list(read_policies(str(accept.POLICIES), report)), host)
    gateway = compile_sources(sources, environment=environment, now=accept.NOW, report=report)
    assert gateway is not None, report.diagnostics
    return gateway
