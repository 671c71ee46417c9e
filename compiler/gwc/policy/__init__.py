"""The policy language gwc/v1: what teams write.

The names below are imported when they are asked for: pydantic and its models take longer than reading a thousand
policies, and `gwc.policy.shapes` reads most of them without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gwc.policy.platform import PlatformPolicy
    from gwc.policy.service import ServicePolicy
    from gwc.policy.variants import Loaded, Policy

__all__ = ["Loaded", "PlatformPolicy", "Policy", "ServicePolicy"]
_HOMES = {"Loaded": "variants", "PlatformPolicy": "platform", "ServicePolicy": "service"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
