"""What the scripted upstream does with a request: told by the request itself, in one header that gateways pass on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SCRIPT_HEADER = "X-Test-Script"
KEY_HEADER = "X-Test-Key"

Failure = Literal["reset", "close", "hang", "reset_mid", "close_mid", "close_after", "garbage"]


class Script(BaseModel):
    """One answer. Without `body`, `size`, `chunks` or `events` it is the echo of the request as JSON,
    with `pad` bytes of filler.

    `delay` is waited before the first byte, `every` before each chunk or event; both in seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: int = Field(200, ge=200, le=599)
    delay: float = Field(0, ge=0, le=30)
    headers: list[tuple[str, str]] = []
    type: str = "application/json"
    body: str | None = None
    pad: int = Field(0, ge=0, le=2**20)
    size: int | None = Field(None, ge=0, le=64 * 2**20)
    chunks: int | None = Field(None, ge=1, le=1000)
    events: int | None = Field(None, ge=1, le=1000)
    every: float = Field(0, ge=0, le=30)
    fail: Failure | None = None

    @property
    def framed(self) -> bool:
        """Sent in chunks, as they become ready."""
        return self.chunks is not None or self.events is not None


def encode(scripts: Sequence[Script]) -> str:
    """The header's value: one script an attempt, the last one for all further attempts."""
    return json.dumps([script.model_dump(exclude_defaults=True) for script in scripts], separators=(",", ":"))


def decode(value: str) -> list[Script]:
    return [Script.model_validate(entry) for entry in json.loads(value)] or [Script()]
