"""Prometheus metrics on the admin listener. Profile njs counts what its requests came to; profile plain knows only
what NGINX itself counts."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Gateway
from gwc_nginx import limits
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.quoting import DOLLAR, q, text_lines

_TYPE = q("text/plain; version=0.0.4; charset=utf-8")

_COUNTS = 30
"""Numbers of a route, at most: eleven bounds of the histogram and what is above, the sum, the classes of statuses, the
results of a cache, tries, units, and what refuses beside its limits."""

_SLOT = 256
"""Bytes of a number in a zone of NGINX, with its name and what the dictionary needs."""

_MIB = 1 << 20


def zones(gateway: Gateway) -> tuple[str, ...]:
    """Room for every number that there can be, so that nothing has to be evicted: a counter that starts anew in the
    middle of a histogram would show requests that nobody made. Memory that is not used yet costs nothing."""
    numbers = _COUNTS + sum(
        _COUNTS * len(service.routes) + limits.count(gateway, service) for service in gateway.services
    )
    size = 1 + -(-(numbers * _SLOT) // _MIB)
    return (f"gwc_metrics:{size}m type=number", "gwc_unmeasured:32k type=number")


def hidden(gateway: Gateway) -> bool:
    """Whether the path is one of those that the gateway keeps for itself: then there is no page."""
    return gateway.metrics_path.startswith("/_gwc/")


def of_njs(gateway: Gateway) -> Iterator[Directive]:
    if not hidden(gateway):
        yield _location(gateway, d("js_content", "metrics.serve"))


def of_plain(gateway: Gateway) -> Iterator[Directive]:
    """`stub_status` gives totals as a text alone. Server-side includes take its numbers out: they are the one thing in
    NGINX that can read an answer."""
    if hidden(gateway):
        return
    yield block("location", "=", "/_gwc/status", of=(d("internal"), d("stub_status")))
    yield _location(
        gateway,
        d("ssi", "on"),
        d("ssi_types", "*"),
        d("ssi_last_modified", "off"),
        d("default_type", _TYPE),
        d("return", "200", text_lines((_read(), *_totals(), "<!--# endif -->" + _GAUGE[0], *_GAUGE[1:]))),
    )


def _location(gateway: Gateway, *of: Directive) -> Directive:
    origin = (gateway, "metrics_path")
    return block("location", "=", q(gateway.metrics_path), of=of, origin=origin)


_GAUGE = (
    "# HELP gwc_connections Open connections by state, those of the gateway to itself too.",
    "# TYPE gwc_connections gauge",
    *(f'gwc_connections{{state="{state}"}} $connections_{state}' for state in ("reading", "writing", "waiting")),
)
_TOTALS = (
    ("accepted", "gwc_connections_accepted_total", "Connections accepted, those of the gateway to itself too."),
    ("handled", "gwc_connections_handled_total", "Connections handled: all, unless a resource ran out."),
    ("requests", "gwc_http_requests_total", "Requests begun, those of the gateway to itself and of this page too."),
)


def _read() -> str:
    pattern = r"requests\s+" + r"\s+".join(f"(?P<gwc_{name}>[0-9]+)" for name, _, _ in _TOTALS)
    include = '<!--# include virtual="/_gwc/status" set="gwc_status" wait="yes" -->'
    return f'{include}<!--# if expr="{DOLLAR}gwc_status = /{pattern}/" -->'


def _totals() -> Iterator[str]:
    for name, metric, about in _TOTALS:
        yield f"# HELP {metric} {about}"
        yield f"# TYPE {metric} counter"
        yield f'{metric} <!--# echo var="gwc_{name}" -->'
