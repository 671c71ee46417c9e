"""What the service is ready for: `/healthz`, `/readyz`, and the way out."""

from __future__ import annotations

from typing import Literal

Phase = Literal["starting", "ready", "draining", "failed"]


class State:
    """Moves from starting to ready or failed, and from any of them to draining; never back."""

    def __init__(self) -> None:
        self.phase: Phase = "starting"
        self.serving = False  # from the end of the warm-up on, also while draining

    def ready(self) -> None:
        self.serving = True
        if self.phase == "starting":
            self.phase = "ready"

    def failed(self) -> None:
        if self.phase == "starting":
            self.phase = "failed"

    def drain(self) -> None:
        self.phase = "draining"
