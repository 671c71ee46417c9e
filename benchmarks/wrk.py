"""wrk, the load generator: run it, and read what it prints."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from types import MappingProxyType

_STATUS = Path(__file__).with_name("status.lua")
_NUMBERED = Path(__file__).with_name("numbered.lua")
NUMBER = "NUMBER"
"""In a path, what each request has a number of its own for. The client needs a script for that, and time."""
Headers = Mapping[str, str]
_NONE: Headers = MappingProxyType({})
_GRACE = 20.0  # seconds that wrk may take longer than it was told to


class LoadError(Exception):
    """The load was not served as it should be, so its figures would mean something else."""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw: `failed` answers are those that are not 2xx or 3xx, `broken` the failures of sockets."""

    requests: int
    seconds: float
    failed: int
    broken: int


def available() -> bool:
    return which("wrk") is not None


def version() -> str:
    """wrk answers -v with its version and status 1."""
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False, timeout=10)
    found = re.search(r"wrk \S*?(\d\S*)", said.stdout + said.stderr)
    return found[1] if found else "of an unknown version"


def measure(url: str, status: int, seconds: int, connections: int, headers: Headers = _NONE) -> Load:
    """Constant load. Raises LoadError unless every answer was of the kind (refused or not) that `status` is."""
    load = parse(_run(seconds, connections, *_sent(headers), *_asked(url)))
    expected = load.requests if status >= 400 else 0
    if load.requests == 0 or load.failed != expected or load.broken:
        raise LoadError(f"{url} should answer {status} to every request, and did this: {load}")
    return load


def check(url: str, status: int, seconds: int, connections: int, headers: Headers = _NONE) -> None:
    """The same load with a look at each status. Raises LoadError unless all are `status`."""
    said = _run(seconds, connections, *_sent(headers), "-s", str(_STATUS), url, "--", str(status))
    load, others = parse(said), re.search(r"^Other statuses: (\d+)$", said, re.MULTILINE)
    if load.requests == 0 or others is None or int(others[1]):
        raise LoadError(f"{url} should answer {status} to every request, and did this: {others and others[0]}, {load}")


@contextmanager
def started(url: str, seconds: int, connections: int) -> Iterator[subprocess.Popen[str]]:
    """A load in the background; `finished` waits for its figures."""
    command = [*_command(seconds, connections), url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finished(process: subprocess.Popen[str]) -> Load:
    """Raises LoadError."""
    said, _ = process.communicate(timeout=60)
    return parse(said)


def _command(seconds: int, connections: int) -> list[str]:
    return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]


def _sent(headers: Headers) -> list[str]:
    return [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]


def _asked(url: str) -> list[str]:
    """Numbers count up faster by the clock than requests do, so that none comes twice."""
    return ["-s", str(_NUMBERED), url, "--", str(time.monotonic_ns() // 1000)] if NUMBER in url else [url]


def _run(seconds: int, connections: int, *rest: str) -> str:
    command = [*_command(seconds, connections), *rest]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + _GRACE)
    if done.returncode != 0:
        raise LoadError(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout)[:300]}")
    return done.stdout


_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse(said: str) -> Load:
    """The summary of a run. The lines on failures are only there when there were some. Raises LoadError."""
    total = re.search(r"^\s*(\d+) requests in ([\d.]+)(us|ms|s|m|h),", said, re.MULTILINE)
    if total is None:
        raise LoadError(f"this is no summary of wrk's: {said[:300]!r}")
    failed = re.search(r"^\s*Non-2xx or 3xx responses: (\d+)$", said, re.MULTILINE)
    broken = re.search(r"^\s*Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$", said, re.MULTILINE)
    return Load(
        int(total[1]),
        float(total[2]) * _UNITS[total[3]],
        int(failed[1]) if failed else 0,
        sum(map(int, broken.groups())) if broken else 0,
    )
