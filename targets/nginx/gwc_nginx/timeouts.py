"""NGINX has one read timeout per location: it bounds the wait for the first byte and every silence after it."""

from __future__ import annotations

from gwc.ir import Route
from gwc_nginx.conf import Directive, d
from gwc_nginx.quoting import milliseconds
from gwc_nginx.values import remembered

_PATIENCE = 3600.0
"""Seconds on a hop within the gateway, where another hop keeps the time."""


def watched(route: Route) -> bool:
    """Whether the wait for the first byte is shorter than the silences that a stream may have afterwards: the one
    timer is then set to the silence, and the inner hop watches the first byte."""
    return route.stream and route.timeouts.idle > route.timeouts.request


def first_byte(route: Route) -> int | None:
    """Milliseconds until which a watched stream has to begin."""
    return round(route.timeouts.request * 1000) if watched(route) else None


def to_service(route: Route) -> tuple[Directive, ...]:
    """Timeouts where NGINX speaks to the service and no try follows another."""
    silence = route.timeouts.idle if route.websocket else min(route.timeouts.idle, route.timeouts.request)
    return _proxy(route.timeouts.connect, route.timeouts.idle, silence)


def of_a_try(route: Route) -> tuple[Directive, ...]:
    """Timeouts of one try: its own bound, or the route's silence. The outer hop keeps the total."""
    per_try = route.retries.per_try
    silence = route.timeouts.idle if per_try is None else min(per_try, route.timeouts.idle)
    return _proxy(route.timeouts.connect, route.timeouts.idle, silence)


def to_retries(route: Route, *, watch: bool) -> tuple[Directive, ...]:
    """Timeouts of the outer hop: the total until the answer begins, every try included. With `watch` the inner hop
    keeps the first byte of a watched stream."""
    patient = route.websocket or (watch and watched(route))
    silence = route.timeouts.idle if patient else route.timeouts.request
    return _proxy(_PATIENCE, route.timeouts.idle, silence)


def total(route: Route) -> int | None:
    """Milliseconds in which the whole answer has to come, for the njs filter. None: streams and sockets go on."""
    return None if route.stream or route.websocket else round(route.timeouts.request * 1000)


def within() -> tuple[Directive, ...]:
    return _proxy(_PATIENCE, _PATIENCE, _PATIENCE)


def client(route: Route) -> tuple[Directive, ...]:
    return _client(route.timeouts.idle)


@remembered
def _client(idle: float) -> tuple[Directive, ...]:
    patience = milliseconds(idle)
    return (d("client_body_timeout", patience), d("send_timeout", patience))


@remembered
def _proxy(connect: float, send: float, read: float) -> tuple[Directive, ...]:
    return (
        d("proxy_connect_timeout", milliseconds(connect)),
        d("proxy_send_timeout", milliseconds(send)),
        d("proxy_read_timeout", milliseconds(read)),
    )
