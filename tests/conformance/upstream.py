"""The service behind the gateways: it does what the request's script says and remembers what it saw.

Plain asyncio over sockets, because half of what it must do is against HTTP. Everything listens on loopback, on ports
that the kernel chose.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import socket
import ssl
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from conformance.script import KEY_HEADER, SCRIPT_HEADER, Script, decode
from conformance.tokens import ISSUERS, key_set

MOVED = "127.0.0.7"
"""Where instance MOVED listens, on the port of A."""
MARK = re.compile(r"case-[0-9a-f]{12}")
"""In the path of a request whose headers do not reach the service: tells which case it belongs to."""
_MAX_HEAD = 256 * 1024
_MAX_BODY = 64 * 2**20
_HANG = 60.0  # seconds; longer than any timeout under test
_WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived. `target` is raw, `attempt` counts from 0 for its key, `at` is in monotonic seconds."""

    instance: str
    attempt: int
    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    at: float

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def value(self, name: str) -> str | None:
        return next(iter(self.values(name)), None)

    @property
    def path(self) -> str:
        return self.target.split("?", 1)[0]


@dataclass(slots=True)
class Recorder:
    """What all instances saw, by the key of the case. Written by the servers' thread, read by the tests'.

    `health` is the status with which an instance answers what is no test's request: the gateways' active checks.
    """

    health: dict[str, int] = field(default_factory=dict)
    _marked: dict[str, tuple[str, Sequence[Script]]] = field(default_factory=dict)
    _seen: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    _running: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _peak: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def mark(self, mark: str, key: str, scripts: Sequence[Script]) -> None:
        """From now on a request with `mark` in its target counts for `key` and is answered by `scripts`."""
        with self._lock:
            self._marked[mark] = (key, scripts)

    def marked(self, target: str) -> tuple[str, Sequence[Script]] | None:
        found = MARK.search(target)
        with self._lock:
            return self._marked.get(found[0]) if found else None

    def begin(self, key: str, seen: Seen) -> Seen:
        with self._lock:
            numbered = replace(seen, attempt=len(self._seen[key]))
            self._seen[key].append(numbered)
            self._running[key] += 1
            self._peak[key] = max(self._peak[key], self._running[key])
            return numbered

    def end(self, key: str) -> None:
        with self._lock:
            self._running[key] -= 1

    @contextlib.contextmanager
    def healthy(self) -> Iterator[None]:
        """Whatever the case does to the instances' health ends with it."""
        try:
            yield
        finally:
            self.health.clear()

    def seen(self, key: str) -> list[Seen]:
        with self._lock:
            return list(self._seen[key])

    def peak(self, key: str) -> int:
        """The most requests in flight at once."""
        with self._lock:
            return self._peak[key]


class _MalformedError(Exception):
    """The client (the gateway under test) sent no readable HTTP; the connection is closed."""


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, instance: str) -> Seen | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as stopped:
        if stopped.partial:
            raise _MalformedError("the head is cut") from None
        return None
    request_line, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, version = request_line.split(" ")
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    seen = Seen(instance, 0, method, target, version, headers, b"", time.monotonic())
    if (seen.value("expect") or "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return replace(seen, body=await _read_body(reader, seen))


async def _read_body(reader: asyncio.StreamReader, seen: Seen) -> bytes:
    if "chunked" in (seen.value("transfer-encoding") or "").lower():
        return await _read_chunked(reader)
    length = int(seen.value("content-length") or 0)
    if length > _MAX_BODY:
        raise _MalformedError("the body is too large for a test")
    return await reader.readexactly(length)


async def _read_chunked(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
        if len(body) > _MAX_BODY:
            raise _MalformedError("the body is too large for a test")
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return body


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _echo(seen: Seen, pad: int) -> bytes:
    return json.dumps(
        {
            "instance": seen.instance,
            "attempt": seen.attempt,
            "method": seen.method,
            "target": seen.target,
            "headers": seen.headers,
            "body_length": len(seen.body),
            "body_sha256": hashlib.sha256(seen.body).hexdigest(),
            **({"pad": "p" * pad} if pad else {}),
        }
    ).encode()


def _body(script: Script, seen: Seen) -> bytes:
    if script.size is not None:
        return b"x" * script.size
    return _echo(seen, script.pad) if script.body is None else script.body.encode()


def _head(script: Script, seen: Seen, framing: tuple[str, str]) -> bytes:
    headers = [("Content-Type", "text/event-stream" if script.events else script.type), ("X-Instance", seen.instance)]
    lines = [f"HTTP/1.1 {script.status} Scripted"]
    lines += [f"{name}: {value}" for name, value in (*headers, framing, *script.headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class _Connection:
    """One connection from a gateway: requests one after the other."""

    def __init__(self, instance: str, recorder: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._instance, self._recorder, self._reader, self._writer = instance, recorder, reader, writer

    async def serve(self) -> None:
        while (seen := await _read_request(self._reader, self._writer, self._instance)) is not None:
            key, scripts = self._told(seen)
            seen = self._recorder.begin(key, seen)
            try:
                if not await self._answer(scripts[min(seen.attempt, len(scripts) - 1)], seen):
                    return
            finally:
                self._recorder.end(key)

    def _told(self, seen: Seen) -> tuple[str, Sequence[Script]]:
        """Whose request it is and what to do with it: by its own headers, or by the mark in its path."""
        key, script = seen.value(KEY_HEADER), seen.value(SCRIPT_HEADER)
        if key is not None or script is not None:
            return key or "", decode(script or "[]")
        return self._recorder.marked(seen.target) or ("", [self._check(seen)])

    def _check(self, seen: Seen) -> Script:
        """The answer to what no test sent: a gateway's health check, or its request for an issuer's keys."""
        issuer = seen.path.removeprefix("/keys/").removesuffix(".json")
        if issuer in ISSUERS:
            return Script(body=json.dumps(key_set(issuer)))
        return Script(status=self._recorder.health.get(self._instance, 200))

    async def _answer(self, script: Script, seen: Seen) -> bool:
        """True while the connection can carry another request."""
        await asyncio.sleep(script.delay)
        if script.fail in ("reset", "close", "hang", "garbage"):
            return await self._fail_before(script)
        if (seen.value("upgrade") or "").lower() == "websocket" and script == Script():
            return await self._websocket(seen)
        if script.framed:
            await self._send_framed(script, seen)
        else:
            await self._send_whole(script, seen)
        return script.fail is None

    async def _fail_before(self, script: Script) -> bool:
        if script.fail == "reset":
            _reset(self._writer)
        elif script.fail == "hang":
            await asyncio.sleep(_HANG)
        elif script.fail == "garbage":
            self._writer.write(b"this is not HTTP\r\n\r\n")
            await self._writer.drain()
        return False

    async def _send_whole(self, script: Script, seen: Seen) -> None:
        body = _body(script, seen)
        self._writer.write(_head(script, seen, ("Content-Length", str(len(body)))))
        if seen.method == "HEAD" or script.status in (204, 304):
            body = b""
        cut = script.fail in ("reset_mid", "close_mid")
        self._writer.write(body[: len(body) // 2] if cut else body)
        await self._writer.drain()
        await self._fail_mid(script)

    async def _send_framed(self, script: Script, seen: Seen) -> None:
        self._writer.write(_head(script, seen, ("Transfer-Encoding", "chunked")))
        await self._writer.drain()
        for number in range(script.events or script.chunks or 0):
            await asyncio.sleep(script.every if number else 0)
            text = f"data: event {number}\n\n" if script.events else f"chunk {number}\n"
            self._writer.write(f"{len(text):x}\r\n{text}\r\n".encode())
            await self._writer.drain()
        await self._fail_mid(script)
        if script.fail in (None, "close_after"):
            self._writer.write(b"0\r\n\r\n")
            await self._writer.drain()

    async def _fail_mid(self, script: Script) -> None:
        if script.fail == "reset_mid":
            await asyncio.sleep(0.05)  # the part that was sent must not be overtaken by the reset
            _reset(self._writer)

    async def _websocket(self, seen: Seen) -> bool:
        key = (seen.value("sec-websocket-key") or "") + _WEBSOCKET_GUID
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode()
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._writer.write(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        while True:
            first, length = await self._reader.readexactly(2)
            mask, size = await self._reader.readexactly(4), length & 0x7F
            payload = bytes(b ^ mask[i % 4] for i, b in enumerate(await self._reader.readexactly(size)))
            self._writer.write(bytes([first, size]) + payload)  # messages of tests are shorter than 126 bytes
            await self._writer.drain()
            if first & 0x0F == 8:  # close
                return False


class Upstream:
    """Instances A, B, C and MOVED of the scripted service, those behind TLS that `tls` names, and three dead ends."""

    INSTANCES = ("A", "B", "C")

    def __init__(self, tls: Mapping[str, ssl.SSLContext] | None = None) -> None:
        self.recorder = Recorder()
        self.ports: dict[str, int] = {}
        self._tls = tls or {}
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="upstream", daemon=True)

    def __enter__(self) -> Upstream:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        self.ports["DEAD"] = self._bound().getsockname()[1]
        self.ports["BLACKHOLE"] = self._black_hole()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        for sock in self._sockets:
            sock.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _open(self) -> None:
        for name in self.INSTANCES:
            await self._listen(name, None)
        for name, context in self._tls.items():
            await self._listen(name, context)
        await self._listen("MOVED", None, (MOVED, self.ports["A"]))
        server = await asyncio.start_server(self._slam, "127.0.0.1", 0)
        self._servers.append(server)
        self.ports["SLAM"] = server.sockets[0].getsockname()[1]

    async def _listen(self, name: str, tls: ssl.SSLContext | None, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(_Connection(name, self.recorder, reader, writer), writer)

        server = await asyncio.start_server(connected, *address, limit=_MAX_HEAD, ssl=tls, backlog=1024)
        self._servers.append(server)
        self.ports[name] = server.sockets[0].getsockname()[1]

    async def _serve(self, connection: _Connection, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await connection.serve()
        except (_MalformedError, ValueError, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()  # a gateway that gave up, a stop of the test, or no HTTP: nobody is listening
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(OSError):
                writer.close()

    async def _slam(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Close every connection as soon as it was accepted."""
        _reset(writer)

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _bound(self) -> socket.socket:
        """A port that refuses connections, and that nobody else can take meanwhile."""
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        self._sockets.append(sock)
        return sock

    def _black_hole(self) -> int:
        """A port on which connecting never ends: its backlog is full, so the kernel drops every further SYN."""
        sock = self._bound()
        sock.listen(0)
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname())
            self._sockets.append(filler)
        return int(sock.getsockname()[1])
