"""A client that sends exactly the bytes that a scenario says, and reads the answer with a strict parser."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import h11

from conformance.http2 import Multiplexed
from conformance.tls import REFUSED, RefusedError, Tls, shake_hands

_PIECE = 64 * 1024
_CUT = (ConnectionError, ssl.SSLError)
"""How a connection ends that somebody cut; over TLS without a farewell."""
_IP_BIND_ADDRESS_NO_PORT = 24  # ip(7); Python 3.11 has no name for it


@dataclass(frozen=True, slots=True)
class Slow:
    """A client that sends the first half of its `head` or `body` and then a byte `every` so many seconds, or none."""

    part: str
    every: float = 0


@dataclass(frozen=True, slots=True)
class Request:
    """`target` goes on the wire as it is. `headers` are complete but for the body's framing."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    chunked: bool = False
    version: str = "HTTP/1.1"
    source: str = "127.0.0.1"
    tls: Tls | None = None
    slow: Slow | None = None

    def connect(self, address: tuple[str, int], limit: float) -> socket.socket:
        """From the address that the gateway shall see; all of 127.0.0.0/8 is this machine."""
        sock = socket.socket()
        try:
            sock.settimeout(limit)
            # The port is chosen when connecting: bound ones run out, for each rests a minute after its use.
            sock.setsockopt(socket.SOL_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((self.source, 0))
            sock.connect(address)
            return sock if self.tls is None or self.tls.off else shake_hands(sock, self.tls)
        except BaseException:
            sock.close()
            raise

    def head(self) -> bytes:
        framing: list[tuple[str, str]] = []
        if self.chunked:
            framing = [("Transfer-Encoding", "chunked")]
        elif self.body:
            framing = [("Content-Length", str(len(self.body)))]
        lines = [f"{self.method} {self.target} {self.version}"]
        lines += [f"{name}: {value}" for name, value in (*self.headers, *framing)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def payload(self) -> bytes:
        if not self.chunked:
            return self.body
        pieces = [self.body[i : i + _PIECE] for i in range(0, len(self.body), _PIECE)]
        return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


@dataclass(slots=True)
class Response:
    """What came back. `status` 0: the connection ended without an answer. Times are seconds since the request.

    `arrivals` holds, for every piece of the body, when it came and how long the body was with it. `surplus` is what
    came after the answer's end on a connection that was kept: an answer to nothing that was asked. `tls` and `alpn`
    are what the handshake agreed on.
    """

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False
    first_byte: float = 0
    elapsed: float = 0
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    surplus: bytes = b""
    tls: str = ""
    alpn: str = ""

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def value(self, name: str) -> str | None:
        return next(iter(self.values(name)), None)

    def arrival(self, text: str) -> float | None:
        """When the body first held `text`."""
        end = self.body.find(text.encode())
        if end < 0:
            return None
        return next(at for at, length in self.arrivals if length >= end + len(text.encode()))


def exchange(address: tuple[str, int], request: Request, limit: float = 20.0) -> Response:
    """One request on a connection of its own. `limit`: seconds for all of it; TimeoutError beyond."""
    response, started = Response(), time.monotonic()
    with contextlib.suppress(*_CUT):  # a result: `complete` stays false
        _exchange(address, request, response, started, limit)
    response.elapsed = time.monotonic() - started
    return response


def exchange_kept(address: tuple[str, int], requests: Sequence[Request], limit: float = 20.0) -> list[Response]:
    """One request after the other on the same connection, or on a new one where the gateway closed it."""
    responses: list[Response] = []
    sock: socket.socket | None = None
    if requests[0].tls is not None and "h2" in requests[0].tls.alpn:
        return exchange_multiplexed(address, requests, limit)
    for request in requests:
        response, started = Response(), time.monotonic()
        sock = sock or _connected(address, request, response, limit)
        responses.append(response)
        with contextlib.suppress(*_CUT):
            sock.sendall(request.head() + request.payload())
            _receive(sock, request.method, response, started, limit)
        response.elapsed = time.monotonic() - started
        sock = _kept(sock, response)
    if sock is not None:
        sock.close()
    return responses


def exchange_multiplexed(address: tuple[str, int], requests: Sequence[Request], limit: float = 20.0) -> list[Response]:
    """All requests at once on one connection of HTTP/2; without an answer where the gateway does not speak it."""
    responses = [Response() for _ in requests]
    with contextlib.suppress(*_CUT), _connected(address, requests[0], responses[0], limit) as sock:
        for response in responses:
            response.tls, response.alpn = responses[0].tls, responses[0].alpn
        if responses[0].alpn == "h2":
            Multiplexed(sock, requests, responses).run(limit)
    return responses


def _connected(address: tuple[str, int], request: Request, response: Response, limit: float) -> socket.socket:
    """The connection, with what was agreed on noted in the response."""
    try:
        sock = request.connect(address, limit)
    except RefusedError:
        response.tls = REFUSED
        raise
    if isinstance(sock, ssl.SSLSocket):
        response.tls, response.alpn = sock.version() or "", sock.selected_alpn_protocol() or ""
    return sock


def _kept(sock: socket.socket, response: Response) -> socket.socket | None:
    """The connection, if another request may follow; a moment is left for what nobody asked for."""
    sock.settimeout(0.05)
    with contextlib.suppress(TimeoutError, *_CUT):
        response.surplus += sock.recv(_PIECE)
        sock.close()
        return None
    if response.complete and "close" not in (response.value("connection") or "").lower():
        return sock
    sock.close()
    return None


def abandoned(address: tuple[str, int], request: Request, after: float) -> Response:
    """A client that goes away after so many seconds, whatever came until then."""
    with contextlib.suppress(TimeoutError):
        return exchange(address, request, after)
    return Response(elapsed=after)


def _exchange(address: tuple[str, int], request: Request, response: Response, started: float, limit: float) -> None:
    """Send and receive at once: a gateway may answer before it has read everything. Not over TLS, where one thread
    at a time may use the connection."""
    with _connected(address, request, response, limit) as sock:
        if response.alpn == "h2":
            return Multiplexed(sock, [request], [response]).run(limit)
        sender = threading.Thread(target=_send, args=(sock, request), daemon=True)
        sender.start()
        if response.tls:
            sender.join(limit)
        try:
            _receive(sock, request.method, response, started, limit)
        finally:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # a sender that still waits ends now
            sender.join(limit)


def _send(sock: socket.socket, request: Request) -> None:
    head, payload = request.head(), request.payload()
    try:
        if request.slow is None:
            sock.sendall(head + payload)
        else:
            _send_slowly(sock, head, payload, request.slow)
    except OSError:
        return  # the gateway answered early and closed: the answer tells


def _send_slowly(sock: socket.socket, head: bytes, payload: bytes, slow: Slow) -> None:
    whole = head + payload
    begun = len(head) // 2 if slow.part == "head" else len(head) + len(payload) // 2
    sock.sendall(whole[:begun])
    for byte in whole[begun:] if slow.every else b"":
        time.sleep(slow.every)
        sock.sendall(bytes([byte]))


def _parser(method: str) -> h11.Connection:
    """A client-side parser that believes the request was sent."""
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    parser.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    parser.send(h11.EndOfMessage())
    return parser


def _receive(sock: socket.socket, method: str, response: Response, started: float, limit: float) -> None:
    parser = _parser(method)
    while True:
        try:
            event = parser.next_event()
        except h11.RemoteProtocolError:
            return  # cut in the middle, or no HTTP at all: not complete
        if event is h11.NEED_DATA:
            parser.receive_data(_read(sock, response, started, limit))
        elif isinstance(event, h11.Response):
            response.status = event.status_code
            response.headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in event.headers.raw_items()]
        elif isinstance(event, h11.Data):
            response.body += bytes(event.data)
            response.arrivals.append((time.monotonic() - started, len(response.body)))
        elif isinstance(event, h11.EndOfMessage):
            response.complete, response.surplus = True, parser.trailing_data[0]
            return
        elif isinstance(event, h11.ConnectionClosed):
            return


def _read(sock: socket.socket, response: Response, started: float, limit: float) -> bytes:
    left = limit - (time.monotonic() - started)
    if left <= 0:
        raise TimeoutError(f"the gateway took longer than {limit} s")
    sock.settimeout(left)
    data = sock.recv(_PIECE)
    if data and not response.first_byte:
        response.first_byte = time.monotonic() - started
    return data


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages that are sent over a WebSocket, `pause` seconds after the one before."""

    messages: tuple[str, ...]
    pause: float = 0


def converse(address: tuple[str, int], request: Request, talk: Conversation, limit: float = 10.0) -> Response:
    """A WebSocket: the handshake, then each message and the wait for its echo, then the close."""
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"))
    handshake = Request(request.method, request.target, (*request.headers, *upgrade, ("Sec-WebSocket-Key", key)))
    response, started = Response(), time.monotonic()
    cut = contextlib.suppress(OSError)  # or silent: `complete` and the messages tell
    with cut, request.connect(address, limit) as sock, sock.makefile("rb") as stream:
        sock.sendall(handshake.head())
        _read_head(stream, response)
        response.first_byte = time.monotonic() - started
        if response.status == 101:
            _talk(sock, stream, talk, response)
    response.elapsed = time.monotonic() - started
    return response


def _read_head(stream: BinaryIO, response: Response) -> None:
    status_line = stream.readline().split()
    response.status = int(status_line[1]) if len(status_line) > 1 else 0
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        response.headers.append((name, value.strip()))


def _talk(sock: socket.socket, stream: BinaryIO, talk: Conversation, response: Response) -> None:
    for message in talk.messages:
        time.sleep(talk.pause)
        sock.sendall(_frame(0x81, message.encode()))
        response.messages.append(_read_frame(stream))
    sock.sendall(_frame(0x88, b"\x03\xe8"))
    response.complete = stream.read(1) == b"\x88"


def _frame(first: int, payload: bytes) -> bytes:
    mask = os.urandom(4)
    return bytes([first, 0x80 | len(payload)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def _read_frame(stream: BinaryIO) -> str:
    """A text message shorter than 126 bytes: those of the tests are."""
    head = stream.read(2)
    return stream.read(head[1]).decode() if len(head) == 2 else ""
