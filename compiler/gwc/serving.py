"""Gateways that go on serving while their configuration is replaced, as `gwc run` needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from gwc.target import Binary


@dataclass(frozen=True, slots=True)
class Place:
    """`directory` holds the artifact's files with its secrets; `environ` is added to the environment.

    `log` is an open file descriptor that gets the access log.
    """

    directory: Path
    environ: Mapping[str, str]
    log: int


class Served(Protocol):
    """A gateway that answers on its listeners."""

    @property
    def ended(self) -> str | None:
        """Why it has ended, in words that a user may see; None while it runs."""

    def reload(self) -> None:
        """Take up the files that are in its directory now, and return once new requests meet them.

        No request in flight is lost. Raises RuntimeError with a redacted reason; what was served before then goes on.
        """

    def stop(self, patience: float) -> None:
        """Take no new requests, let those in flight end for up to `patience` seconds, and end with all workers."""


@runtime_checkable
class Serves(Protocol):
    """An engine that can do so."""

    def serve(self, binary: Binary, place: Place) -> Served:
        """Start it and return once it is ready. Raises RuntimeError with a redacted reason."""
