"""Hosts, listeners, URLs, networks and origins as the language spells them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from gwc.policy.types import FORM, SecretValueError, describe, fault, from_text, named, shorten

_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*\Z")


def parse_host(text: str) -> str:
    """A lower-case DNS name or an IP address; raises ValueError."""
    lower = text.lower()
    try:
        # ipaddress admits any text at all as a zone behind %.
        return str(ipaddress.ip_address("" if "%" in lower else lower))
    except ValueError:
        pass
    if len(lower) > 253 or not _HOST.match(lower) or re.fullmatch(r"[0-9.]+", lower):
        raise ValueError(f"{shorten(text)!r} is not a host name or IP address, such as api.example.com")
    return lower


HostName = Annotated[str, from_text(parse_host, FORM, "api.example.com"), WithJsonSchema(
    {"type": "string", "maxLength": 253, "examples": ["api.example.com"]}
)]  # fmt: skip


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
    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        raise ValueError(f"{address.host!r} is a name; a listener needs an IP address") from None
    return address


def _listen_address(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return HostPort("0.0.0.0", _listen_port(value))  # noqa: S104 - a bare port means every interface
    if isinstance(value, str):
        try:
            return bound_to_ip(parse_host_port(value))
        except ValueError as error:
            raise fault(FORM, str(error)) from None
    raise fault(FORM, f"expected a port or host:port, got {describe(value)}", "write 8080 or 127.0.0.1:8080")


def _listen_port(value: int) -> int:
    if not 0 < value < 65536:
        raise fault(FORM, f"{value} is not a port from 1 to 65535")
    return value


ListenAddress = Annotated[HostPort, BeforeValidator(_listen_address), WithJsonSchema(
    {
        "anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, {"type": "string"}],
        "examples": [8080, "127.0.0.1:8080"],
    }
)]  # fmt: skip
HostAndPort = Annotated[HostPort, from_text(parse_host_port, FORM, "127.0.0.1:8081"), WithJsonSchema(
    {"type": "string", "examples": ["127.0.0.1:8081"]}
)]  # fmt: skip


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


def _url(schemes: tuple[str, ...], example: str, path: bool) -> tuple[BeforeValidator, WithJsonSchema]:
    def parse(text: str) -> Url:
        url = parse_url(text, schemes)
        if url.path not in ("", "/") and not path:
            raise ValueError(f"{shorten(text)!r} has a path; only scheme, host and port belong here")
        return url if path else Url(url.scheme, url.host, url.port, "")

    schema = {"type": "string", "pattern": f"^({'|'.join(schemes)})://", "examples": [example]}
    return from_text(parse, FORM, example), WithJsonSchema(schema)


EndpointUrl = Annotated[Url, *_url(("http", "https"), "http://127.0.0.1:8000", path=False)]
HttpUrl = Annotated[Url, *_url(("http", "https"), "http://127.0.0.1:4318", path=True)]
RedisUrl = Annotated[Url, *_url(("redis", "rediss"), "redis://127.0.0.1:6379", path=True)]

_ABSOLUTE_URI = named(
    r"[a-z][a-z0-9+.-]*:[A-Za-z0-9_.~:/?#@!&=+,;%-]+", "an absolute URI", "https://errors.example.com/", 300
)
AbsoluteUri = Annotated[str, *_ABSOLUTE_URI]
"""Kept as written, because issuers and problem types are compared character by character."""


def _network(text: str) -> str:
    try:
        if "%" in text:
            raise ValueError("it names a zone")
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"{shorten(text)!r} is not a network such as 10.0.0.0/8: {shorten(str(error), 120)}") from None


Network = Annotated[str, from_text(_network, FORM, "10.0.0.0/8"), WithJsonSchema(
    {"type": "string", "examples": ["10.0.0.0/8"]}
)]  # fmt: skip


def _origin(text: str) -> str:
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


Origin = Annotated[str, from_text(_origin, FORM, "https://app.example.com"), WithJsonSchema(
    {"type": "string", "examples": ["https://app.example.com"]}
)]  # fmt: skip
