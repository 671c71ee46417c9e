"""The scalars of the policy language as pydantic types: text in, SI units out, with errors that say what to write."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from gwc import units
from gwc.ir import PathTemplate, Segment, SegmentKind
from gwc.units import Rate

T = TypeVar("T")

UNIT, FORM, COMBINATION, SECRET = "gwc_unit", "gwc_form", "gwc_combination", "gwc_secret"
MAX_ENVIRONMENTS = 100
"""Of one policy. Each is validated whole, so their number multiplies the work."""


class Tighter(Enum):
    """The order of a field: which direction protects more. Bounds, lint and diff all read it from the model."""

    LOWER = "lower"
    HIGHER = "higher"


class Model(BaseModel):
    """A mapping of the language: frozen, no unknown keys, no coercion between types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=False)


def fault(kind: str, message: str, hint: str = "") -> PydanticCustomError:
    """An error with our own words. Braces are escaped because pydantic formats the template."""
    return PydanticCustomError(kind, "{text}", {"text": message, "hint": hint})


def _reject_null(value: object) -> object:
    if value is None:
        raise fault("gwc_null", "the key has no value", "write a value or remove the key")
    return value


Maybe = Annotated[T | None, BeforeValidator(_reject_null)]
"""A key that may be left out: None then means unset, and a written null is an error."""


_NONE, _SETTINGS = "<none>", "<settings>"  # pydantic puts tags into locations; these cannot be taken for a key


def _none_tag(value: object) -> str:
    return _NONE if isinstance(value, str) else _SETTINGS


OrNone = Annotated[Annotated[T, Tag(_SETTINGS)] | Annotated[Literal["none"], Tag(_NONE)], Discriminator(_none_tag)]
"""Settings, or the word `none` that switches an inherited section off."""

List = Annotated[tuple[T, ...], Field(strict=False)]


def _text(parse: Callable[[str], object], kind: str, example: str) -> BeforeValidator:
    def convert(value: object) -> object:
        if not isinstance(value, str):
            raise fault(kind, f"expected text such as {example}, got {describe(value)}", f"write it as in {example}")
        try:
            return parse(value)
        except SecretValueError as error:
            raise fault(SECRET, str(error), error.hint) from None
        except ValueError as error:
            raise fault(kind, str(error)) from None

    return BeforeValidator(convert)


class SecretValueError(ValueError):
    """A text that may well be a secret: neither the message nor a report may repeat it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def describe(value: object) -> str:
    """A value in words for an error message."""
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {shorten(value)!r}"
    return {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(value), "something else")


def _positive_duration(text: str) -> float:
    seconds = units.parse_duration(text)
    if seconds <= 0:
        raise ValueError(f"{text!r} must be longer than zero")
    return seconds


Duration = Annotated[float, _text(_positive_duration, UNIT, "10s"), WithJsonSchema(
    {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})?(ms|s|m|h|d)$", "examples": ["250ms", "10s", "24h"]}
)]  # fmt: skip
"""Seconds, more than zero."""
DurationOrZero = Annotated[float, _text(units.parse_duration, UNIT, "10s"), WithJsonSchema(
    {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})?(ms|s|m|h|d)$", "examples": ["0s", "1h"]}
)]  # fmt: skip
Size = Annotated[int, _text(units.parse_size, UNIT, "1MiB"), WithJsonSchema(
    {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})?(B|KB|MB|GB|KiB|MiB|GiB)$", "examples": ["1MiB"]}
)]  # fmt: skip
"""Bytes."""
Share = Annotated[float, _text(units.parse_share, UNIT, "20%"), WithJsonSchema(
    {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3})?%$", "examples": ["20%"]}
)]  # fmt: skip
"""A fraction of one."""
RateOf = Annotated[Rate, _text(units.parse_rate, UNIT, "60/min"), WithJsonSchema(
    {"type": "string", "pattern": r"^[0-9]{1,12}/(s|sec|second|m|min|minute|h|hour|d|day)$", "examples": ["60/min"]}
)]  # fmt: skip


def _matching(pattern: str, what: str, example: str, limit: int, secret: bool = False) -> Callable[[str], str]:
    compiled = re.compile(pattern + r"\Z")

    def check(text: str) -> str:
        if secret and (len(text) > limit or not compiled.match(text)):
            raise SecretValueError(f"this is not {what}, such as {example}", "never write the secret itself")
        if len(text) > limit:
            raise ValueError(f"{shorten(text)!r} is longer than {limit} characters")
        if not compiled.match(text):
            raise ValueError(f"{shorten(text)!r} is not {what}, such as {example}")
        return text

    return check


def shorten(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[:limit] + "..."


def _name(
    pattern: str, what: str, example: str, limit: int, secret: bool = False
) -> tuple[BeforeValidator, WithJsonSchema]:
    """`secret`: where people write a secret instead of its name, so that a wrong text is not repeated."""
    schema = WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "maxLength": limit, "examples": [example]})
    return _text(_matching(pattern, what, example, limit, secret), FORM, example), schema


_label = _name(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", "a DNS label (lower-case letters, digits, hyphens)", "assistant", 63)
_route_name = _name(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?", "a name of lower-case letters, digits, - and _", "get-note", 63)
_header = _name(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", "a header name of letters, digits and hyphens", "X-Team", 80)
_claim = _name(r"[A-Za-z0-9_.:/-]+", "a claim name", "sub", 100)
_scope = _name(r"[A-Za-z0-9_.:/-]+", "a scope", "notes.write", 100)
_environment = _name(r"[A-Za-z_][A-Za-z0-9_]*", "an environment variable's name", "GATEWAY_SECRET", 100, secret=True)
_ABSOLUTE = r"/[A-Za-z0-9_.+@/-]*[A-Za-z0-9_.+@-]"
_PATH_WORDS = "an absolute path (letters, digits, _ . + @ - /)"
_absolute = _name(_ABSOLUTE, _PATH_WORDS, "/etc/gwc/tls.crt", 400)
_secret_file = _name(_ABSOLUTE, _PATH_WORDS, "/etc/gwc/tls.key", 400, secret=True)
_relative = _name(r"(?!/)[A-Za-z0-9_.+@/-]+", "a path relative to the policy file", "keys/jwks.json", 400)
_free_text = _name(r"[^\x00-\x1f\x7f]*", "one line of text", "team-assistant", 400)
_query = _name(r"[A-Za-z0-9_.~-]+", "a query parameter's name", "version", 80)
_plain = _name(r"[ -~]+", "printable ASCII", "assistant", 400)

Label = Annotated[str, *_label]
RouteName = Annotated[str, *_route_name]
HeaderName = Annotated[str, *_header]
Claim = Annotated[str, *_claim]
Scope = Annotated[str, *_scope]
EnvironmentVariable = Annotated[str, *_environment]
AbsolutePath = Annotated[str, *_absolute]
SecretFile = Annotated[str, *_secret_file]
RelativePath = Annotated[str, *_relative]
FreeText = Annotated[str, *_free_text]
QueryName = Annotated[str, *_query]
PlainText = Annotated[str, *_plain]


def _header_value(text: str) -> str:
    if not re.fullmatch(r"([!-~]([ -~]*[!-~])?)?", text):
        raise ValueError("a header value is printable ASCII on one line, without blanks at its ends")
    if len(text) > 2000:
        raise ValueError(f"a header value of {len(text)} characters is longer than 2000")
    return text


HeaderValue = Annotated[str, _text(_header_value, FORM, "assistant"), WithJsonSchema(
    {"type": "string", "pattern": r"^([!-~]([ -~]*[!-~])?)?$", "maxLength": 2000}
)]  # fmt: skip

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


HostName = Annotated[str, _text(parse_host, FORM, "api.example.com"), WithJsonSchema(
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
HostAndPort = Annotated[HostPort, _text(parse_host_port, FORM, "127.0.0.1:8081"), WithJsonSchema(
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
    return _text(parse, FORM, example), WithJsonSchema(schema)


EndpointUrl = Annotated[Url, *_url(("http", "https"), "http://127.0.0.1:8000", path=False)]
HttpUrl = Annotated[Url, *_url(("http", "https"), "http://127.0.0.1:4318", path=True)]
RedisUrl = Annotated[Url, *_url(("redis", "rediss"), "redis://127.0.0.1:6379", path=True)]

_ABSOLUTE_URI = _name(
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


Network = Annotated[str, _text(_network, FORM, "10.0.0.0/8"), WithJsonSchema(
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


Origin = Annotated[str, _text(_origin, FORM, "https://app.example.com"), WithJsonSchema(
    {"type": "string", "examples": ["https://app.example.com"]}
)]  # fmt: skip


def _date(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(f"{shorten(text)!r} is not a date such as 2027-06-30")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day of the calendar") from None


Day = Annotated[date, _text(_date, FORM, "2027-06-30"), WithJsonSchema({"type": "string", "format": "date"})]

_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()+,;=:@-]+\Z")
_PARAM = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]{0,62})\}\Z")


def parse_path(text: str) -> PathTemplate:
    """A path template; raises ValueError saying which segment is wrong and why."""
    if not text.startswith("/") or len(text) > 1000:
        raise ValueError(f"{shorten(text)!r} is not a path; it starts with / and has at most 1000 characters")
    parts = text[1:].split("/")
    segments = tuple(_segment(text, part, index == len(parts) - 1) for index, part in enumerate(parts))
    names = [s.text for s in segments if s.kind is SegmentKind.PARAM]
    if len(set(names)) < len(names):
        raise ValueError(f"{shorten(text)!r} names a parameter twice")
    return PathTemplate(text, segments)


def _segment(path: str, part: str, last: bool) -> Segment:
    if part == "**":
        if not last:
            raise ValueError(f"{shorten(path)!r}: ** matches any rest and stands at the end only")
        return Segment(SegmentKind.REST, "")
    if param := _PARAM.match(part):
        return Segment(SegmentKind.PARAM, param[1])
    if part == "" and last:
        return Segment(SegmentKind.LITERAL, "")
    if part in ("", ".", ".."):
        raise ValueError(f"{shorten(path)!r}: paths are normalised before matching, so {part or '//'!r} never matches")
    if not _LITERAL.match(part):
        raise ValueError(f"{shorten(path)!r}: the segment {shorten(part)!r} is neither plain text, {{param}} nor **")
    return Segment(SegmentKind.LITERAL, part)


Path = Annotated[PathTemplate, _text(parse_path, FORM, "/v1/notes/{id}"), WithJsonSchema(
    {"type": "string", "pattern": "^/", "maxLength": 1000, "examples": ["/v1/notes/{id}", "/files/**"]}
)]  # fmt: skip


def _base_path(text: str) -> str:
    template = parse_path(text)
    if text.endswith("/") or any(s.kind is not SegmentKind.LITERAL for s in template.segments):
        raise ValueError(f"{shorten(text)!r} is not a base path such as /assistant (literal, no slash at the end)")
    return text


BasePath = Annotated[str, _text(_base_path, FORM, "/assistant"), WithJsonSchema(
    {"type": "string", "pattern": "^/.*[^/]$", "examples": ["/assistant"]}
)]  # fmt: skip

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
CountOrZero = Annotated[int, Field(ge=0, le=1_000_000_000)]
CountingScope = Literal["gateway", "cluster"]


def unique(items: tuple[T, ...]) -> tuple[T, ...]:
    """Rejects an item that stands twice: the second would be silently meaningless."""
    return _unique(items, lambda item: item)


def unique_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """`unique` for header names, which differ in more than case."""
    return _unique(names, str.lower)


def _unique(items: tuple[T, ...], key: Callable[[T], object]) -> tuple[T, ...]:
    seen: set[object] = set()
    for item in items:
        if key(item) in seen:
            raise fault(COMBINATION, f"{item!r} is listed twice")
        seen.add(key(item))
    return items
