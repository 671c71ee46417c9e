"""The flood's client counts each answer once, however it arrives, and the search finds where what is kept begins."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

import keys

ANSWER = b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("size", [1, 2, 7, 11, 12, 13, 45, 1000])
def test_answers_in_pieces(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(socket, "create_connection", lambda *_: ours)
    monkeypatch.setattr(keys, "MIB", size)
    lane = keys.Lane(1)
    with ours, theirs:
        assert lane.send(iter(["a", "b", "c"])) == 3
        assert theirs.recv(10_000).count(b"GET /key") == 3
        theirs.sendall(b"".join(ANSWER % status for status in (200, 429, 500)))
        assert list(lane.receive()) == [200, 429, 500]


def test_a_gateway_that_hangs_up_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(socket, "create_connection", lambda *_: ours)
    lane = keys.Lane(1)
    with ours:
        lane.send(iter(["a", "b"]))
        theirs.recv(10_000)
        theirs.sendall(ANSWER % 200)
        theirs.close()
        with pytest.raises(ConnectionError, match="1 answers to go"):
            list(lane.receive())


@pytest.mark.parametrize("lost", [0, 1, 499, 999, 1000])
def test_the_first_key_that_is_kept(lost: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(port: int, asked: Sequence[str]) -> list[int]:
        return [429 if int(key.removeprefix("flood-")) >= lost else 200 for key in asked]

    monkeypatch.setattr(keys, "statuses", answers)
    assert keys.first_kept(1, 1000) == lost
