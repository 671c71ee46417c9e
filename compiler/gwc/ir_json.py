"""The resolved Gateway as JSON: for people who debug a policy, and beside every output, which it describes.

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


def to_jsonable(value: object, *, places: bool = True) -> Any:
    """`value`, any part of a Gateway, as dicts, lists and scalars; without `places` nothing says where it stands."""
    if isinstance(value, PathTemplate):
        return value.text
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return _object(value, places=places)
    if isinstance(value, Mapping):
        return {str(key): to_jsonable(value[key], places=places) for key in sorted(value)}
    if isinstance(value, tuple | list):
        return [to_jsonable(item, places=places) for item in value]
    return value.isoformat() if isinstance(value, date) else _scalar(value)


def _object(value: Any, *, places: bool) -> dict[str, Any]:
    left = {f.name: getattr(value, f.name) for f in fields(value) if f.name != "provenance"}
    shown = {name: to_jsonable(item, places=places) for name, item in left.items()}
    if places and isinstance(value, Node) and value.provenance:
        shown["at"] = _places(value.provenance)
    return shown


def _places(provenance: Provenance) -> dict[str, str]:
    return {name: f"{origin.span.file}:{origin.span.line}" for name, origin in sorted(provenance.items())}


def _scalar(value: object) -> object:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"{type(value).__name__} is not part of the IR")
