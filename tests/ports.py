"""Ports for the servers that tests start."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import socket

_FIRST, _WORKERS, _EACH = 10_000, 8, 2_750  # up to 32,000: above, the kernel takes ports for outgoing connections
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_NEXT = itertools.count(random.randrange(_EACH))


def free_port() -> int:
    """A loopback port that nobody listens on, and that nobody else takes before the server that it is for is up.

    Not one that the kernel picks: it hands those out to every outgoing connection too. Each worker of a test run has
    a range of its own, and walks through it: gateways listen with SO_REUSEPORT, so two that were given the same port
    would share it without an error, and answer each other's clients.
    """
    for _ in range(100):
        port = _FIRST + _WORKER * _EACH + next(_NEXT) % _EACH
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port among a hundred of this worker's range")
