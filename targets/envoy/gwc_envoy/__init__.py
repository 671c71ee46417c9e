"""The Envoy target: one bootstrap in JSON, `envoy.json`."""

from __future__ import annotations

from gwc.diagnostics import Diagnostic
from gwc.ir import Gateway
from gwc.live.source import Reader
from gwc.support import SupportTable
from gwc.target import Artifact
from gwc_envoy.engine import EnvoyEngine
from gwc_envoy.support import TABLE


class EnvoyTarget:
    """Satisfies `gwc.target.Target`. Rendering is imported when it is first needed."""

    name = "envoy"
    profiles: tuple[str, ...] = ("default",)
    engine = EnvoyEngine()

    def support(self, profile: str) -> SupportTable:
        if profile not in self.profiles:
            raise KeyError(profile)
        return TABLE

    def emit(self, gateway: Gateway, profile: str) -> Artifact:
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
