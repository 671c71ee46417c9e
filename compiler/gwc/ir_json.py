"""The resolved Gateway as JSON, for people who debug a policy and for tests of the seam between policy and target.

A node is an object of its fields plus `at`, which maps each written field to `file:line`. Units are those of the IR:
seconds, bytes, fractions of one; a rate is `{"tokens": 60, "period": 60}`; a path is its template's text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from typing import Any

from gwc.ir import Gateway, Node, PathTemplate, Provenance


def gateway_to_json(gateway: Gateway) -> str:
    """Stable text: fields in the order of the IR, maps sorted by key. Holds references to secrets, never a value."""
    return json.dumps(to_jsonable(gateway), indent=2) + "\n"


def to_jsonable(value: object) -> Any:
    """`value`, any part of a Gateway, as dicts, lists and scalars."""
    if isinstance(value, PathTemplate):
        return value.text
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return _object(value)
    if isinstance(value, Mapping):
        return {str(key): to_jsonable(value[key]) for key in sorted(value)}
    if isinstance(value, tuple | list):
        return [to_jsonable(item) for item in value]
    return value.isoformat() if isinstance(value, date) else _scalar(value)


def _object(value: Any) -> dict[str, Any]:
    shown = {f.name: to_jsonable(getattr(value, f.name)) for f in fields(value) if f.name != "provenance"}
    if isinstance(value, Node) and value.provenance:
        shown["at"] = _places(value.provenance)
    return shown


def _places(provenance: Provenance) -> dict[str, str]:
    return {name: f"{origin.span.file}:{origin.span.line}" for name, origin in sorted(provenance.items())}


def _scalar(value: object) -> object:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"{type(value).__name__} is not part of the IR")
