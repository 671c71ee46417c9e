"""Hosts, URLs, networks and origins as the language spells them. Text in, values out, or a ValueError.

Without pydantic, as `gwc.policy.texts`.
"""

from __future__ import annotations

import re

from gwc.frozen import dataclass
from gwc.policy.texts import SecretValueError, shorten

_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*\Z")
_NUMERIC = re.compile(r"[0-9.]+\Z")
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}\Z")


def parse_host(text: str) -> str:
    """A lower-case DNS name or an IP address; raises ValueError."""
    lower = text.lower()
    if _is_name(lower) or is_ipv4(lower):
        return lower
    import ipaddress  # for what is neither, an IPv6 address before all: its import costs more than all the rest

    try:
        # ipaddress admits any text at all as a zone behind %.
        return str(ipaddress.ip_address("" if "%" in lower else lower))
    except ValueError:
        raise ValueError(f"{shorten(text)!r} is not a host name or IP address, such as api.example.com") from None


def is_ipv4(text: str) -> bool:
    """An IPv4 address as `parse_host` leaves it: four numbers without leading zeros."""
    return _IPV4.match(text) is not None


def _is_name(lower: str) -> bool:
    return len(lower) <= 253 and _HOST.match(lower) is not None and not _NUMERIC.match(lower)


@dataclass(frozen=True, slots=True)
class HostPort:
    host: str
    port: int


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ValueError(f"{shorten(text)!r} is not a port from 1 to 65535")
    return int(text)


def parse_host_port(text: str) -> HostPort:
    """`host:port` or `[ipv6]:port`; raises ValueError."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]/@?#\s]+)):([0-9]+)", text)
    if match is None:
        raise ValueError(f"{shorten(text)!r} is not host:port, such as 127.0.0.1:9901")
    return HostPort(parse_host(match[1] or match[2]), _port(match[3]))


def bound_to_ip(address: HostPort) -> HostPort:
    """A socket binds an IP address, and gateways do not all look names up; raises ValueError for another name."""
    if address.host == "localhost":
        return HostPort("127.0.0.1", address.port)
    if is_ipv4(address.host):
        return address
    import ipaddress

    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        raise ValueError(f"{address.host!r} is a name; a listener needs an IP address") from None
    return address


@dataclass(frozen=True, slots=True)
class Url:
    """An origin: no user, query or fragment. `path` is "" where the place forbids one."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


_DEFAULT_PORTS = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379}
_URL_HINT = "a policy names secrets and never holds them: take credentials out, and change them if they were real"
_URL = re.compile(r"([a-z]+)://(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]/@?#\s]+))(?::([0-9]+))?(/[A-Za-z0-9_.~/%-]*)?\Z")


def parse_url(text: str, schemes: tuple[str, ...]) -> Url:
    """Raises ValueError for anything but a bare URL of one of `schemes`."""
    match, wanted = _URL.match(text), " or ".join(f"{scheme}://host:port" for scheme in schemes)
    if "@" in text or "?" in text or "#" in text:
        raise SecretValueError(f"a URL here is {wanted}, without user, password, query and fragment", _URL_HINT)
    if match is None or match[1] not in schemes or len(text) > 400:
        raise ValueError(f"{shorten(text)!r} is not {wanted}")
    port = _port(match[4]) if match[4] else _DEFAULT_PORTS[match[1]]
    if match[2] is not None and ":" not in match[2]:
        raise ValueError(f"{shorten(text)!r}: brackets hold an IPv6 address")
    return Url(match[1], parse_host(match[2] or match[3]), port, match[5] or "")


def network(text: str) -> str:
    import ipaddress

    try:
        if "%" in text:
            raise ValueError("it names a zone")
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"{shorten(text)!r} is not a network such as 10.0.0.0/8: {shorten(str(error), 120)}") from None


def origin(text: str) -> str:
    if text == "*":
        return text
    wrong = f"{shorten(text)!r} is not an origin such as https://app.example.com (lower case, no path), or *"
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?", text):
        raise ValueError(wrong)
    try:
        url = parse_url(text, ("http", "https"))
    except ValueError as error:
        raise ValueError(f"{wrong}: {error}") from None
    if text.endswith(f":{_DEFAULT_PORTS[url.scheme]}"):
        raise ValueError(f"{shorten(text)!r} never matches: browsers leave the scheme's own port out")
    return text
