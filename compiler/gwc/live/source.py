"""The running configuration of a gateway: from its admin listener, or from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

from gwc.live.tree import Tree
from gwc.target import Artifact, Target

PREFIX = "live:"
TIMEOUT = 30.0
LARGEST = 256 * 1024 * 1024
"""Bytes of a running configuration. Envoy repeats itself: some megabytes are usual."""


class LiveError(Exception):
    """A gateway that does not answer, or an answer that is no configuration; the message never quotes it."""


@dataclass(frozen=True, slots=True)
class Running:
    """`unseen` are files of the output that the gateway does not show in this way."""

    tree: Tree
    unseen: tuple[str, ...] = ()


class Reader(Protocol):
    """How one target's running configuration is read."""

    path: str | None
    """What is asked for below the URL of the admin listener; None where only a file is read."""

    def recognises(self, text: str) -> bool:
        """Whether this is a configuration of this target's engine."""

    def wanted(self, artifact: Artifact) -> Tree:
        """What the policies ask for, in normal form."""

    def running(self, text: str, artifact: Artifact) -> Running:
        """What the gateway has, in the same form. Raises LiveError."""


@runtime_checkable
class ShowsRunning(Protocol):
    """A target whose running gateway can be compared with its policies."""

    @property
    def live(self) -> Reader: ...


def fetched(where: str, targets: Sequence[Target]) -> tuple[Target, str]:
    """The target whose engine it is, and its configuration. `where` is a URL or a file. Raises LiveError."""
    readers = {target.name: target.live for target in targets if isinstance(target, ShowsRunning)}
    by_name = {target.name: target for target in targets}
    if "://" in where:
        name, text = _asked(where, readers)
    else:
        text = _file(where)
        name = next((name for name, reader in readers.items() if reader.recognises(text)), "")
    if not name:
        raise LiveError(f"{_shown(where)} is no running configuration of {', '.join(readers)}")
    return by_name[name], text


def _asked(where: str, readers: Mapping[str, Reader]) -> tuple[str, str]:
    if urlsplit(where).scheme not in ("http", "https"):
        raise LiveError(f"{_shown(where)} is neither http nor https")
    for name, reader in readers.items():
        if reader.path is not None:
            text = _get(where.rstrip("/") + reader.path)
            if text is not None and reader.recognises(text):
                return name, text
    return "", ""


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_more: object) -> None:
        """An admin listener answers itself."""


_OPENER = build_opener(ProxyHandler({}), _NoRedirect)


def _get(url: str) -> str | None:
    """The text; None where there is no such path. Raises LiveError."""
    try:
        with _OPENER.open(url, timeout=TIMEOUT) as response:
            data: bytes = response.read(LARGEST + 1)
    except HTTPError:
        return None
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise LiveError(f"{_shown(url)} does not answer: {type(error).__name__}") from error
    return _decoded(data, url)


def _file(where: str) -> str:
    try:
        with Path(where).open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise LiveError(f"{where}: {error.strerror}") from error
    return _decoded(data, where)


def _decoded(data: bytes, where: str) -> str:
    if len(data) > LARGEST:
        raise LiveError(f"{_shown(where)} is larger than {LARGEST // 2**20} MiB")
    return data.decode("utf-8", errors="replace")


def _shown(where: str) -> str:
    """Without a user's name and password."""
    return where.rpartition("@")[2] if "://" in where and "@" in where else where
