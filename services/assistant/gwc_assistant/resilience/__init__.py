"""Keeps one failing backend from taking the service with it. Retries are the gateway's."""

from gwc_assistant.resilience.breaker import Breaker, BreakerOpenError, BreakerPolicy, Permit
from gwc_assistant.resilience.bulkhead import Bulkhead, OverloadedError

__all__ = ["Breaker", "BreakerOpenError", "BreakerPolicy", "Bulkhead", "OverloadedError", "Permit"]
