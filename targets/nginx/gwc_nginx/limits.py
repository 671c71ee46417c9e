"""Limits as data for the njs module: one line a bucket, parted by spaces, in the stage that it belongs to."""

from __future__ import annotations

from gwc.ir import Gateway, Limit, LimitKey, Route, Service

ZONES = ("ip", "user", "service", "header")
"""Each kind of key has a zone of its own, so that a flood of one evicts no other's buckets."""

ZONE = "16m timeout=366d evict type=number;"
"""Room for more than a hundred thousand buckets a kind."""


def applying(gateway: Gateway, service: Service, route: Route) -> tuple[Limit, ...]:
    """Every level's. A user's limit of a wider level says nothing about a public route."""
    every = (*gateway.limits, *service.limits, *route.limits)
    return tuple(limit for limit in every if route.auth is not None or limit.key is not LimitKey.USER)


def stages(gateway: Gateway, service: Service, route: Route) -> dict[str, str]:
    """`early` before authentication, `late` after it."""
    every = applying(gateway, service, route)
    early = "\n".join(_line(limit) for limit in every if limit.key is LimitKey.IP)
    late = "\n".join(_line(limit) for limit in every if limit.key is not LimitKey.IP)
    return {name: text for name, text in (("early", early), ("late", late)) if text}


def _line(limit: Limit) -> str:
    step = 1000 * limit.rate.period / limit.rate.tokens
    shadow = "1" if limit.shadow else "0"
    return f"{limit.id} {limit.key} {step!r} {limit.burst} {shadow} {limit.header or '-'}"
