"""The Kong target: kong.yml, kong.env and a small Lua plugin."""

from __future__ import annotations

from functools import cached_property

from gwc.diagnostics import Diagnostic
from gwc.ir import Gateway
from gwc.support import SupportTable
from gwc.target import Artifact, Engine, Target


class _Kong:
    name = "kong"
    profiles = ("plugin", "bundled")

    @cached_property
    def engine(self) -> Engine:
        from gwc_kong.engine import KongEngine

        return KongEngine()

    def support(self, profile: str) -> SupportTable:
        from gwc_kong.support import BUNDLED, PLUGIN

        return {"plugin": PLUGIN, "bundled": BUNDLED}[profile]

    def emit(self, gateway: Gateway, profile: str) -> Artifact:
        from gwc_kong.emit import emit

        return emit(gateway, profile)

    def judge(self, artifact: Artifact) -> tuple[Diagnostic, ...]:
        from gwc_kong.judge import judge

        return judge(artifact)


TARGET: Target = _Kong()
