"""Problems as data for the njs module, and the statuses that NGINX itself may answer with."""

from __future__ import annotations

from gwc.ir import Gateway
from gwc.problems import PROBLEMS, UPSTREAM_STATUS_TYPES
from gwc_nginx.conf import Directive, d

OWN = (400, 401, 403, 404, 405, 408, 412, 413, 414, 416, 429, 500, 501, 502, 503, 504, 505, 507)
"""Statuses of NGINX's own making that clients know as they are."""

_RENAMED = ((("494",), "431"), (("495", "496", "497"), "400"))
"""NGINX's own numbers: headers that are too large, and plain HTTP on a port for TLS."""

_AMBIGUOUS = {429: "rate-limited", 503: "unavailable"}
"""The usual type where a status has several."""


def error_pages() -> tuple[Directive, ...]:
    """By URI, not by name: a request whose URI NGINX could not read has no named location. What becomes of 412 is in
    cache.js: NGINX refuses a condition of the client's when the answer is there."""
    return (
        d("error_page", *(str(status) for status in OWN if status not in (412, 502)), "/_gwc/problem"),
        *renamed(),
        d("error_page", "502", "=", "/_gwc/gone"),
    )


def renamed() -> tuple[Directive, ...]:
    return tuple(d("error_page", *own, f"={status}", "/_gwc/problem") for own, status in _RENAMED)


def data(gateway: Gateway) -> dict[str, object]:
    by_status = {**{p.status: p.type for p in PROBLEMS.values()}, **_AMBIGUOUS}
    return {
        "errorTypeBase": gateway.error_type_base,
        "problems": {p.type: {"title": p.title, "detail": p.detail} for p in PROBLEMS.values()},
        "statuses": {f":{status}": type_ for status, type_ in by_status.items()},
        "upstreamStatuses": {f":{status}": type_ for status, type_ in UPSTREAM_STATUS_TYPES.items()},
    }
