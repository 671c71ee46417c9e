"""The gateways that scenarios run on: each target in each profile on its real engine, and Kong's Lua in a stand-in."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from functools import cache

from gwc.discovery import load_targets
from gwc.target import Engine, EngineMissingError, Target
from layouts import LAYOUTS

_BEYOND = {"bundled": frozenset({"metrics"})}
"""Kong's Prometheus plugin is Kong's own code: the stand-in does not run it."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A target in a profile on an engine. `name` is unique; `promise` names the support table that must hold."""

    name: str
    target: Target
    profile: str
    engine: Engine
    beyond: frozenset[str] = frozenset()  # features that a stand-in does not imitate

    @property
    def promise(self) -> str:
        return f"{self.target.name}/{self.profile}"

    def missing(self) -> str | None:
        """Why this variant cannot run here, or None."""
        try:
            self.engine.find(self.profile)
        except EngineMissingError as missing:
            return str(missing)
        return None


@dataclass(frozen=True, slots=True)
class _NoStandIn:
    """In place of a stand-in that is not part of this checkout."""

    reason: str

    def find(self, profile: str) -> object:
        raise EngineMissingError(self.reason)


@cache
def variants() -> tuple[Variant, ...]:
    """All of them, or those of the targets that GWC_CONFORMANCE names: `GWC_CONFORMANCE=envoy,nginx`."""
    return tuple(one for one in _every() if (one.target.name, one.profile) not in LAYOUTS)


@cache
def layouts() -> tuple[Variant, ...]:
    """Those that say what another variant says, in other files: some scenarios show that the engine finds it all."""
    return tuple(one for one in _every() if (one.target.name, one.profile) in LAYOUTS)


@cache
def _every() -> tuple[Variant, ...]:
    found = []
    for installed in load_targets([name for name in os.environ.get("GWC_CONFORMANCE", "").split(",") if name]):
        target = installed.target
        for profile in target.profiles:
            found.append(Variant(f"{target.name}/{profile}", target, profile, target.engine))
            if target.name == "kong":
                beyond = _BEYOND.get(profile, frozenset())
                found.append(Variant(f"kong-standin/{profile}", target, profile, _stand_in(), beyond))
    return tuple(found)


@cache
def _stand_in() -> Engine:
    try:
        engine: Engine = importlib.import_module("kong_standin").ENGINE
    except ModuleNotFoundError as missing:
        return _NoStandIn(f"the Kong stand-in cannot be imported: {missing}")  # type: ignore[return-value]
    return engine
