"""Bytes by name, for a while, that several processes share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Store(Protocol):
    """A store that does not answer has nothing and keeps nothing; it never raises for that."""

    async def get(self, name: str) -> bytes | None: ...

    async def set(self, name: str, value: bytes, seconds: float) -> None: ...

    async def push(self, name: str, value: bytes, seconds: float, at_most: int) -> None:
        """Onto a list, of which only the newest `at_most` stay. Each push makes the whole list last longer."""

    async def pushed(self, name: str) -> Sequence[bytes]:
        """The newest first."""

    def alone(self, name: str, seconds: float) -> AbstractAsyncContextManager[None]:
        """Held by one at a time over all processes, and by nobody for more than `seconds`."""

    async def aclose(self) -> None: ...


def named(kind: str, *parts: str) -> str:
    """A name that tells nothing of its parts, and in which no two lists of parts are the same."""
    return f"gwc:{kind}:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"
