"""Listeners: the public one, and the admin one that readiness and the inner hop share."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Address, Gateway, Origin, Route, Service
from gwc_nginx import (
    auth,
    body,
    cache,
    concurrency,
    errors,
    headers,
    health,
    https,
    metrics,
    retries,
    scripts,
    timeouts,
    tracing,
    upstream,
)
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.headers import Expressions
from gwc_nginx.quoting import q
from gwc_nginx.routing import distinct, places

LOOPBACK = "127.0.0.1"


def address(where: Address) -> str:
    return q(str(where))


def hop_address(gateway: Gateway) -> str:
    """The inner hop is on the admin port of the loopback interface, wherever the admin listener itself is."""
    return f"{LOOPBACK}:{gateway.listen.admin.port}"


def admin(gateway: Gateway) -> Iterator[Directive]:
    """Readiness, and behind a password that no file holds the tries of the routes that retry."""
    own: tuple[Directive, ...] = (d("listen", q(hop_address(gateway))),)
    where = gateway.listen.admin
    if where.host != LOOPBACK:
        own = (d("listen", address(where), "default_server"), *own)
    yield block("server", of=(
        *own,
        *scripts.imports(scripts.ADMIN),
        d("access_log", "/dev/null", "gwc_done"),
        d("large_client_header_buffers", "8", "64k"),
        d("client_max_body_size", "0"),
        d("recursive_error_pages", "on"),
        *retries.hop_headers(),
        *(d("proxy_hide_header", name) for name in ("X-Gwc-Limited", "X-Gwc-Reason")),
        block("location", "=", "/ready", of=(d("default_type", "text/plain"), d("return", "200", q("ready")))),
        *metrics.of_njs(gateway),
        block("location", "/", of=(d("return", "404"),)),
        *retries.doors(),
        *cache.inner(gateway),
        *health.location(gateway),
        *auth.examination(gateway),
        *tracing.location(gateway),
        *retries.locations(gateway),
    ))  # fmt: skip


def public(gateway: Gateway) -> Iterator[Directive]:
    """Every request is first sent to the location of its route; a client cannot ask for one of those itself."""
    if https.redirects(gateway):
        yield _redirect(gateway)
    base = headers.of_njs(gateway)
    yield block("server", of=(
        *listeners(gateway, "default_server"),
        d("server_name", q("_")),
        *scripts.imports(scripts.PUBLIC),
        *_common(),
        *headers.directives(base),
        block("if", "($gwc_new)", of=(d("set", "$gwc_routed", "1"), d("rewrite", "^", "$gwc_location", "last"))),
        block("location", "/", of=(d("return", "404"),)),
        block("location", "=", "/_gwc/refusal", of=(*_ANSWER, d("js_content", "problem.refuse"))),
        block("location", "=", "/_gwc/preflight", of=(*_ANSWER, d("js_content", "cors.preflight"))),
        block("location", "=", "/_gwc/gone", of=(*_ANSWER, d("js_content", "problem.gone"))),
        *routes(gateway, base),
        *cache.outer(gateway, base),
    ))  # fmt: skip


_ANSWER = (d("internal"), d("client_max_body_size", "0"))
"""A body that was refused is not measured a second time on its way to the answer."""


def _common() -> tuple[Directive, ...]:
    return (
        *errors.error_pages(),
        block("location", "=", "/_gwc/problem", of=(*_ANSWER, d("js_content", "problem.made"))),
    )


def _redirect(gateway: Gateway) -> Directive:
    assert gateway.listen.http is not None
    return block("server", origin=_origin(gateway, "http"), of=(
        d("listen", address(gateway.listen.http), "default_server"),
        # A request without a host has none, instead of the server's name.
        d("server_name", q("")),
        *scripts.imports(scripts.REDIRECT),
        *_common(),
        block("location", "=", "/_gwc/gone", of=(d("return", "404"),)),
        block("location", "/", of=(d("default_type", q("")), d("js_content", "redirect.moved"))),
    ))  # fmt: skip


def listeners(gateway: Gateway, *options: str, old: bool = False) -> Iterator[Directive]:
    """Of the server that serves. `old`: an NGINX before 1.25.1 takes HTTP/2 as a word of `listen`."""
    plain, encrypted = gateway.listen.http, gateway.listen.https
    if plain is not None and not https.redirects(gateway):
        yield d("listen", address(plain), *options, origin=_origin(gateway, "http"))
    if encrypted is not None:
        words = ("ssl", "http2") if old else ("ssl",)
        yield d("listen", address(encrypted.address), *words, *options, origin=_origin(gateway, "https"))
        yield from () if old else (d("http2", "on"),)


def _origin(gateway: Gateway, field: str) -> Origin | None:
    return gateway.listen.provenance.get(field)


def routes(gateway: Gateway, base: Expressions) -> Iterator[Directive]:
    """A location for each of the distinct sets of directives."""
    for name, service, route in distinct(gateway, places(gateway)):
        origin = route.provenance.get("path")
        of = (d("internal"), *concurrency.caps(gateway, service), *_settings(service, route, base))
        yield block("location", "=", q(f"/_gwc/route/{name}"), of=of, origin=origin)


def _settings(service: Service, route: Route, base: Expressions) -> tuple[Directive, ...]:
    return (
        *body.limit(route),
        *timeouts.client(route),
        *body.flow(route),
        d("js_header_filter", "problem.headers"),
        d("js_body_filter", "problem.replace", "buffer_type=buffer"),
        *_own_headers(route, base),
        *_forward(service, route),
    )


def _own_headers(route: Route, base: Expressions) -> tuple[Directive, ...]:
    """Nothing, where the server's set is right as it is."""
    wanted = headers.changed(headers.upgrade(base) if route.websocket else base, route.headers.request)
    return () if wanted == base else headers.directives(wanted)


def _forward(service: Service, route: Route) -> tuple[Directive, ...]:
    if retries.needs_hop(service, route):
        return (
            *timeouts.to_retries(route, watch=True),
            d("proxy_pass", "http://gwc_hop/_gwc/hop/$gwc_settings/$gwc_route$gwc_uri"),
        )
    return (
        *timeouts.to_service(route),
        *upstream.verification(service),
        d("proxy_pass", f"{upstream.scheme(service)}://$gwc_upstream$gwc_uri"),
    )
