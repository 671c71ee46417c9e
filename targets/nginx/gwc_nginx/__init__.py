"""The NGINX target: `nginx.conf`, what it includes, and the njs modules that it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gwc.diagnostics import Diagnostic
from gwc.ir import Gateway
from gwc.observability.metrics import FAMILIES, Family
from gwc.support import SupportTable
from gwc.target import Artifact
from gwc_nginx.engine import NginxEngine
from gwc_nginx.support import TABLES

if TYPE_CHECKING:
    from gwc.live.source import Reader  # with urllib, which none but a look at a running gateway needs


class NginxTarget:
    """Satisfies `gwc.target.Target`. Rendering is imported when it is first needed."""

    name = "nginx"
    profiles: tuple[str, ...] = ("njs", "plain")
    engine = NginxEngine()

    def support(self, profile: str) -> SupportTable:
        return TABLES[profile]

    def families(self, profile: str) -> frozenset[Family]:
        return frozenset(FAMILIES if profile == "njs" else ())

    def emit(self, gateway: Gateway, profile: str) -> Artifact:
        from gwc_nginx.emit import emit

        return emit(gateway, profile)

    @property
    def live(self) -> Reader:
        from gwc_nginx.live import NginxLive

        return NginxLive()

    def judge(self, artifact: Artifact) -> tuple[Diagnostic, ...]:
        from gwc_nginx.judge import judge

        return judge(artifact)


TARGET = NginxTarget()
