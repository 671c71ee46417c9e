"""Targets made for the command line's tests: small, exact where it matters, and inexact where a test needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gwc.diagnostics import Diagnostic, Severity
from gwc.features import FEATURES
from gwc.ir import Gateway
from gwc.observability.metrics import Family
from gwc.support import EXACT, Case, Conditional, Support, SupportTable, approximate, unsupported
from gwc.target import Artifact, Binary, EngineMissingError, OutputFile, Running, SecretOutput

INEXACT: dict[str, Support | Conditional] = {
    "cors": unsupported("it has no idea of origins; answer preflights in the service"),
    "websocket": approximate("connections are cut after an hour"),
    "cache": Conditional(
        EXACT, (Case("ttl above 1d", lambda g, use: use.node.ttl > 86400, unsupported("a day at most")),)
    ),  # type: ignore[attr-defined]
}


@dataclass
class FakeEngine:
    """Accepts everything, unless `complaints` makes some from the artifact."""

    installed: bool = True
    complaints: Callable[[Path, Artifact], tuple[Diagnostic, ...]] = lambda directory, artifact: ()

    def find(self, profile: str) -> Binary:
        if not self.installed:
            raise EngineMissingError("there is no such binary; install it with pip install fake")
        return Binary(Path("/nowhere/fake"), "9.9")

    def verify(self, binary: Binary, directory: Path, artifact: Artifact) -> tuple[Diagnostic, ...]:
        return self.complaints(directory, artifact)

    def launch(self, binary: Binary, directory: Path, environ: Mapping[str, str]) -> Running:
        raise AssertionError("no command that exists yet runs a gateway")


@dataclass
class FakeTarget:
    """Renders the names of the routes, one a line, and asks for the gateway secret as a file."""

    name: str
    profiles: tuple[str, ...] = ("full", "small")
    engine: FakeEngine = field(default_factory=FakeEngine)
    entries: Mapping[str, Support | Conditional] = field(default_factory=lambda: INEXACT)
    judgement: tuple[Diagnostic, ...] = ()
    fault: Exception | None = None
    secret_path: str = "secrets/gateway.conf"
    extra_files: Mapping[str, str] = field(default_factory=dict)
    measured: frozenset[Family] = frozenset()

    def support(self, profile: str) -> SupportTable:
        return SupportTable(self.name, profile, {**dict.fromkeys(FEATURES, EXACT), **self.entries})

    def emit(self, gateway: Gateway, profile: str) -> Artifact:
        if self.fault is not None:
            raise self.fault
        routes = [(f"{s.name}/{r.name}", r.provenance["path"].span) for s in gateway.services for r in s.routes]
        listing = OutputFile(
            "".join(f"{name}\n" for name, _ in routes), {i + 1: span for i, (_, span) in enumerate(routes)}
        )
        start = OutputFile(f"#!/bin/sh\nexec {self.name} --profile {profile}\n", {}, executable=True)
        extra = {path: OutputFile(text, {}) for path, text in self.extra_files.items()}
        return Artifact(
            self.name,
            profile,
            {"routes.conf": listing, "bin/start": start, **extra},
            _secrets(gateway, self.secret_path),
        )

    def judge(self, artifact: Artifact) -> tuple[Diagnostic, ...]:
        return self.judgement

    def families(self, profile: str) -> frozenset[Family]:
        return self.measured


class OfflineTarget(FakeTarget):
    """One whose own judge is enough."""

    offline_judge = "its published schemas"


@dataclass(frozen=True)
class FakeDistribution:
    name: str
    version: str


@dataclass(frozen=True)
class FakeEntry:
    """What importlib.metadata would give for an installed target."""

    target: FakeTarget
    dist: FakeDistribution = FakeDistribution("fakes", "1.2.3")

    def load(self) -> FakeTarget:
        return self.target


def _secrets(gateway: Gateway, path: str) -> tuple[SecretOutput, ...]:
    secret = gateway.identity.gateway_secret
    return () if secret is None else (SecretOutput(path, (secret.secret,), _render_secret),)


def _render_secret(values: tuple[str, ...]) -> str:
    if '"' in values[0]:
        raise ValueError(f"cannot quote {values[0]}")
    return f'secret "{values[0]}"\n'


def complain_about_first_route(directory: Path, artifact: Artifact) -> tuple[Diagnostic, ...]:
    """As an engine does that names a line of its own file."""
    assert (directory / "routes.conf").read_text() == artifact.files["routes.conf"].text
    span = artifact.files["routes.conf"].lines[1]
    return (Diagnostic(span, "GWC650", Severity.ERROR, "the engine refuses this route"),)
