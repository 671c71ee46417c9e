"""How a shape is made of what YAML means: mappings, lists and texts of the language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gwc import units
from gwc.policy import hosts, texts

Convert = Callable[[Any], Any]
"""What YAML means -> what the language means. Raises one of REFUSALS for what is not known to be right."""
REFUSALS = (ValueError, TypeError, KeyError, AttributeError)

_MAX_COUNT = 1_000_000_000
_MOST_KNOWN = 2_000


class Shape:
    """A mapping of the language. Attributes are those of the model; a class holds the defaults."""


def refuse(wrong: object) -> None:
    if wrong:
        raise ValueError


def mapping(shape: type[Shape], fields: Mapping[str, Convert], *required: str, check: Convert = bool) -> Convert:
    """Each key converted; `check` refuses what does not go together."""
    new = shape.__new__

    def convert(value: Any) -> Any:
        written = {key: fields[key](said) for key, said in value.items()}
        for name in required:
            written[name]
        made = new(shape)
        made.__dict__ = written
        check(made)
        return made

    return convert


def known_texts(parse: Callable[[str], Any]) -> Convert:
    """`parse` of a text, once for each: fleets write the same ones again and again."""
    known: dict[Any, Any] = {}

    def convert(value: Any) -> Any:
        try:
            return known[value]
        except KeyError:
            parsed = parse(as_text(value))
        _remember(known, value, parsed)
        return parsed

    return convert


def once(settings: Convert) -> Convert:
    """`settings` of a mapping or list, once for the very same: `gwc.plain` gives texts that say the same one value."""
    known: dict[int, tuple[Any, Any]] = {}

    def convert(value: Any) -> Any:
        found = known.get(id(value))
        if found is not None and found[0] is value:
            return found[1]
        made = settings(value)
        _remember(known, id(value), (value, made))  # no other value has its id while it is here
        return made

    return convert


def known_values(settings: Convert) -> Convert:
    """`settings` of a mapping or list, once for all that say the same: `repr` tells apart whatever YAML does."""
    known: dict[str, Any] = {}

    def convert(value: Any) -> Any:
        said = repr(value)
        if said in known:
            return known[said]
        made = settings(value)
        _remember(known, said, made)
        return made

    return once(convert)


def _remember(known: dict[Any, Any], key: object, value: object) -> None:
    """All is forgotten when there is too much of it: what a fleet repeats is soon there again."""
    if len(known) >= _MOST_KNOWN:
        known.clear()
    known[key] = value


def as_text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    return value


def one_of(*words: str) -> Convert:
    known = {word: word for word in words}
    return lambda value: known[value]


def number(least: int, most: int) -> Convert:
    def convert(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError
        return value

    return convert


def flag(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise TypeError


def items_of(item: Convert, least: int = 0, key: Callable[[Any], object] | None = None) -> Convert:
    """With a `key`, by which no two items are the same."""

    def convert(value: Any) -> tuple[Any, ...]:
        if type(value) is not list or len(value) < least:
            raise TypeError
        items = tuple(map(item, value))
        if key is not None and len(items) > 1 and len(set(map(key, items))) < len(items):
            raise ValueError
        return items

    return convert


def table(name: Convert, value: Convert) -> Convert:
    def convert(table: Any) -> dict[Any, Any]:
        return {name(key): value(said) for key, said in table.items()}

    return convert


def or_none(settings: Convert) -> Convert:
    def convert(value: Any) -> Any:
        return value if value == "none" else settings(value)

    return convert


def itself(item: Any) -> Any:
    return item


duration, duration_or_zero = known_texts(texts.positive_duration), known_texts(units.parse_duration)
size, share, rate = known_texts(units.parse_size), known_texts(units.parse_share), known_texts(units.parse_rate)
count, count_or_zero = number(1, _MAX_COUNT), number(0, _MAX_COUNT)
label, route_name, header = known_texts(texts.LABEL), known_texts(texts.ROUTE_NAME), known_texts(texts.HEADER)
claim, scope, query = known_texts(texts.CLAIM), known_texts(texts.SCOPE), known_texts(texts.QUERY)
free_text, plain_text, header_value = (
    known_texts(texts.FREE_TEXT),
    known_texts(texts.PLAIN),
    known_texts(texts.header_value),
)
path_template, base_path, host_name, day = (
    known_texts(texts.parse_path),
    known_texts(texts.base_path),
    known_texts(hosts.parse_host),
    known_texts(texts.day),
)
counting = one_of("gateway", "cluster")
method = one_of("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
header_names = items_of(header, key=str.lower)


def url(schemes: tuple[str, ...], *, path: bool) -> Convert:
    def parse(text: str) -> hosts.Url:
        url = hosts.parse_url(text, schemes)
        refuse(not path and url.path not in ("", "/"))
        return url if path else hosts.Url(url.scheme, url.host, url.port, "")

    return known_texts(parse)


def _free(text: str) -> str:
    refuse(not texts.header_is_free(texts.HEADER(text)))
    return text


free_header = known_texts(_free)
