"""gateway.json: what an output was rendered from, beside it, so that it can be imported again.

It holds no secrets, no places and no dates: the same policies give the same bytes wherever they lie.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from gwc.ir import Gateway, Service
from gwc.ir_json import to_jsonable
from gwc.ir_text import to_text
from gwc.parts import Assembled, Made, Part, Piece

NAME = "gateway.json"
SCHEMA = 1


class RecordError(Exception):
    """A gateway.json that gwc did not write, or that somebody broke."""


@dataclass(frozen=True, slots=True)
class Record:
    target: str
    profile: str
    gateway: Gateway


def record_file(target: str, profile: str, gateway: Gateway) -> Assembled:
    """The file for `target`: what belongs to the platform, and a line for each service."""
    return Assembled(partial(_pieces, target, profile, gateway), {})


def _pieces(target: str, profile: str, gateway: Gateway) -> Iterator[Piece]:
    head = json.dumps({"schema": SCHEMA, "target": target, "profile": profile})
    before, after = _platform(gateway)
    yield Made("\n".join((f'{head[:-1]}, "gateway": {{', *before, '"services": [')) + "\n" * bool(gateway.services))
    for service in gateway.services:
        end = "\n" if service is gateway.services[-1] else ",\n"
        yield Part(service.name, "service", partial(_line, service, end), given=end)
    yield Made("\n".join(("],", *after, "}}", "")))


def _line(service: Service, end: str) -> Made:
    return Made(to_text(service) + end)


def _platform(gateway: Gateway) -> tuple[list[str], list[str]]:
    """A line for each key: those before the services, and those after them."""
    data = to_jsonable(replace(gateway, now=date.min, services=()), places=False)
    lines = [f"{json.dumps(key)}: {json.dumps(value)}," for key, value in data.items()]
    cut = [*data].index("services")
    return lines[:cut], [*lines[cut + 1 : -1], lines[-1].removesuffix(",")]


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
