"""A draft as the YAML that people would write: blocks, short lists on one line, quotes only where they are needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gwc.imports.draft import Entry, Said, Table, plain

ORDER = (
    *("apiVersion", "kind", "service", "owner", "name", "path", "methods", "per", "rate", "url", "weight"),
    *("description", "hosts", "base_path", "keep_base_path", "upstream", "endpoints", "tls"),
    *("listen", "http", "https", "admin", "trusted_proxies", "identity", "user_header", "gateway_secret", "jwt"),
    *("api_key", "request_id", "tracing", "metrics", "access_log", "errors", "rate_limit_store", "auth"),
    *("timeouts", "connect", "request", "idle", "retries", "limits", "budget", "cost", "max_body", "cors", "headers"),
    *("cache", "stream", "websocket", "concurrency", "breaker", "health", "defaults", "bounds", "waivers", "targets"),
    "routes",
)
_RANK = {key: rank for rank, key in enumerate(ORDER)}
_PLAIN = re.compile(r"/?[A-Za-z][A-Za-z0-9_./@+-]*|/|[0-9]+(ms|s|m|h|d|B|KB|MB|GB|KiB|MiB|GiB|%)|[0-9]+/[a-z]+")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_WIDTH = 100


def policy_text(policy: Table, heading: str) -> str:
    """A whole file. `heading` is its first comment."""
    return "\n".join([f"# {_comment(heading)}", *_mapping(policy, ""), ""])


def _mapping(table: Table, indent: str) -> Iterator[str]:
    for key in sorted(table.items, key=lambda name: _RANK.get(name, len(_RANK))):
        yield from _entry(scalar(key), table.items[key], indent)


def _entry(key: str, entry: Entry, indent: str) -> Iterator[str]:
    if isinstance(entry, Said):
        note = f"    # {_comment(entry.comment)}" if entry.comment else ""
        yield f"{indent}{key}: {flow(entry.value)}{note}"
    elif isinstance(entry, Table) and (short := _short(entry, len(indent) + len(key))):
        yield f"{indent}{key}: {short}"
    elif isinstance(entry, Table):
        yield f"{indent}{key}:"
        yield from _mapping(entry, indent + "  ")
    else:
        yield f"{indent}{key}:" if entry else f"{indent}{key}: []"
        for row in entry:
            yield from _row(row, indent)


def _row(row: Table, indent: str) -> Iterator[str]:
    if short := _short(row, len(indent)):
        yield f"{indent}  - {short}"
        return
    first, *rest = _mapping(row, indent + "    ")
    yield f"{indent}  - {first.lstrip()}"
    yield from rest


def _short(table: Table, used: int) -> str:
    """A small mapping on one line; empty for one that is too long, or of which there is something to say."""
    if not all(isinstance(entry, Said) and not entry.comment for entry in table.items.values()):
        return ""
    keys = sorted(table.items, key=lambda name: _RANK.get(name, len(_RANK)))
    text = flow({key: plain(table.items[key]) for key in keys})
    return text if len(text) + used <= _WIDTH else ""


def flow(value: Any) -> str:
    """On one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else _quoted(text)


def _quoted(text: str) -> str:
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    number = ord(character)
    if character.isprintable() and not 0xD800 <= number < 0xE000:
        return character
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _comment(text: str) -> str:
    return re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()
