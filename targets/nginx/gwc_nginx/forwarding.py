"""What a route says of the way to its service, on the public listener."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Gateway, Route, Service
from gwc_nginx import body, breaker, concurrency, headers, retries, timeouts, upstream
from gwc_nginx.conf import Directive, d
from gwc_nginx.doors import Door


def doors(platform: Gateway, service: Service, route: Route) -> Iterator[Door]:
    of = (
        *concurrency.caps(platform, service),
        *body.limit(route),
        *timeouts.client(route),
        *body.flow(route),
        d("js_header_filter", "problem.headers"),
        d("js_body_filter", "problem.replace", "buffer_type=buffer"),
        *headers.own(headers.of_njs(platform), route),
        *_forward(service, route),
    )
    yield Door("route", of, (route, "path"))


def _forward(service: Service, route: Route) -> tuple[Directive, ...]:
    if retries.needs_hop(route, guarded=breaker.guarded(service)):
        return (
            *timeouts.to_retries(route, watch=True),
            d("proxy_pass", "http://gwc_hop/_gwc/hop/$gwc_settings/$gwc_route$gwc_uri"),
        )
    return (
        *timeouts.to_service(route),
        *upstream.verification(service),
        d("proxy_pass", f"{upstream.scheme(service)}://$gwc_upstream$gwc_uri"),
    )
