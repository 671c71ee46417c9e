"""Server-sent events as a client gets them, with when they came."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Streamed:
    """`seconds` has, for each piece that arrived, when that was after the first.

    `one_by_one`: whether the model's first word was here before it was let go on; None where it could not be held.
    """

    response: httpx.Response
    text: str = ""
    seconds: list[float] = field(default_factory=list)
    one_by_one: bool | None = None

    @property
    def events(self) -> list[tuple[str, Any]]:
        return list(events_in(self.text))

    @property
    def kinds(self) -> list[str]:
        """The names of the events, each run of the same name once."""
        names = [name for name, _ in self.events]
        return [name for name, before in zip(names, ["", *names], strict=False) if name != before]

    def of(self, kind: str) -> list[Any]:
        return [data for name, data in self.events if name == kind]


def streamed(
    edge: httpx.Client, path: str, body: Any, headers: dict[str, str], gate: threading.Event | None
) -> Streamed:
    """Reads all of it. `gate` is opened once the first word of the answer has arrived."""
    sent = headers | {"Accept": "text/event-stream"}
    with edge.stream("POST", path, json=body, headers=sent) as response:
        found, began = Streamed(response), 0.0
        for piece in response.iter_text():
            began = began or time.monotonic()
            found.text += piece
            found.seconds.append(time.monotonic() - began)
            if gate is not None and not gate.is_set() and "event: delta" in found.text:
                found.one_by_one = found.text.count("event: delta") == 1
                gate.set()
    return found


def events_in(text: str) -> Iterator[tuple[str, Any]]:
    for block in text.split("\n\n"):
        if block:
            name, data = block.split("\n")
            yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))
