"""Policies in tests through the real front end and the installed targets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import certificates
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.features import FEATURES
from gwc.ir import Gateway, TargetOptions
from gwc.source import Source
from gwc.target import Artifact, Target

NOW = date(2026, 11, 23)
POLICIES = Path(__file__).parents[1] / "policies"
"""Where the key set that the policies name lies."""


def sources_of(policies: Mapping[str, Any], directory: Path = POLICIES) -> list[Source]:
    """Each policy written down as JSON, which is YAML: nothing is lost on the way."""
    return [
        Source(str(directory / f"{name}.yaml"), json.dumps(data, ensure_ascii=False)) for name, data in policies.items()
    ]


def compiled(sources: list[Source]) -> tuple[Gateway | None, Report]:
    report = Report()
    return compile_sources(sources, environment=None, now=NOW, report=report), report


def gateway_of(policies: Mapping[str, Any]) -> Gateway:
    gateway, report = compiled(sources_of(policies))
    assert gateway is not None, [f"{d.code} {d.message} ({d.hint})" for d in report.diagnostics]
    return gateway


def emitted(gateway: Gateway, target: Target, profile: str) -> Artifact:
    """What `target` emits when everything that it cannot do exactly has been taken knowingly."""
    options = TargetOptions(profile=profile, accept=tuple(FEATURES))
    return target.emit(replace(gateway, targets={target.name: options}), profile)


def texts(artifact: Artifact) -> dict[str, str]:
    return {path: output.text for path, output in artifact.files.items()}


def write(artifact: Artifact, directory: Path, secret: str = "some-secret-value") -> None:
    """What `gwc compile --with-secrets` leaves behind where every secret has the value `secret`."""
    files = texts(artifact)
    files |= {one.path: one.render((secret,) * len(one.secrets)) for one in artifact.secrets}
    for path, text in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text, encoding="utf-8")


def on_a_host(sources: list[Source], host: Path) -> list[Source]:
    """The policies on a gateway's host that has its files below `host`."""
    return [Source(source.name, certificates.moved(source.text, host)) for source in sources]
