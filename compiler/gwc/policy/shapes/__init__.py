"""Valid policies, read without pydantic: plain objects with the attributes of its models.

What a policy may say is decided by the models of `gwc.policy`, and so is every message about what it may not. Here is
what they make of a policy that is right, by the same functions for each text; whatever is not known here, or not right,
is left to them. tests/property/test_shapes.py holds the two against each other, field by field and value by value.

Pydantic and its models take longer to import than a thousand policies take to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gwc.policy.shapes.making import REFUSALS, Convert
from gwc.policy.shapes.making import Shape as Shape
from gwc.policy.shapes.platform import PLATFORM, Platform
from gwc.policy.shapes.service import SERVICE, Service

_KINDS: dict[str, tuple[type[Shape], dict[str, Convert], tuple[str, ...]]] = {
    "Service": (Service, SERVICE, ("apiVersion", "kind", "service", "upstream", "routes")),
    "Platform": (Platform, PLATFORM, ("apiVersion", "kind")),
}


def shaped(data: Mapping[str, Any], like: tuple[Mapping[str, Any], Shape] | None = None) -> Shape | None:
    """The policy that `data` is; None where that is not known to be a valid one.

    `like` is other data with what it is shaped to: a value that both hold, the very same, is not looked at again.
    """
    try:
        shape, fields, required = _KINDS[data["kind"]]
        before, known = ({}, {}) if like is None else (like[0], like[1].__dict__)
        made = {
            key: known[key] if key in before and before[key] is value else fields[key](value)
            for key, value in data.items()
        }
        for name in required:
            made[name]
    except REFUSALS:
        return None
    policy = shape.__new__(shape)
    policy.__dict__ = made
    return policy
