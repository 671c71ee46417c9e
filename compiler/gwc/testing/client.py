"""One request to a gateway, with the target and the headers as a test says."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, IncompleteRead

from gwc.testing.plan import Ask
from gwc.testing.seen import Headers


@dataclass(frozen=True, slots=True)
class Response:
    """`status` 0: the connection ended without an answer."""

    status: int
    headers: Headers = ()
    body: bytes = b""


def send(address: tuple[str, int], ask: Ask, source: str, proof: Iterable[tuple[str, str]], limit: float) -> Response:
    """From the address `source`, with headers that prove who asks. Raises OSError when the gateway cannot be reached
    from there, and TimeoutError after `limit` seconds."""
    connection = HTTPConnection(*address, timeout=limit, source_address=(source, 0))
    connection.connect()
    try:
        return _asked(connection, ask, proof)
    finally:
        connection.close()


def _asked(connection: HTTPConnection, ask: Ask, proof: Iterable[tuple[str, str]]) -> Response:
    connection.putrequest(ask.method, ask.target, skip_host=True, skip_accept_encoding=True)
    for name, value in (("Host", ask.host), *proof, *ask.headers):
        connection.putheader(name, value.encode("utf-8"))
    if ask.body or ask.method in ("POST", "PUT", "PATCH"):
        connection.putheader("Content-Length", str(len(ask.body)))
    with suppress(BrokenPipeError, ConnectionResetError):  # it answered before it had read everything
        connection.endheaders(ask.body or None)
    return _answer(connection)


def _answer(connection: HTTPConnection) -> Response:
    try:
        response = connection.getresponse()
        headers = tuple(response.getheaders())
        try:
            return Response(response.status, headers, response.read())
        except (IncompleteRead, ConnectionError) as cut:
            return Response(response.status, headers, cut.partial if isinstance(cut, IncompleteRead) else b"")
    except (HTTPException, ConnectionError):
        return Response(0)
