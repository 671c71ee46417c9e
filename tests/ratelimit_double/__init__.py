"""A double of the rate limit service, and the Redis that stores what gateways count together.

The double speaks the protocol of `envoy.service.ratelimit.v3` and reads the configuration that gwc emits for the real
service. It counts as that does: one Redis counter for each descriptor and window of the clock; a refused request adds
nothing to the counters that had room for it (`STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT`), and its whole cost to the
others.
"""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import grpc

from ports import free_port
from ratelimit_double.messages import OK, OVER_LIMIT, UNITS, Request, Response

METHOD = "envoy.service.ratelimit.v3.RateLimitService"
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_STARTS_WITHIN = 10.0


def redis_missing() -> str | None:
    """Why no Redis can run here, or None."""
    return None if shutil.which("redis-server") else "redis-server is not installed (apt-get install redis-server)"


@dataclass
class Redis:
    """Debian's redis-server on a free loopback port, with a password and nothing on disk. It can go and come back."""

    password: str = ""
    port: int = field(default_factory=free_port)
    certificate: Path | None = None
    """PEM, with its key beside it as .key: TLS alone is spoken then."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """Its host has a name: OpenResty verifies names alone, no addresses."""
        return f"rediss://localhost:{self.port}" if self.certificate else f"redis://127.0.0.1:{self.port}"

    def start(self) -> Self:
        self._process = subprocess.Popen(
            ["redis-server", "-", *self._listener(), "--bind", "127.0.0.1", "--save", ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),
        )
        assert self._process.stdin is not None
        with self._process.stdin as pipe:  # a password on the command line would be everybody's
            pipe.write(f"requirepass {json.dumps(self.password)}\n".encode() if self.password else b"\n")
        deadline = time.monotonic() + _STARTS_WITHIN
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self.command("PING") == b"PONG":
                    return self
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError("redis-server did not start")

    def _listener(self) -> list[str]:
        if self.certificate is None:
            return ["--port", str(self.port)]
        files = [str(self.certificate), "--tls-key-file", str(self.certificate.with_suffix(".key"))]
        return ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no", "--tls-cert-file", *files]

    def _connected(self) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self.port), 1)
        if self.certificate is None:
            return plain
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE  # it is ours
        return trusting.wrap_socket(plain)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    def command(self, *words: object) -> Any:
        """One command on a connection of its own. Raises OSError when nobody answers."""
        with self._connected() as sock, sock.makefile("rb") as replies:
            if self.password:
                sock.sendall(_encoded("AUTH", self.password))
                replies.readline()
            sock.sendall(_encoded(*words))
            return _reply(replies.readline, replies.read)


def _encoded(*words: object) -> bytes:
    texts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%s\r\n" % (len(t), t) for t in texts)


def _reply(line: Callable[[], bytes], read: Callable[[int], bytes]) -> Any:
    head = line()
    if not head:
        raise ConnectionError("Redis hung up")
    kind, rest = head[:1], head[1:-2]
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else read(int(rest) + 2)[:-2]
    if kind == b"*":
        return [_reply(line, read) for _ in range(int(rest))]
    if kind == b"-":
        raise RuntimeError(rest.decode())
    return rest


@dataclass
class RateLimitService:
    """The double on a free loopback port. `asked` counts the requests that it has answered."""

    configuration: Path
    redis: Redis
    port: int = field(default_factory=free_port)
    asked: int = 0
    _server: grpc.Server | None = None

    def start(self) -> Self:
        handler = grpc.unary_unary_rpc_method_handler(
            self._answer, request_deserializer=Request.FromString, response_serializer=Response.SerializeToString
        )
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(METHOD, {"ShouldRateLimit": handler}),)
        )
        assert self._server.add_insecure_port(f"127.0.0.1:{self.port}") == self.port
        self._server.start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(0).wait()

    def _answer(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.asked += 1
        try:
            return self._judged(request)
        except OSError:
            context.abort(grpc.StatusCode.UNKNOWN, "the store does not answer")

    def _judged(self, request: Any) -> Any:
        configured = json.loads(self.configuration.read_text())
        assert request.domain == configured["domain"]
        now = int(time.time())
        counters = [_counter(configured, d, max(1, request.hits_addend), now) for d in request.descriptors]
        spent = [int(self.redis.command("GET", c.key) or 0) if c else 0 for c in counters]
        full = [c is not None and used + c.hits > c.limit for c, used in zip(counters, spent, strict=True)]
        response = Response(overall_code=OK)
        for counter, over in zip(counters, full, strict=True):
            self._count(response.statuses.add(code=OK), counter, over or not any(full), now)
        if any(status.code == OVER_LIMIT for status in response.statuses):
            response.overall_code = OVER_LIMIT
        return response

    def _count(self, status: Any, counter: Counter | None, takes: bool, now: int) -> None:
        if counter is None:
            return
        used = int(self.redis.command("INCRBY", counter.key, counter.hits if takes else 0) or 0)
        self.redis.command("EXPIRE", counter.key, counter.window)
        status.current_limit.requests_per_unit, status.current_limit.unit = counter.limit, UNITS[counter.unit]
        status.limit_remaining = max(0, counter.limit - used)
        status.duration_until_reset.seconds = counter.window - now % counter.window
        status.code = OVER_LIMIT if used > counter.limit else OK


@dataclass(frozen=True)
class Counter:
    key: str
    limit: int
    unit: str
    hits: int

    @property
    def window(self) -> int:
        return _SECONDS[self.unit]


def _counter(configured: dict[str, Any], descriptor: Any, hits: int, now: int) -> Counter | None:
    """What the configuration says of the descriptor, whose entries must all match; None: nothing, so no limit."""
    node: dict[str, Any] | None = configured
    for entry in descriptor.entries:
        below = node.get("descriptors", []) if node else []
        named = [d for d in below if d["key"] == entry.key and d.get("value") == entry.value]
        node = next(iter([*named, *(d for d in below if d["key"] == entry.key and "value" not in d)]), None)
    if node is None or "rate_limit" not in node:
        return None
    unit, limit = node["rate_limit"]["unit"], node["rate_limit"]["requests_per_unit"]
    if descriptor.HasField("hits_addend"):
        hits = descriptor.hits_addend.value
    names = "_".join(f"{entry.key}_{entry.value}" for entry in descriptor.entries)
    return Counter(f"{configured['domain']}_{names}_{now // _SECONDS[unit]}", limit, unit, hits)
