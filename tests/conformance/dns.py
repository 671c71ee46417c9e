"""A name server with one record that a test moves. UDP, A records, a time to live of one second."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

ADDRESS = ("127.0.0.53", 53)
"""Where systemd-resolved listens, and where a resolver's own default leads: names are asked on port 53 alone."""
_TTL = 1
_PATIENCE = 20.0  # seconds
_NXDOMAIN = 3
_A_IN = b"\x00\x01\x00\x01"


@dataclass(slots=True)
class NameServer:
    """Answers for `name` with `address`; None: there is no such name. Every other name is unknown."""

    name: str
    address: str | None
    questions: int = 0
    _sock: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    _thread: threading.Thread | None = None
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> NameServer:
        """Waits a while for another run of these tests; then raises OSError where the address cannot be had."""
        try:
            self._bind()
        except OSError:
            self._sock.close()
            raise
        self._sock.settimeout(0.2)
        self._thread = threading.Thread(target=self._serve, name="dns", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join(5)
        self._sock.close()

    def _bind(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._sock.bind(ADDRESS)
            except OSError as refused:
                if refused.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def _serve(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                query, peer = self._sock.recvfrom(4096)
                self._sock.sendto(self.answer(query), peer)

    def answer(self, query: bytes) -> bytes:
        name, end = _name(query)
        question, kind = query[12 : end + 4], query[end : end + 4]
        if name != self.name or self.address is None:
            return query[:2] + struct.pack("!5H", 0x8180 | _NXDOMAIN, 1, 0, 0, 0) + question
        self.questions += 1
        records = [socket.inet_aton(self.address)] if kind == _A_IN else []
        found = b"".join(b"\xc0\x0c" + _A_IN + struct.pack("!IH", _TTL, len(data)) + data for data in records)
        return query[:2] + struct.pack("!5H", 0x8180, 1, len(records), 0, 0) + question + found


def _name(query: bytes) -> tuple[str, int]:
    """The name of the only question, lower case, and where it ends."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("latin-1").lower())
        at += 1 + length
    return ".".join(labels), at + 1
