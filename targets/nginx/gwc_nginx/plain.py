"""Profile plain: a distribution's NGINX without njs. NGINX's own locations match, and two hops stand for what one
cannot do: the outer one keeps the total timeout and words the errors, the inner one speaks to the service.

The inner hop is on the loopback interface without a password, so it adds nothing that a process on the gateway's host
could not say to the service itself: identity, secret and limits belong to the outer hop.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from gwc.ir import Gateway, RetryCause, Route, Service
from gwc.problems import PROBLEMS, UPSTREAM_STATUS_TYPES
from gwc.routing import HostTable, host_tables
from gwc_nginx import (
    access_log,
    body,
    cors,
    errors,
    headers,
    https,
    identity,
    listen,
    plain_routes,
    request_id,
    timeouts,
    upstream,
)
from gwc_nginx import plain_cache as kept
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.headers import Expressions
from gwc_nginx.quoting import q, qlit, regex
from gwc_nginx.routing import bracketed
from gwc_nginx.sections import Own, Section, Shared, platform_of
from gwc_nginx.sharing import route_name

SECRET_FILE = "secrets/gateway_secret.conf"  # noqa: S105 - where it will be, not what it is
SHAPED = (429, *range(500, 600))
"""Statuses of a service's answer that become problems unless they are."""

_RETRIED = (500, 502, 503, 504)
"""Statuses that proxy_next_upstream knows."""

_KONG = ("Admin", "Client", "Proxy", "Response", "Total", "Upstream")
_BANNERS = ("Via", *(f"X-Kong-{what}-Latency" for what in _KONG))
"""Traces of gateways behind this one."""


def clients(gateway: Gateway) -> Iterator[Directive]:
    yield from https.settings(gateway)
    yield from identity.clients(gateway)
    yield from request_id.correlation(gateway)
    yield block("map", q("$gwc_routed:$status"), "$gwc_new", of=(d("volatile"), d("default", q("")), d("~^:000$", "1")))
    yield from headers.upgrades()
    yield block("map", "$http_host", "$gwc_host", of=(d("default", "$http_host"), d(q(""), "$host")))
    # A slash, backslash or zero that hides behind an escape, and a raw backslash: no service should read them anew.
    hidden = r"~*^[^?]*(%2f|%5c|%00|\\)"
    yield block("map", "$request_uri", "$gwc_hidden", of=(d("default", "0"), d(q(hidden), "1")))
    yield block("map", q("$gwc_routed:$status:$gwc_hidden"), "$gwc_refused", of=(
        d("volatile"), d("default", q("")), d("~^:000:1$", "1"),
    ))  # fmt: skip
    yield from access_log.maps()
    yield from access_log.plain_maps(gateway)
    yield from cors.maps(cors.of_gateway(gateway))
    yield from kept.maps(gateway)
    yield from _problems(gateway)


def _problems(gateway: Gateway) -> Iterator[Directive]:
    """The text of a problem by status. A path that JSON could not hold as it is leaves `instance` out."""
    by_status = {**{p.status: p.type for p in PROBLEMS.values()}, **UPSTREAM_STATUS_TYPES}
    by_status |= {status: "internal-error" for status in SHAPED if status not in by_status}
    by_status |= {status: "bad-request" for status in errors.OWN if status not in by_status}
    cases = (d(str(status), qlit(_text(gateway, type_))) for status, type_ in sorted(by_status.items()))
    yield block("map", "$status", "$gwc_problem", of=(d("default", qlit(_text(gateway, "internal-error"))), *cases))
    path = r'~^(?<gwc_asked>/[^?"\\\x00-\x1f\x7f-\xff]*)'
    instance = block("map", "$request_uri", "$gwc_instance", of=(
        d("default", q("")), d(q(path), q('"instance":"$gwc_asked",')),
    ))  # fmt: skip
    yield instance
    yield block("map", "$upstream_http_content_type", "$gwc_is_problem", of=(
        d("default", "0"), d(q(r"~*^application/problem\+json\s*(;|$)"), "1"),
    ))  # fmt: skip
    yield block("map", q("$status:$gwc_is_problem"), "$gwc_reshaped", of=(
        d("default", q("")), d(q(r"~^(?<gwc_shaped>429|5[0-9][0-9]):0$"), "/_gwc/error/$gwc_shaped"),
    ))  # fmt: skip


def _text(gateway: Gateway, type_: str) -> str:
    known = PROBLEMS[type_]
    problem = {"type": gateway.error_type_base + type_, "title": known.title, "detail": known.detail}
    return json.dumps(problem, separators=(",", ":"))[1:-1]


def upstreams(gateway: Gateway) -> Iterator[Section]:
    platform = platform_of(gateway)
    if upstream.has_names(gateway):
        yield Shared((d("resolver", *upstream.RESOLVER.split()),))
    for service in gateway.services:
        yield Own(platform, service, "upstream", _upstream)
    hop = d("server", q(listen.hop_address(gateway)), "max_fails=0")
    yield Shared((block("upstream", "gwc_hop", of=(hop, d("keepalive", "64"))),))
    if gateway.identity.gateway_secret is not None:
        yield Shared((d("include", SECRET_FILE),))


def _upstream(_: Gateway, service: Service, __: str) -> Iterator[Directive]:
    """A service whose endpoints have names is reached through a variable: NGINX 1.22 would not start without DNS."""
    endpoints = service.upstream.endpoints
    if _named(service):
        total = sum(e.weight for e in endpoints)
        *shares, last = endpoints
        parts = (d(f"{100 * e.weight / total:.2f}%", q(str(e.address))) for e in shares)
        of = (*parts, d(q("*"), q(str(last.address))))
        yield block("split_clients", q("$request_id$request_length"), _chosen(service), of=of)
        return
    # NGINX retries on another server only: where there are too few, each is named as often as it takes.
    times = -(-(1 + max(route.retries.attempts for route in service.routes)) // len(endpoints))
    servers = tuple(upstream.server(e) for e in endpoints)
    yield block("upstream", service.name, of=servers * times)


def _named(service: Service) -> bool:
    return any(upstream.is_name(e.address.host) for e in service.upstream.endpoints)


def _chosen(service: Service) -> str:
    return "$gwc_endpoint_" + re.sub(r"[^a-z0-9]", "_", service.name)


def secret_file(values: tuple[str, ...]) -> str:
    """`geo` does not expand variables in its values. A value that could end its header line is refused."""
    value = values[0].removesuffix("\n").removesuffix("\r")
    if not value or not re.fullmatch(r"[\x20-\x7e]+", value):
        raise ValueError("the gateway secret is empty or holds a character that no header may hold")
    return f"geo $gwc_secret {{\n    default {q(value)};\n}}\n"


def public(gateway: Gateway) -> Iterator[Section]:
    if https.redirects(gateway):
        yield Shared((_redirect(gateway),))
    *named, last = host_tables(gateway)
    for table in named:
        yield from _server(gateway, table, own=len(table.entries) - len(last.entries))
    yield from _server(gateway, last, own=len(last.entries))


def _server(gateway: Gateway, table: HostTable, *, own: int) -> Iterator[Section]:
    yield "server {"
    yield Shared(_head(gateway, table.host), depth=1)
    yield from plain_routes.sections(gateway, table, own=own)
    yield "}"


def _head(gateway: Gateway, host: str | None) -> tuple[Directive, ...]:
    default = () if host is not None else ("default_server",)
    unknown = (*(d("set", f"${name}", q("")) for name in ("gwc_route", "gwc_allow", "gwc_store")), *cors.forgotten())
    new = (d("set", "$gwc_routed", "1"), d("set", "$gwc_path", "$uri"), *unknown)
    correlation = plain_routes.correlation(gateway)
    return (
        *listen.listeners(gateway, *default, old=True),
        d("server_name", q(bracketed(host) if host is not None else "_")),
        d("error_page", *(str(s) for s in sorted({*errors.OWN, *SHAPED})), "/_gwc/problem"),
        *errors.renamed(),
        *headers.directives(headers.of_plain(platform_of(gateway)).headers),
        # A route has the bound of its own; before there is one nothing is read.
        d("client_max_body_size", "0"),
        block("if", "($gwc_refused)", of=(d("return", "400"),)),
        block("if", "($gwc_new)", of=new),
        block("location", "/", of=(d("return", "404"),)),
        _problem(correlation, *kept.told(gateway)),
        *cors.preflights(cors.of_gateway(gateway), correlation),
        *(block("location", "=", f"/_gwc/error/{s}", of=(d("internal"), d("return", str(s)))) for s in SHAPED),
    )


def _problem(correlation: Directive, *told: Directive) -> Directive:
    return block("location", "=", "/_gwc/problem", of=(
        d("internal"),
        d("set", "$gwc_problem_made", "1"),
        d("default_type", "application/problem+json"),
        correlation,
        d("add_header", "Allow", "$gwc_allow", "always"),
        *told,
        *cors.answers(),
        d("return", "200", _problem_body()),
    ))  # fmt: skip


def _redirect(gateway: Gateway) -> Directive:
    """Only a host that is served, as it may stand in an address: a client's text never becomes a header's. NGINX has a
    page of its own for a 308, so the answer is made where an error's would be."""
    assert gateway.listen.http is not None
    served = https.hosts(gateway)
    to = q(f"https://$host{https.port(gateway)}$request_uri")
    hosts = https.HOST if served is None else "(?:" + "|".join(regex(bracketed(host)) for host in served) + ")"
    correlation = plain_routes.correlation(gateway)
    return block("server", of=(
        d("listen", q(str(gateway.listen.http)), "default_server"),
        d("server_name", q("")),
        d("error_page", *(str(s) for s in errors.OWN), "/_gwc/problem"),
        *errors.renamed(),
        d("error_page", "308", "/_gwc/moved"),
        d("client_max_body_size", "0"),
        *(d("set", f"${name}", q("")) for name in ("gwc_route", "gwc_allow", *cors.VARIABLES)),
        d("set", "$gwc_asked", q("$host $request_uri")),
        block("location", "/", of=(
            block("if", "($gwc_asked", "~", q(rf"^{hosts} {https.TARGET}\z") + ")", of=(d("return", "308", to),)),
            d("return", "400"),
        )),
        block("location", "=", "/_gwc/moved", of=(
            d("internal"),
            d("default_type", q("")),
            correlation,
            d("return", "200", q("")),
        )),
        _problem(correlation),
    ))  # fmt: skip


def _problem_body() -> str:
    return q('{$gwc_problem,"status":$status,$gwc_instance"request_id":"$gwc_request_id"}')


def admin(gateway: Gateway) -> Iterator[Section]:
    platform = platform_of(gateway)
    yield "server {"
    yield Shared(_admin(gateway), depth=1)
    for service in gateway.services:
        yield Own(platform, service, "hops", _hops, depth=1)
    yield "}"


def _admin(gateway: Gateway) -> tuple[Directive, ...]:
    own: tuple[Directive, ...] = (d("listen", q(listen.hop_address(gateway))),)
    where = gateway.listen.admin
    if where.host != listen.LOOPBACK:
        own = (d("listen", q(str(where)), "default_server"), *own)
    return (
        *own,
        d("access_log", "off"),
        d("large_client_header_buffers", "8", "64k"),
        d("client_max_body_size", "0"),
        *headers.directives(_INNER),
        *(d("proxy_hide_header", q(name)) for name in (*_BANNERS, *identity.STRIPPED)),
        block("location", "=", "/ready", of=(d("default_type", "text/plain"), d("return", "200", q("ready")))),
        d("include", "metrics[.]conf"),
        block("location", "/", of=(d("return", "404"),)),
    )


def _hops(_: Gateway, service: Service, __: str) -> Iterator[Directive]:
    return (_hop(service, route) for route in service.routes if route.auth is None)


_INNER: Expressions = {
    "host": ("Host", q("$http_host")),
    "connection": ("Connection", q("$gwc_connection")),
    "upgrade": ("Upgrade", q("$gwc_upgrade")),
}


def _hop(service: Service, route: Route) -> Directive:
    prefix = f"/_gwc/hop/{route_name(service, route)}"
    return block("location", "^~", q(f"{prefix}/"), of=(
        *timeouts.of_a_try(route),
        *body.flow(route),
        *_retries(route),
        *upstream.verification(service),
        d("add_header", "X-Accel-Redirect", "$gwc_reshaped", "always"),
        *kept.judged(route),
        d("add_header", "X-Gwc-Address", "$upstream_addr", "always"),
        d("rewrite", q(rf"(?s)^{regex(prefix)}(?<gwc_rest>/.*)\z"), q("$gwc_rest"), "break"),
        d("proxy_pass", f"{upstream.scheme(service)}://{_target(service)}"),
    ))  # fmt: skip


def _target(service: Service) -> str:
    return _chosen(service) if _named(service) else service.name


def _retries(route: Route) -> tuple[Directive, ...]:
    retries = route.retries
    causes = [
        *(["error"] if retries.causes else []),
        *(["timeout"] if retries.per_try is not None or RetryCause.CONNECT in retries.causes else []),
        *(f"http_{status}" for status in retries.statuses if status in _RETRIED),
        *(["non_idempotent"] if retries.unsafe else []),
    ]
    if not retries.attempts or not causes:
        return (d("proxy_next_upstream", "off"),)
    return (d("proxy_next_upstream", *causes), d("proxy_next_upstream_tries", str(retries.attempts + 1)))
