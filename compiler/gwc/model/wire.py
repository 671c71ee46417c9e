"""What the whole model is asked and answers: requests and answers with their headers, and what the service received."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gwc.model.request import Outcome

Headers = tuple[tuple[str, str], ...]
Failure = Literal["", "refused", "unreachable", "reset", "hang", "cut"]


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request brings to prove who it is. `user` empty: it proves nothing. `scopes` None: all that are needed."""

    kind: Literal["jwt", "api_key"]
    user: str
    issuer: str = ""
    scopes: frozenset[str] | None = frozenset()
    audience: bool = True

    @property
    def key(self) -> str:
        """Users of different providers are different."""
        return f"{self.kind}:{self.issuer}:{self.user}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it comes from `peer`. `target` is raw, `time` in seconds since 1970, `body` in bytes."""

    time: float
    method: str
    host: str
    target: str
    headers: Headers = ()
    peer: str = "127.0.0.1"
    body: int = 0
    credentials: tuple[Credential, ...] = ()
    https: bool = False

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the service received with one try."""

    method: str
    target: str
    headers: Headers
    body: int
    time: float


@dataclass(frozen=True, slots=True)
class Script:
    """What the service does with one try. `delay` is before the first byte, `whole` until the last one, `silence` the
    longest between two; in seconds. `body` may depend on what arrived."""

    status: int = 200
    delay: float = 0.0
    whole: float = 0.0
    silence: float = 0.0
    headers: Headers = ()
    body: bytes | Callable[[Arrived], bytes] = b""
    fail: Failure = ""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer of the service, as far as it is kept and passed on. `cut`: it ended before it was whole."""

    status: int
    headers: Headers
    body: bytes
    cut: bool = False


@dataclass(slots=True)
class Exchange:
    """What a client sees, what the service received, and which checks decided.

    `problem` is the type of the problem document, also of one that stands for a service's own error.
    """

    outcome: Outcome
    status: int
    headers: Headers
    body: bytes = b""
    problem: str = ""
    seconds: float = 0.0
    cut: bool = False
    user: str = ""
    arrived: list[Arrived] = field(default_factory=list)


UNTOLD = frozenset({"date", "server", "connection", "keep-alive", "content-length", "transfer-encoding", "age"})
"""Headers of an answer that are the engine's own business: the model says nothing of them."""
UNTOLD_INSIDE = frozenset({
    "content-length", "transfer-encoding", "connection", "accept-encoding", "via", "x-forwarded-host", "x-real-ip",
    "x-forwarded-port", "forwarded", "te",
})  # fmt: skip
"""The same of what a service receives."""
HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip


def values(headers: Iterable[tuple[str, str]], name: str) -> list[str]:
    wanted = name.lower()
    return [value for key, value in headers if key.lower() == wanted]


def without(headers: Iterable[tuple[str, str]], names: Iterable[str]) -> Headers:
    removed = {name.lower() for name in names}
    return tuple(pair for pair in headers if pair[0].lower() not in removed)


def changed(headers: Iterable[tuple[str, str]], put: Sequence[tuple[str, str]], remove: Iterable[str] = ()) -> Headers:
    """Without `remove`, and with `put` in place of what had those names."""
    return (*without(headers, (*remove, *(name for name, _ in put))), *put)


def hops(headers: Headers) -> frozenset[str]:
    """The names that belong to one connection, with those that Connection lists."""
    listed = (name.strip().lower() for value in values(headers, "connection") for name in value.split(","))
    return HOP_BY_HOP | {name for name in listed if name}
