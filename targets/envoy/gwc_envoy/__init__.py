"""The Envoy target: a bootstrap in JSON, `envoy.json`, alone or with files that it watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gwc.diagnostics import Diagnostic
from gwc.ir import Gateway
from gwc.support import SupportTable
from gwc.target import Artifact
from gwc_envoy.engine import EnvoyEngine
from gwc_envoy.profiles import FILES, PROFILES
from gwc_envoy.support import TABLES

if TYPE_CHECKING:
    from gwc.live.source import Reader  # with urllib, which none but a look at a running gateway needs


class EnvoyTarget:
    """Satisfies `gwc.target.Target`. Rendering is imported when it is first needed."""

    name = "envoy"
    profiles: tuple[str, ...] = PROFILES
    engine = EnvoyEngine()

    def support(self, profile: str) -> SupportTable:
        return TABLES[profile]

    def emit(self, gateway: Gateway, profile: str) -> Artifact:
        if profile == FILES:
            from gwc_envoy.dynamic import emit as emit_files

            return emit_files(gateway)
        from gwc_envoy.emit import emit

        return emit(gateway, profile)

    @property
    def live(self) -> Reader:
        from gwc_envoy.live import EnvoyLive

        return EnvoyLive()

    def judge(self, artifact: Artifact) -> tuple[Diagnostic, ...]:
        from gwc_envoy.judge import judge

        return judge(artifact)


TARGET = EnvoyTarget()
