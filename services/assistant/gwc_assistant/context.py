"""What belongs to the request that is being served, for logs, problems and calls to other servers."""

from __future__ import annotations

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The gateway's, as it came; empty outside of requests and for probes that did not pass the gateway."""
