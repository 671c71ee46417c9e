"""gateway.json: what an output was rendered from, beside it, so that it can be imported again.

It holds no secrets, no places and no dates: the same policies give the same bytes wherever they lie.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date

from gwc.ir import Gateway
from gwc.ir_json import to_jsonable

NAME = "gateway.json"
SCHEMA = 1


class RecordError(Exception):
    """A gateway.json that gwc did not write, or that somebody broke."""


@dataclass(frozen=True, slots=True)
class Record:
    target: str
    profile: str
    gateway: Gateway


def described(gateway: Gateway) -> str:
    """The part that is the same for every target: a line for each key, and for each service."""
    data = to_jsonable(replace(gateway, now=date.min), places=False)
    lines = [f"{json.dumps(key)}: {_part(key, value)}" for key, value in data.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def _part(key: str, value: object) -> str:
    if key == "services" and isinstance(value, list) and value:
        return "[\n" + ",\n".join(json.dumps(service) for service in value) + "\n]"
    return json.dumps(value)


def record_text(target: str, profile: str, gateway: str) -> str:
    """`gateway` is what `described` gave."""
    head = json.dumps({"schema": SCHEMA, "target": target, "profile": profile})
    return f'{head[:-1]}, "gateway": {gateway}}}\n'


def read_record(text: str) -> Record:
    """Raises RecordError."""
    from gwc.ir_read import gateway_from

    try:
        data = json.loads(text)
        if data["schema"] != SCHEMA:
            raise ValueError("another schema")
        return Record(str(data["target"]), str(data["profile"]), gateway_from(data["gateway"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecordError("this is not what gwc writes beside its output") from error
