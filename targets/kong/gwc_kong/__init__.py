"""The Kong target: kong.yml, kong.env and a small Lua plugin."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from gwc.diagnostics import Diagnostic
from gwc.ir import Gateway
from gwc.observability.metrics import FAMILIES, Family
from gwc.support import SupportTable
from gwc.target import Artifact, Engine

if TYPE_CHECKING:
    from gwc.live.source import Reader  # with urllib, which none but a look at a running gateway needs

LIVE_EVIDENCE = "Kong Gateway OSS 3.9.3, built from its source: the scenarios of profile plugin passed on 2026-11-23"
"""What a real Kong has shown, and which: continuous integration has the stand-in alone."""


class _Kong:
    """Satisfies `gwc.target.Target`. Everything is imported when it is first needed."""

    name = "kong"
    profiles: tuple[str, ...] = ("plugin", "bundled")
    offline_judge = "the facts of Kong's 3.9.3 schemas"

    @cached_property
    def engine(self) -> Engine:
        from gwc_kong.engine import KongEngine

        return KongEngine()

    def support(self, profile: str) -> SupportTable:
        from gwc_kong.support import TABLES

        return TABLES[profile]

    def families(self, profile: str) -> frozenset[Family]:
        return frozenset(FAMILIES if profile == "plugin" else ())

    def emit(self, gateway: Gateway, profile: str) -> Artifact:
        from gwc_kong.emit import emit

        return emit(gateway, profile)

    @property
    def live(self) -> Reader:
        from gwc_kong.live import KongLive

        return KongLive()

    def judge(self, artifact: Artifact) -> tuple[Diagnostic, ...]:
        from gwc_kong.judge import judge

        return judge(artifact)


TARGET = _Kong()
