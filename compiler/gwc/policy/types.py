"""The scalars of the policy language as pydantic types: text in, SI units out, with errors that say what to write."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from enum import Enum
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from gwc import units
from gwc.units import Rate

T = TypeVar("T")

UNIT, FORM, COMBINATION, SECRET = "gwc_unit", "gwc_form", "gwc_combination", "gwc_secret"
MAX_ENVIRONMENTS = 100
"""Of one policy. Each is validated whole, so their number multiplies the work."""


class Tighter(Enum):
    """The order of a field: which direction protects more. Bounds and diff read it from the model."""

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


def from_text(parse: Callable[[str], object], kind: str, example: str) -> BeforeValidator:
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


Duration = Annotated[float, from_text(_positive_duration, UNIT, "10s"), WithJsonSchema(
    {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})?(ms|s|m|h|d)$", "examples": ["250ms", "10s", "24h"]}
)]  # fmt: skip
"""Seconds, more than zero."""
DurationOrZero = Annotated[float, from_text(units.parse_duration, UNIT, "10s"), WithJsonSchema(
    {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})?(ms|s|m|h|d)$", "examples": ["0s", "1h"]}
)]  # fmt: skip
Size = Annotated[int, from_text(units.parse_size, UNIT, "1MiB"), WithJsonSchema(
    {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})?(B|KB|MB|GB|KiB|MiB|GiB)$", "examples": ["1MiB"]}
)]  # fmt: skip
"""Bytes."""
Share = Annotated[float, from_text(units.parse_share, UNIT, "20%"), WithJsonSchema(
    {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3})?%$", "examples": ["20%"]}
)]  # fmt: skip
"""A fraction of one."""
RateOf = Annotated[Rate, from_text(units.parse_rate, UNIT, "60/min"), WithJsonSchema(
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


def named(
    pattern: str, what: str, example: str, limit: int, secret: bool = False
) -> tuple[BeforeValidator, WithJsonSchema]:
    """`secret`: where people write a secret instead of its name, so that a wrong text is not repeated."""
    schema = WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "maxLength": limit, "examples": [example]})
    return from_text(_matching(pattern, what, example, limit, secret), FORM, example), schema


_label = named(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", "a DNS label (lower-case letters, digits, hyphens)", "assistant", 63)
_route_name = named(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?", "a name of lower-case letters, digits, - and _", "get-note", 63)
_header = named(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", "a header name of letters, digits and hyphens", "X-Team", 80)
_claim = named(r"[A-Za-z0-9_.:/-]+", "a claim name", "sub", 100)
_scope = named(r"[A-Za-z0-9_.:/-]+", "a scope", "notes.write", 100)
_environment = named(r"[A-Za-z_][A-Za-z0-9_]*", "an environment variable's name", "GATEWAY_SECRET", 100, secret=True)
_ABSOLUTE = r"/[A-Za-z0-9_.+@/-]*[A-Za-z0-9_.+@-]"
_PATH_WORDS = "an absolute path (letters, digits, _ . + @ - /)"
_absolute = named(_ABSOLUTE, _PATH_WORDS, "/etc/gwc/tls.crt", 400)
_secret_file = named(_ABSOLUTE, _PATH_WORDS, "/etc/gwc/tls.key", 400, secret=True)
_relative = named(r"(?!/)[A-Za-z0-9_.+@/-]+", "a path relative to the policy file", "keys/jwks.json", 400)
_free_text = named(r"[^\x00-\x1f\x7f]*", "one line of text", "team-assistant", 400)
_query = named(r"[A-Za-z0-9_.~-]+", "a query parameter's name", "version", 80)
_plain = named(r"[ -~]+", "printable ASCII", "assistant", 400)

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


HeaderValue = Annotated[str, from_text(_header_value, FORM, "assistant"), WithJsonSchema(
    {"type": "string", "pattern": r"^([!-~]([ -~]*[!-~])?)?$", "maxLength": 2000}
)]  # fmt: skip


def _date(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(f"{shorten(text)!r} is not a date such as 2027-06-30")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day of the calendar") from None


Day = Annotated[date, from_text(_date, FORM, "2027-06-30"), WithJsonSchema({"type": "string", "format": "date"})]

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
