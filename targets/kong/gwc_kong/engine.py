"""The real Kong: find it, let it judge a kong.yml, run it.

Its error output can repeat the configuration and so never leaves this module.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gwc.diagnostics import Diagnostic, Severity, Span
from gwc.process import Command, GatewayProcess, chosen_binary
from gwc.serving import Place, Served
from gwc.target import Artifact, Binary, EngineMissingError, Output, Running
from gwc_kong.secrets import SECRETS_FILE

_VARIABLE = "GWC_KONG"
_HOW = f"install Kong Gateway 3.9 and put kong on PATH, or set {_VARIABLE} to its path"
_PARSE_TIMEOUT = 120.0


class KongEngine:
    """Satisfies `gwc.target.Engine`."""

    def find(self, profile: str) -> Binary:  # noqa: ARG002 - one binary for every profile
        path = _path()
        return Binary(path, _version(path))

    def verify(self, binary: Binary, directory: Path, artifact: Artifact) -> tuple[Diagnostic, ...]:
        with tempfile.TemporaryDirectory(prefix="gwc-kong-") as prefix:
            done = _kong(binary, ["config", "parse", "kong.yml"], directory, {"KONG_PREFIX": prefix})
        if done.returncode == 0:
            return ()
        return (_diagnostic(done.stderr or done.stdout, artifact.files["kong.yml"]),)

    def launch(self, binary: Binary, directory: Path, environ: Mapping[str, str]) -> Running:
        return KongProcess(binary, directory, environ)

    def serve(self, binary: Binary, place: Place) -> Served:
        from gwc_kong.serving import KongServed

        return KongServed(binary, place)


def _path() -> Path:
    chosen = chosen_binary(_VARIABLE)
    if chosen is not None:
        return chosen
    found = shutil.which("kong")
    if found is None:
        raise EngineMissingError(f"no Kong found, so only the facts of its schemas can judge: {_HOW}")
    return Path(found)


def _version(path: Path) -> str:
    try:
        done = subprocess.run([path, "version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineMissingError(f"{path} does not run as Kong ({type(error).__name__}): {_HOW}") from None
    found = re.search(r"(\d+\.\d+\.\d+)", done.stdout)
    if done.returncode != 0 or found is None:
        raise EngineMissingError(f"{path} does not answer `version` as Kong does: {_HOW}")
    if not found[1].startswith("3.9."):
        raise EngineMissingError(f"{path} is Kong {found[1]}; gwc writes for Kong 3.9: {_HOW}")
    return found[1]


def read_environment(file: Path) -> dict[str, str]:
    """The settings of an environment file: one `NAME=value` a line, taken literally."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines if line)


def _environment(directory: Path, extra: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KONG_")}
    emitted = {**read_environment(directory / "kong.env"), **read_environment(directory / SECRETS_FILE)}
    if os.geteuid() == 0:
        emitted["KONG_NGINX_USER"] = "root root"  # workers of another user cannot enter a private directory
    return {**inherited, **emitted, **extra}


def _kong(
    binary: Binary, arguments: list[str], directory: Path, extra: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [binary.path, *arguments], cwd=directory, env=_environment(directory, extra),
            capture_output=True, text=True, errors="replace", timeout=_PARSE_TIMEOUT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(arguments, 1, "", "it did not finish in time")


def _diagnostic(complaint: str, output: Output) -> Diagnostic:
    span = _culprit(complaint, output) or min(output.lines.values(), default=Span("kong.yml", 1, 1, 1, 1))
    message = f"Kong does not accept kong.yml: {redact(complaint)}"
    hint = "this is a fault of gwc's Kong target, not of the policy: please report it with the policy"
    return Diagnostic(span, "GWC603", Severity.ERROR, message, hint)


def _culprit(complaint: str, output: Output) -> Span | None:
    """The policy text behind the longest entity name of kong.yml that the complaint contains."""
    names: dict[str, Span] = {}
    for number, line in enumerate(output.text.splitlines(), 1):
        name = re.search(r'\bname: "([^"]+)"', line)
        if name and name[1] in complaint and number in output.lines:
            names.setdefault(name[1], output.lines[number])
    return names[max(names, key=len)] if names else None


def redact(complaint: str) -> str:
    """The reason without the configuration that Kong repeats: one line, no quoted text, no braces."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    reasons = [re.sub(r"^Error:\s*", "", line) for line in lines if not line.startswith(("stack", "Run with"))]
    text = " ".join(reasons[:3]) if reasons else "no reason given"
    text = re.sub(r"'[^']*'|\"[^\"]*\"|\{[^}]*\}?", "...", text)
    return text[:200]


class KongProcess(GatewayProcess):
    """Kong keeps its working files in a prefix of its own, which goes with the process.

    `settings` are the variables that it was started with, beside those of its directory. `log` is the descriptor that
    gets the access log.
    """

    def __init__(self, binary: Binary, directory: Path, environ: Mapping[str, str], log: int | None = None) -> None:
        self._prefix = tempfile.TemporaryDirectory(prefix="gwc-kong-")
        own = {"KONG_PREFIX": self._prefix.name, "KONG_NGINX_DAEMON": "off", "KONG_NGINX_WORKER_PROCESSES": "2"}
        self.settings = {**environ, **own}
        settings = _environment(directory, self.settings)
        super().__init__(
            Command(
                name="Kong",
                arguments=[binary.path, "start"],
                directory=directory,
                environ=settings,
                ready=f"http://{settings['KONG_STATUS_LISTEN']}/status/ready",
                redact=redact,
                output=log,
            )
        )

    @property
    def nginx_pid(self) -> Path:
        return Path(self._prefix.name) / "pids/nginx.pid"

    @property
    def error_log(self) -> Path:
        """In Kong's own words: never for a user's eyes."""
        return Path(self._prefix.name) / "logs/error.log"

    def stop(self) -> None:
        super().stop()
        self._prefix.cleanup()


def reload(binary: Binary, directory: Path, settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Ask the Kong that runs with these settings to read the files of `directory` again."""
    return _kong(binary, ["reload"], directory, settings)
