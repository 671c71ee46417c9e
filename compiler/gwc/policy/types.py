"""The scalars of the policy language as pydantic types: text in, SI units out, with errors that say what to write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from gwc import units
from gwc.policy import texts
from gwc.policy.order import Tighter as Tighter
from gwc.policy.texts import SecretValueError as SecretValueError
from gwc.policy.texts import Words, describe
from gwc.policy.texts import shorten as shorten
from gwc.units import Rate

T = TypeVar("T")

UNIT, FORM, COMBINATION, SECRET = "gwc_unit", "gwc_form", "gwc_combination", "gwc_secret"
MAX_ENVIRONMENTS = 100
"""Of one policy. Each is validated whole, so their number multiplies the work."""


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


Duration = Annotated[float, from_text(texts.positive_duration, UNIT, "10s"), WithJsonSchema(
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


def named(
    pattern: str, what: str, example: str, limit: int, secret: bool = False
) -> tuple[BeforeValidator, WithJsonSchema]:
    """`secret`: where people write a secret instead of its name, so that a wrong text is not repeated."""
    return worded(Words(pattern, what, example, limit, secret))


def worded(words: Words) -> tuple[BeforeValidator, WithJsonSchema]:
    schema = {"type": "string", "pattern": f"^{words.pattern}$", "maxLength": words.limit, "examples": [words.example]}
    return from_text(words, FORM, words.example), WithJsonSchema(schema)


Label = Annotated[str, *worded(texts.LABEL)]
RouteName = Annotated[str, *worded(texts.ROUTE_NAME)]
HeaderName = Annotated[str, *worded(texts.HEADER)]
Claim = Annotated[str, *worded(texts.CLAIM)]
Scope = Annotated[str, *worded(texts.SCOPE)]
EnvironmentVariable = Annotated[str, *worded(texts.ENVIRONMENT)]
AbsolutePath = Annotated[str, *worded(texts.ABSOLUTE)]
SecretFile = Annotated[str, *worded(texts.SECRET_FILE)]
RelativePath = Annotated[str, *worded(texts.RELATIVE)]
FreeText = Annotated[str, *worded(texts.FREE_TEXT)]
QueryName = Annotated[str, *worded(texts.QUERY)]
PlainText = Annotated[str, *worded(texts.PLAIN)]


HeaderValue = Annotated[str, from_text(texts.header_value, FORM, "assistant"), WithJsonSchema(
    {"type": "string", "pattern": r"^([!-~]([ -~]*[!-~])?)?$", "maxLength": 2000}
)]  # fmt: skip


Day = Annotated[date, from_text(texts.day, FORM, "2027-06-30"), WithJsonSchema({"type": "string", "format": "date"})]

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
