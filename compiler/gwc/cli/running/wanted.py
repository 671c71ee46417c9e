"""What somebody wants to run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Wanted:
    """`port` and `admin_port` None: those of the policies. `dev_users` get tokens when `dev_secrets` are made."""

    target: str
    policies: str
    environment: str | None
    now: date
    port: int | None
    admin_port: int | None
    service: str | None
    dev_secrets: bool
    dev_users: tuple[str, ...]
    raw_log: bool
