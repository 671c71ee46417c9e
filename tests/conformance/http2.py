"""HTTP/2 as a client speaks it: all requests at once on one connection, each on a stream of its own."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import hpack

if TYPE_CHECKING:
    from conformance.client import Request, Response

_PIECE = 64 * 1024
_CONFIG = h2.config.H2Configuration(
    client_side=True, header_encoding="latin-1", validate_outbound_headers=False, normalize_outbound_headers=False
)
"""What a scenario sends may be wrong; what comes back is held against the standard."""


class _Plain(hpack.Encoder):
    """Without Huffman's code, which takes seconds for the very long headers of some scenarios."""

    def encode(self, headers: Any, huffman: bool = False) -> bytes:
        return super().encode(headers, huffman)


class Multiplexed:
    """One connection. The answers come in the order of the requests; one without an end is not `complete`."""

    def __init__(self, sock: socket.socket, requests: Sequence[Request], responses: Sequence[Response]) -> None:
        self._sock, self._started = sock, time.monotonic()
        self._connection = h2.connection.H2Connection(_CONFIG)
        self._connection.encoder = _Plain()
        self._waiting = list(zip(requests, responses, strict=True))
        self._open: dict[int, Response] = {}
        self._bodies: dict[int, bytes] = {}

    def run(self, limit: float) -> None:
        """TimeoutError beyond `limit` seconds. Answers that break HTTP/2 end the connection."""
        self._connection.initiate_connection()
        try:
            while self._waiting or self._open:
                self._begin()
                self._push()
                self._flush()
                if not self._receive(limit):
                    return
        except h2.exceptions.ProtocolError:
            return
        finally:
            for response in self._open.values():
                response.elapsed = time.monotonic() - self._started
        self._connection.close_connection()
        self._flush()

    def _begin(self) -> None:
        """As many as the gateway allows at once."""
        allowed = self._connection.remote_settings.max_concurrent_streams
        while self._waiting and len(self._open) < min(allowed, 100):
            request, response = self._waiting.pop(0)
            stream = self._connection.get_next_available_stream_id()
            self._connection.send_headers(stream, _fields(request), end_stream=not request.body)
            self._open[stream] = response
            if request.body:
                self._bodies[stream] = request.body

    def _push(self) -> None:
        """All that the windows have room for: nobody says anything more before they are full."""
        for stream in list(self._bodies):
            while stream in self._bodies and (room := self._room(stream)):
                piece, rest = self._bodies[stream][:room], self._bodies[stream][room:]
                self._connection.send_data(stream, piece, end_stream=not rest)
                self._bodies[stream] = rest
                if not rest:
                    del self._bodies[stream]

    def _room(self, stream: int) -> int:
        """In the windows, and in a frame."""
        return min(self._connection.local_flow_control_window(stream), self._connection.max_outbound_frame_size)

    def _flush(self) -> None:
        self._sock.sendall(self._connection.data_to_send())

    def _receive(self, limit: float) -> bool:
        """False when the gateway has closed the connection."""
        left = limit - (time.monotonic() - self._started)
        if left <= 0:
            raise TimeoutError(f"the gateway took longer than {limit} s")
        self._sock.settimeout(left)
        data = self._sock.recv(_PIECE)
        events = self._connection.receive_data(data) if data else []
        for event in events:
            self._handle(event)
        return bool(data) and not any(map(_gone, events))

    def _handle(self, event: h2.events.Event) -> None:
        stream = getattr(event, "stream_id", 0)
        response, now = self._open.get(stream or 0), time.monotonic() - self._started
        if isinstance(event, h2.events.DataReceived):
            self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if response is None:
            return
        response.first_byte = response.first_byte or now
        if isinstance(event, h2.events.ResponseReceived):
            fields = [(str(name), str(value)) for name, value in event.headers]
            response.status = int(dict(fields)[":status"])
            response.headers = [(name, value) for name, value in fields if not name.startswith(":")]
        elif isinstance(event, h2.events.DataReceived):
            response.body += event.data
            response.arrivals.append((now, len(response.body)))
        elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
            response.complete, response.elapsed = isinstance(event, h2.events.StreamEnded), now
            self._bodies.pop(event.stream_id, None)
            del self._open[event.stream_id]


def _gone(event: h2.events.Event) -> bool:
    """The gateway gives the connection up, and not because it has served its time."""
    return isinstance(event, h2.events.ConnectionTerminated) and event.error_code != 0


def _fields(request: Request) -> list[tuple[str, str]]:
    """The host becomes the authority; a scenario that wants both, or none, says so among its headers."""
    hosts = [value for name, value in request.headers if name == "Host"]
    pseudo = [(":method", request.method), (":scheme", "https"), (":path", request.target)]
    pseudo += [(":authority", hosts[0])] if hosts else []
    return [*pseudo, *((name.lower(), value) for name, value in request.headers if name != "Host")]
