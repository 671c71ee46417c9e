"""Listeners: the public one, and the admin one that readiness and the inner hop share."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Address, Gateway
from gwc_nginx import auth, cache, errors, headers, health, https, metrics, retries, scripts, tracing
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.places import sections
from gwc_nginx.quoting import q
from gwc_nginx.sections import Section, Shared, platform_of

LOOPBACK = "127.0.0.1"


def address(where: Address) -> str:
    return q(str(where))


def hop_address(gateway: Gateway) -> str:
    """The inner hop is on the admin port of the loopback interface, wherever the admin listener itself is."""
    return f"{LOOPBACK}:{gateway.listen.admin.port}"


def admin(gateway: Gateway) -> Iterator[Section]:
    """Readiness, and behind a password that no file holds the tries of the routes that retry."""
    yield "server {"
    yield Shared(_admin(gateway), depth=1)
    yield from sections(gateway, "asked")
    yield Shared((*health.location(gateway), *auth.examination(gateway), *tracing.location(gateway)), depth=1)
    yield from sections(gateway, "lane")
    yield "}"


def _admin(gateway: Gateway) -> tuple[Directive, ...]:
    own: tuple[Directive, ...] = (d("listen", q(hop_address(gateway))),)
    where = gateway.listen.admin
    if where.host != LOOPBACK:
        own = (d("listen", address(where), "default_server"), *own)
    return (
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
        *(cache.inner_doors() if cache.cached(gateway) else ()),
    )


def public(gateway: Gateway) -> Iterator[Section]:
    """Every request is first sent to the location of its route; a client cannot ask for one of those itself."""
    if https.redirects(gateway):
        yield Shared((_redirect(gateway),))
    yield "server {"
    yield Shared(_public(platform_of(gateway)), depth=1)
    yield from sections(gateway, "place")
    yield from sections(gateway, "store")
    if cache.cached(gateway):
        yield Shared(cache.outer_doors(), depth=1)
    yield "}"


def _public(platform: Gateway) -> tuple[Directive, ...]:
    return (
        *listeners(platform, "default_server"),
        d("server_name", q("_")),
        *scripts.imports(scripts.PUBLIC),
        *_common(),
        *headers.directives(headers.of_njs(platform).headers),
        block("if", "($gwc_new)", of=(d("set", "$gwc_routed", "1"), d("rewrite", "^", "$gwc_location", "last"))),
        block("location", "/", of=(d("return", "404"),)),
        block("location", "=", "/_gwc/refusal", of=(*_ANSWER, d("js_content", "problem.refuse"))),
        block("location", "=", "/_gwc/preflight", of=(*_ANSWER, d("js_content", "cors.preflight"))),
        block("location", "=", "/_gwc/gone", of=(*_ANSWER, d("js_content", "problem.gone"))),
    )


_ANSWER = (d("internal"), d("client_max_body_size", "0"))
"""A body that was refused is not measured a second time on its way to the answer."""


def _common() -> tuple[Directive, ...]:
    return (
        *errors.error_pages(),
        block("location", "=", "/_gwc/problem", of=(*_ANSWER, d("js_content", "problem.made"))),
    )


def _redirect(gateway: Gateway) -> Directive:
    assert gateway.listen.http is not None
    return block("server", origin=(gateway.listen, "http"), of=(
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
        yield d("listen", address(plain), *options, origin=(gateway.listen, "http"))
    if encrypted is not None:
        words = ("ssl", "http2") if old else ("ssl",)
        yield d("listen", address(encrypted.address), *words, *options, origin=(gateway.listen, "https"))
        yield from () if old else (d("http2", "on"),)
