"""Who a request comes from, and the ids that it keeps."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

from gwc.ir import Accept, Gateway
from gwc.model.wire import Asked, values

_ID = re.compile(r"[A-Za-z0-9_.:-]{8,128}")
_TRACE = re.compile(r"00-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")


class Clients:
    """The word of trusted proxies, and of nobody else, counts."""

    def __init__(self, gateway: Gateway) -> None:
        self._trusted = [ip_network(one) for one in gateway.trusted_proxies]
        self._accept, self._header = gateway.request_id.accept, gateway.request_id.header
        self._made = 0

    def trusts(self, address: str) -> bool:
        return _is_address(address) and any(ip_address(address) in network for network in self._trusted)

    def address(self, asked: Asked) -> str:
        """The last of the chain that is no trusted proxy; one that names nobody is the client itself."""
        chain = [part.strip() for value in values(asked.headers, "x-forwarded-for") for part in value.split(",")]
        client = asked.peer
        while chain and self.trusts(client) and _is_address(chain[-1]):
            client = chain.pop()
        return client

    def forwarded(self, asked: Asked) -> tuple[tuple[str, str], ...]:
        """What the service is told of the way that the request came."""
        chain = values(asked.headers, "x-forwarded-for") if self.trusts(asked.peer) else []
        return ("X-Forwarded-For", ", ".join([*chain, asked.peer])), ("X-Forwarded-Proto", self.scheme(asked))

    def scheme(self, asked: Asked) -> str:
        """The one by which the client came."""
        said = values(asked.headers, "x-forwarded-proto") if self.trusts(asked.peer) else []
        return said[0].lower() if said else "https" if asked.https else "http"

    def request_id(self, asked: Asked) -> str:
        """The client's own where that is kept; otherwise a new one, which no other request has."""
        given = values(asked.headers, self._header)
        self._made += 1
        if self._keeps(asked) and len(given) == 1 and _ID.fullmatch(given[0]):
            return given[0]
        return f"{self._made:032x}"

    def traceparent(self, asked: Asked) -> str:
        given = values(asked.headers, "traceparent")
        found = _TRACE.fullmatch(given[0]) if len(given) == 1 and self._keeps(asked) else None
        trace, flags = (found[1], found[2]) if found else (f"{self._made:032x}", "01")
        return f"00-{trace}-{self._made:016x}-{flags}"

    def _keeps(self, asked: Asked) -> bool:
        if self._accept is Accept.FROM_TRUSTED_PROXIES:
            return self.trusts(asked.peer)
        return self._accept is Accept.ALWAYS


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
