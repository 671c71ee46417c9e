"""Profile plain: a distribution's NGINX without njs. NGINX's own locations match, and two hops stand for what one
cannot do: the outer one keeps the total timeout and words the errors, the inner one speaks to the service.

The inner hop is on the loopback interface without a password, so it adds nothing that a process on the gateway's host
could not say to the service itself: identity, secret and limits belong to the outer hop.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from gwc.ir import Cors, Gateway, HeaderChanges, RetryCause, Route, SegmentKind, Service
from gwc.problems import PROBLEMS, UPSTREAM_STATUS_TYPES
from gwc.routing import HostTable, PathEntry, host_tables
from gwc_nginx import access_log, body, cors, errors, headers, https, identity, listen, request_id, timeouts, upstream
from gwc_nginx import plain_cache as kept
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.headers import Expressions
from gwc_nginx.quoting import q, qlit, regex
from gwc_nginx.routing import bracketed, route_name

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


def upstreams(gateway: Gateway) -> Iterator[Directive]:
    """A service whose endpoints have names is reached through a variable: NGINX 1.22 would not start without DNS."""
    if upstream.has_names(gateway):
        yield d("resolver", *upstream.RESOLVER.split())
    for service in gateway.services:
        endpoints = service.upstream.endpoints
        if any(upstream.is_name(e.address.host) for e in endpoints):
            total = sum(e.weight for e in endpoints)
            *shares, last = endpoints
            parts = (d(f"{100 * e.weight / total:.2f}%", q(str(e.address))) for e in shares)
            of = (*parts, d(q("*"), q(str(last.address))))
            yield block("split_clients", q("$request_id$request_length"), _chosen(service), of=of)
            continue
        # NGINX retries on another server only: where there are too few, each is named as often as it takes.
        times = -(-(1 + max(route.retries.attempts for route in service.routes)) // len(endpoints))
        servers = tuple(upstream.server(e) for e in endpoints)
        yield block("upstream", service.name, of=servers * times)
    hop = d("server", q(listen.hop_address(gateway)), "max_fails=0")
    yield block("upstream", "gwc_hop", of=(hop, d("keepalive", "64")))
    if gateway.identity.gateway_secret is not None:
        yield d("include", SECRET_FILE)


def _chosen(service: Service) -> str:
    return "$gwc_endpoint_" + re.sub(r"[^a-z0-9]", "_", service.name)


def secret_file(values: tuple[str, ...]) -> str:
    """`geo` does not expand variables in its values. A value that could end its header line is refused."""
    value = values[0].removesuffix("\n").removesuffix("\r")
    if not value or not re.fullmatch(r"[\x20-\x7e]+", value):
        raise ValueError("the gateway secret is empty or holds a character that no header may hold")
    return f"geo $gwc_secret {{\n    default {q(value)};\n}}\n"


def public(gateway: Gateway) -> Iterator[Directive]:
    if https.redirects(gateway):
        yield _redirect(gateway)
    base = headers.base(gateway)
    *named, last = host_tables(gateway)
    for table in named:
        yield _server(gateway, table, base, own=len(table.entries) - len(last.entries))
    yield _server(gateway, last, base, own=len(last.entries))


def _server(gateway: Gateway, table: HostTable, base: Expressions, *, own: int) -> Directive:
    default = () if table.host is not None else ("default_server",)
    unknown = (*(d("set", f"${name}", q("")) for name in ("gwc_route", "gwc_allow", "gwc_store")), *cors.forgotten())
    origins = cors.of_gateway(gateway)
    new = (d("set", "$gwc_routed", "1"), d("set", "$gwc_path", "$uri"), *unknown)
    routes = {route_name(m.service, m.route): (m.service, m.route) for e in table.entries for m in e.routes}
    correlation, queries = _correlation(gateway), kept.queries(gateway)
    return block("server", of=(
        *listen.listeners(gateway, *default, old=True),
        d("server_name", q(bracketed(table.host) if table.host is not None else "_")),
        d("error_page", *(str(s) for s in sorted({*errors.OWN, *SHAPED})), "/_gwc/problem"),
        *errors.renamed(),
        *headers.directives(base),
        # A route has the bound of its own; before there is one nothing is read.
        d("client_max_body_size", "0"),
        block("if", "($gwc_refused)", of=(d("return", "400"),)),
        block("if", "($gwc_new)", of=new),
        block("location", "/", of=(d("return", "404"),)),
        _problem(correlation, *kept.told(gateway)),
        *cors.preflights(origins, correlation),
        *(block("location", "=", f"/_gwc/error/{s}", of=(d("internal"), d("return", str(s)))) for s in SHAPED),
        *_entries(table, own, origins),
        *(_route(service, route, base, correlation) for service, route in routes.values()),
        *(_cached(*of, base, correlation, queries) for of in routes.values() if kept.served(of[1])),
    ))  # fmt: skip


def _correlation(gateway: Gateway) -> Directive:
    return d("add_header", q(gateway.request_id.header), "$gwc_request_id", "always")


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
    correlation = _correlation(gateway)
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


def _entries(table: HostTable, own: int, origins: tuple[Cors, ...]) -> Iterator[Directive]:
    """A host's own paths first, however wide: `=` would put a literal path of the others before them. The same path
    of both would be a duplicate to NGINX; the first one decides."""
    seen = set()
    for index, entry in enumerate(table.entries):
        if entry.path.shape not in seen:
            seen.add(entry.path.shape)
            yield _entry(entry, origins, exactly=index < own)


def _problem_body() -> str:
    return q('{$gwc_problem,"status":$status,$gwc_instance"request_id":"$gwc_request_id"}')


def _entry(entry: PathEntry, origins: tuple[Cors, ...], *, exactly: bool) -> Directive:
    """Where a path leads, by method. `=` wins over every pattern, as a literal path does; patterns are in order. What
    answers say of a route is settled here: a body that is too large is refused on the way to the route's location."""
    choices = (
        block(
            "if",
            f"($request_method = {method})",
            of=(
                d("set", "$gwc_route", q(name)),
                *cors.named(m.route.cors, origins),
                d("rewrite", "^", q(kept.place(m.route, method, name)), "last"),
            ),
        )
        for m in entry.routes
        for name in [route_name(m.service, m.route)]
        for method in m.route.methods
    )
    refusal = (d("set", "$gwc_allow", q(", ".join(entry.allow))), d("return", "405"))
    origin = entry.routes[0].route.provenance.get("path")
    of = (*cors.choices(entry, origins), *choices, *refusal)
    return block("location", *_matcher(entry, exactly), of=of, origin=origin)


def _matcher(entry: PathEntry, exactly: bool) -> tuple[str, str]:
    segments = entry.path.segments
    if exactly and all(s.kind is SegmentKind.LITERAL for s in segments):
        return "=", q("/" + "/".join(unquote(s.text) for s in segments))
    parts = {SegmentKind.PARAM: "[^/]+", SegmentKind.REST: ".*"}
    pattern = "/".join(parts.get(s.kind) or regex(unquote(s.text)) for s in segments)
    return "~", q(rf"(?s)^/{pattern}\z")


def _route(service: Service, route: Route, base: Expressions, correlation: Directive) -> Directive:
    name = route_name(service, route)
    origin = route.provenance.get("path")
    matcher = ("=", q(f"/_gwc/route/{name}"))
    if route.auth is not None:
        # Fail closed: credentials that nothing here can verify open no route.
        return block("location", *matcher, of=(d("internal"), d("return", "401")), origin=origin)
    wanted = headers.changed(headers.upgrade(base) if route.websocket else base, route.headers.request)
    return block("location", *matcher, origin=origin, of=(
        d("internal"),
        *(() if wanted == base else headers.directives(wanted)),
        *_answering(route, correlation),
        *kept.past(route),
        d("proxy_ignore_headers", *headers.ACCEL),
        *_to_hop(service, name),
    ))  # fmt: skip


def _cached(
    service: Service, route: Route, base: Expressions, correlation: Directive, queries: Mapping[tuple[str, ...], str]
) -> Directive:
    """The store answers, or the hop is asked."""
    assert route.cache is not None
    name = route_name(service, route)
    origin = route.cache.provenance.get("ttl")
    return block("location", "=", q(f"/_gwc/cache/{name}"), origin=origin, of=(
        d("internal"),
        *kept.asking(route, base, queries),
        *_answering(route, correlation),
        *kept.store(route),
        *kept.hidden(),
        *_to_hop(service, name),
    ))  # fmt: skip


def _answering(route: Route, correlation: Directive) -> tuple[Directive, ...]:
    """What does not depend on where an answer comes from."""
    return (
        *body.limit(route),
        *timeouts.client(route),
        *body.flow(route),
        *_response(route.headers.response),
        *cors.hidden(route.cors),
        *cors.answers(),
        correlation,
        *((kept.TOLD,) if kept.served(route) else ()),
        d("proxy_hide_header", q(correlation.args[0].strip('"'))),
        d("proxy_hide_header", "X-Gwc-Address"),
        *timeouts.to_retries(route, watch=False),
    )


def _to_hop(service: Service, name: str) -> tuple[Directive, ...]:
    """NGINX escapes a path that it rewrote itself; put into proxy_pass, its decoded bytes could end the request."""
    below = rf"(?s)^{regex(service.strip)}/?(?<gwc_below>.*)\z"
    return (
        d("rewrite", "^", "$gwc_path"),
        d("rewrite", q(below), q(f"/_gwc/hop/{name}/$gwc_below"), "break"),
        d("proxy_pass", "http://gwc_hop"),
    )


def _response(changes: HeaderChanges) -> Iterator[Directive]:
    yield from (d("proxy_hide_header", q(name)) for name in changes.remove)
    for name, value in changes.set:
        yield d("proxy_hide_header", q(name))
        yield d("add_header", q(name), qlit(value), "always")


def admin(gateway: Gateway) -> Iterator[Directive]:
    own: tuple[Directive, ...] = (d("listen", q(listen.hop_address(gateway))),)
    where = gateway.listen.admin
    if where.host != listen.LOOPBACK:
        own = (d("listen", q(str(where)), "default_server"), *own)
    yield block("server", of=(
        *own,
        d("access_log", "off"),
        d("large_client_header_buffers", "8", "64k"),
        d("client_max_body_size", "0"),
        *headers.directives(_INNER),
        *(d("proxy_hide_header", q(name)) for name in (*_BANNERS, *identity.STRIPPED)),
        block("location", "=", "/ready", of=(d("default_type", "text/plain"), d("return", "200", q("ready")))),
        d("include", "metrics[.]conf"),
        block("location", "/", of=(d("return", "404"),)),
        *(_hop(service, route) for service in gateway.services for route in service.routes if route.auth is None),
    ))  # fmt: skip


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
    names = any(upstream.is_name(e.address.host) for e in service.upstream.endpoints)
    return _chosen(service) if names else service.name


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
