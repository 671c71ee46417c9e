"""The service half of lint: what a service's own Python does that the gateway owns. Code is read, never executed."""

from __future__ import annotations


class CodeError(Exception):
    """Code that cannot be looked for; the message says where and why."""
