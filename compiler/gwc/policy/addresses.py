"""Hosts, listeners, URLs, networks and origins as the language spells them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from gwc.policy import hosts, texts
from gwc.policy.hosts import HostPort as HostPort
from gwc.policy.hosts import Url, bound_to_ip, parse_host, parse_host_port
from gwc.policy.hosts import parse_url as parse_url
from gwc.policy.texts import describe, shorten
from gwc.policy.types import FORM, fault, from_text, worded

HostName = Annotated[str, from_text(parse_host, FORM, "api.example.com"), WithJsonSchema(
    {"type": "string", "maxLength": 253, "examples": ["api.example.com"]}
)]  # fmt: skip


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

AbsoluteUri = Annotated[str, *worded(texts.URI)]
"""Kept as written, because issuers and problem types are compared character by character."""


Network = Annotated[str, from_text(hosts.network, FORM, "10.0.0.0/8"), WithJsonSchema(
    {"type": "string", "examples": ["10.0.0.0/8"]}
)]  # fmt: skip


Origin = Annotated[str, from_text(hosts.origin, FORM, "https://app.example.com"), WithJsonSchema(
    {"type": "string", "examples": ["https://app.example.com"]}
)]  # fmt: skip
