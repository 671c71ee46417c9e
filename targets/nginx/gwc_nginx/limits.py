"""Limits as data for the njs module: words parted by spaces for a bucket, in the stage that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable

from gwc.ir import Gateway, Limit, LimitKey, Service

ZONES = ("ip", "user", "service", "header")
"""Each kind of key has a zone of its own, so that a flood of one evicts no other's buckets."""

ZONE = "16m timeout=366d evict type=number;"
"""Room for more than a hundred thousand buckets a kind."""

Stages = tuple[list[str], list[str]]
"""Lines of limits: `early` before authentication, `late` after it."""


def applying(limits: Iterable[Limit], *, known: bool) -> list[Limit]:
    """A user's limit of a wider level says nothing about a public route, whose users are not `known`."""
    return [limit for limit in limits if known or limit.key is not LimitKey.USER]


def stages(limits: Iterable[Limit], *, known: bool) -> Stages:
    every = applying(limits, known=known)
    early = [_line(limit) for limit in every if limit.key is LimitKey.IP]
    return early, [_line(limit) for limit in every if limit.key is not LimitKey.IP]


def data(wider: Stages, own: Stages) -> dict[str, str]:
    """A stage without limits is left out."""
    early, late = wider[0] + own[0], wider[1] + own[1]
    return {name: ",".join(lines) for name, lines in (("early", early), ("late", late)) if lines}


def count(gateway: Gateway, service: Service) -> int:
    """Of the lines of all its routes."""
    every = (*gateway.limits, *service.limits)
    wider = {known: len(applying(every, known=known)) for known in (True, False)}
    known = [(route, route.auth is not None) for route in service.routes]
    return sum(wider[one] + len(applying(route.limits, known=one)) for route, one in known)


def _line(limit: Limit) -> str:
    step = 1000 * limit.rate.period / limit.rate.tokens
    shadow = "1" if limit.shadow else "0"
    return f"{limit.id} {limit.key} {step!r} {limit.burst} {shadow} {limit.header or '-'}"
