"""An Envoy that takes up a new bootstrap by hot restart: the next process gets the sockets of the one before, which
ends when its last request has.

Its own admin interface is moved to a socket below a private directory, where the paths are open that a restart and a
drain need.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from signal import SIGTERM
from typing import Any

from gwc.process import STOP_TIMEOUT, Command, GatewayProcess
from gwc.serving import Place
from gwc.target import Binary
from gwc_envoy.emit import FILE
from gwc_envoy.redacting import redact
from gwc_envoy.xds import Json

OLD_ENDS = 10
"""Seconds that the process before may still take for its requests."""
_WORKERS = 2
_LOGGED = "200"
"""Milliseconds until a request is in the log: somebody watches it."""
_ACTIVE = "http.http.downstream_rq_active"
_INFO, _DRAIN, _STATS = "/server_info", "/drain_listeners?inboundonly", f"/stats?format=json&filter=^{_ACTIVE}$"
"""The last counts the requests of the process before, too, for as long as that one lives."""
MERGED = 2.5
"""Seconds until the counts of the process before are among those of the new one: it asks for them every second."""


class EnvoyServed:
    """Satisfies `gwc.serving.Served`."""

    _drain = "1"
    """Seconds that the connections of a listener get which another one takes the place of."""

    def __init__(self, binary: Binary, place: Place) -> None:
        self._binary, self._place = binary, place
        self._scratch = tempfile.TemporaryDirectory(prefix="gwc-envoy-")
        self._admin = Admin(Path(self._scratch.name) / "admin.sock")
        self._epoch, self._before = 0, list[GatewayProcess]()
        self._reloaded = -MERGED
        try:
            self._now = self._started()
        except BaseException:
            self._clean()
            raise

    @property
    def ended(self) -> str | None:
        return None if self._now.running else self._now.reason()

    def reload(self) -> None:
        self._before = [old for old in self._before if not self._gone(old)]
        self._epoch += 1
        try:
            following = self._started()
        except BaseException:
            self._epoch -= 1
            raise
        self._before.append(self._now)
        self._now, self._reloaded = following, time.monotonic()

    def _gone(self, old: GatewayProcess) -> bool:
        if not old.running:
            old.stop()
        return not old.running

    def stop(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        with contextlib.suppress(OSError, HTTPException, ValueError):
            self._admin.post(_DRAIN)
            while self._now.running and not self._idle() and time.monotonic() < deadline:
                time.sleep(0.1)
        for process in (*self._before, self._now):
            process.send(SIGTERM)
        for process in (*self._before, self._now):
            process.wait(STOP_TIMEOUT)  # another signal would end it before its log is written
            process.stop()
        self._clean()

    def _idle(self) -> bool:
        """Whether no request is in flight in any process."""
        stats = json.loads(self._admin.get(_STATS))["stats"]
        told = time.monotonic() > self._reloaded + MERGED
        return told and not any(one["value"] for one in stats if one.get("name") == _ACTIVE)

    def _written(self) -> tuple[Path, Path]:
        """Writes what the next process is to read: the bootstrap, and the directory that it is started in."""
        text = (self._place.directory / FILE).read_text(encoding="utf-8")
        file = Path(self._scratch.name) / f"{self._epoch}.json"
        file.write_text(json.dumps(for_running(json.loads(text), self._admin.path)), encoding="utf-8")
        return file, self._place.directory

    def _started(self) -> GatewayProcess:
        file, directory = self._written()
        return GatewayProcess(
            Command(
                name="Envoy",
                arguments=[self._binary.path, "-c", file, *self._options()],
                directory=directory,
                environ={**os.environ, **self._place.environ},
                ready=self._is_live,
                redact=redact,
                output=self._place.log,
            )
        )

    def _options(self) -> list[str]:
        base = Path(self._scratch.name) / "base-id"
        which = ["--use-dynamic-base-id", "--base-id-path", str(base)]
        if self._epoch:
            which = ["--base-id", base.read_text(encoding="utf-8").strip()]
        times = [
            "--drain-time-s",
            self._drain,
            "--drain-strategy",
            "immediate",
            "--parent-shutdown-time-s",
            str(OLD_ENDS),
        ]
        usual = ["--concurrency", str(_WORKERS), "--log-level", "error", "--file-flush-interval-msec", _LOGGED]
        return [*which, "--restart-epoch", str(self._epoch), *times, *usual]

    def _is_live(self) -> bool:
        """Of this epoch: the process before answers until the new one takes over."""
        try:
            info = json.loads(self._admin.get(_INFO))
        except (OSError, HTTPException, ValueError):
            return False
        options: dict[str, Any] = info.get("command_line_options", {})
        return bool(info.get("state") == "LIVE" and options.get("restart_epoch", 0) == self._epoch)

    def _clean(self) -> None:
        """Envoy leaves the memory that its processes share."""
        base = Path(self._scratch.name) / "base-id"
        with contextlib.suppress(OSError):
            Path(f"/dev/shm/envoy_shared_memory_{base.read_text(encoding='utf-8').strip()}0").unlink()  # noqa: S108
        self._scratch.cleanup()


def for_running(bootstrap: Json, admin: Path) -> Json:
    """The same gateway with its admin interface at `admin`, and with listeners that a drain can tell from hops."""
    moved = with_admin(bootstrap, admin)
    mark_public(moved["static_resources"]["listeners"])
    return moved


def with_admin(bootstrap: Json, admin: Path, *asked: str) -> Json:
    """The bootstrap whose admin interface is at `admin`, and answers on the paths `asked`, too."""
    moved: Json = json.loads(moved_admin(json.dumps(bootstrap), own_admin(bootstrap), admin))
    moved["admin"]["address"]["pipe"]["mode"] = 0o600
    moved["admin"]["allow_paths"] += [{"exact": path} for path in (_INFO, _DRAIN, _STATS, *asked)]
    return moved


def own_admin(bootstrap: Json) -> str:
    return str(bootstrap["admin"]["address"]["pipe"]["path"])


def moved_admin(text: str, own: str, admin: Path) -> str:
    return text.replace(json.dumps(own), json.dumps(str(admin)))


def mark_public(listeners: Iterable[Json]) -> None:
    for listener in listeners:
        if listener["name"] in ("http", "https"):
            listener["traffic_direction"] = "INBOUND"


class Admin:
    """HTTP over the admin interface's socket."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, target: str) -> str:
        return self._ask("GET", target)

    def post(self, target: str) -> str:
        return self._ask("POST", target)

    def _ask(self, method: str, target: str) -> str:
        """The body of a 200. Raises OSError, HTTPException."""
        with contextlib.closing(_Connection(self.path)) as connection:
            connection.request(method, target)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        if answer.status != 200:
            raise HTTPException(f"{target}: {answer.status}")
        return text


class _Connection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
