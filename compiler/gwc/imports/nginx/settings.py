"""What holds on a location, own and inherited, as the sections of a route."""

from __future__ import annotations

import re

from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.identity import assume_jwt, close
from gwc.imports.masking import may_be_secret
from gwc.imports.nginx.cache import add_cache
from gwc.imports.nginx.scope import Scope, bytes_of, seconds, time_of
from gwc.imports.nginx.syntax import Directive
from gwc.imports.values import size

_LET = "let the service do it"
_TOLD = "the gateway tells the service by itself"
_FORWARDED = frozenset({
    *("host", "x-real-ip", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "forwarded"),
    *("x-forwarded-server", "x-scheme", "x-original-uri", "x-request-id", "connection", "upgrade", "accept-encoding"),
    *("x-forwarded-prefix", "x-forwarded-scheme", "te"),
})  # fmt: skip
_CORS = {
    "access-control-allow-methods": "methods",
    "access-control-allow-headers": "headers",
    "access-control-allow-credentials": "credentials",
    "access-control-max-age": "max_age",
}


def apply_settings(route: Table, scope: Scope, platform: Table, findings: Findings) -> None:
    _auth(route, scope, platform, findings)
    _timeouts(route, scope, findings)
    _body(route, scope, findings)
    _request_headers(route, scope, findings)
    _response_headers(route, scope, findings)
    add_cache(route, scope, findings)
    _streaming(route, scope, findings)


def _auth(route: Table, scope: Scope, platform: Table, findings: Findings) -> None:
    """Whatever guards a location that the language lacks: strangers stay outside."""
    token = scope.one("auth_jwt")
    guards = [one for name in ("auth_basic", "auth_request") if (one := scope.one(name)) and one.first != "off"]
    guards += [one for one in (scope.one("ssl_verify_client"),) if one is not None and one.first == "on"]
    guards += [one for one in scope.every("deny", "allow") if one.name == "deny"]
    for name in ("satisfy", "auth_basic_user_file", "auth_jwt_key_file", "auth_jwt_key_request", "auth_request_set"):
        scope.every(name)
    for guard in guards:
        hint = "nobody gets in until you write auth by hand"
        findings.approximate(guard.span, f"`{guard.name}` has no counterpart in a policy", hint)
    if guards:
        close(route, platform, guards[0].name, guards[0].span, findings)
    elif token is not None and token.first != "off":
        assume_jwt(platform, token.span, findings)
        route.put("auth.any_of", ["jwt"], token.span)
    else:
        route.put("auth", "none", route.span)


def _timeouts(route: Table, scope: Scope, findings: Findings) -> None:
    connect, reading, sending = (scope.one(f"proxy_{word}_timeout") for word in ("connect", "read", "send"))
    if connect is not None and (time := time_of(connect)):
        route.put("timeouts.connect", time, connect.span)
    if reading is not None and (time := time_of(reading)):
        route.put("timeouts.request", time, reading.span)
        route.put("timeouts.idle", time, reading.span)
        what = "proxy_read_timeout is the time between two reads; timeouts.request is that of the whole request"
        findings.approximate(reading.span, what, "raise timeouts.request where answers take longer as a whole")
    if sending is not None and (reading is None or seconds(sending.first) != seconds(reading.first)):
        findings.approximate(sending.span, "timeouts.idle holds for both directions")
    for name in ("send_timeout", "client_body_timeout"):
        if (one := scope.one(name)) is not None:
            findings.approximate(one.span, f"{name} is timeouts.idle, which holds for both directions")


def _body(route: Table, scope: Scope, findings: Findings) -> None:
    found = scope.one("client_max_body_size")
    limit = bytes_of(found.first) if found is not None else None
    if found is None or limit is None:
        return
    if limit == 0:
        findings.left_out(found.span, "bodies of any size", "the language has a bound for them: write max_body")
        return
    route.put("max_body", size(limit)[0], found.span)


def _request_headers(route: Table, scope: Scope, findings: Findings) -> None:
    for one in scope.every("proxy_set_header"):
        name, value = (*one.words, "", "")[:2]
        if name.lower() == "upgrade" and value == "$http_upgrade":
            route.put("websocket", True, one.span)
        if name.lower() in _FORWARDED:
            findings.no_matter(one.span, f"proxy_set_header {name[:40]}", _TOLD)
        elif value == "":
            _grow(route, "headers.request.remove", name, one)
        elif "$" in value:
            findings.left_out(
                one.span, f"the header {name[:60]} with a value made of variables", "let the service do it"
            )
        elif may_be_secret(name, value):
            _credential(one, name, findings)
        else:
            _set(route, "headers.request.set", name, value, one)


def _credential(one: Directive, name: str, findings: Findings) -> None:
    hint = "identity.gateway_secret proves a request's way, by reference: {header: NAME, secret: {env: NAME}}"
    findings.secret(one.place(1), f"the header {name[:60]} holds what looks like a secret; it is not copied", hint)


def _response_headers(route: Table, scope: Scope, findings: Findings) -> None:
    cors = {}
    for one in scope.every("add_header"):
        name, value = (*one.words, "", "")[:2]
        if name.lower().startswith("access-control-"):
            cors[name.lower()] = one
        elif value == "" or "$" in value:
            findings.left_out(
                one.span, f"the header {name[:60]} with a value made of variables", "let the service do it"
            )
        elif may_be_secret(name, value):
            _credential(one, name, findings)
        else:
            _set(route, "headers.response.set", name, value, one)
    for one in scope.every("proxy_hide_header"):
        if one.first.lower() not in {key.lower() for key in route.value("headers.response.set", {})}:
            _grow(route, "headers.response.remove", one.first, one)
    _cors(route, cors, findings)


def _cors(route: Table, headers: dict[str, Directive], findings: Findings) -> None:
    origin = headers.pop("access-control-allow-origin", None)
    if origin is None or "$" in origin.words[1]:
        for one in (origin, *headers.values()):
            if one is not None:
                hint = "write cors: {origins: [...]}: a policy names the origins that may call"
                findings.left_out(one.span, f"`{one.first[:60]}` with origins that are not written here", hint)
        return
    route.put("cors.origins", [origin.words[1]], origin.span)
    for name, one in headers.items():
        value: object = one.words[1]
        parts = [part.strip() for part in str(value).split(",") if part.strip()]
        if name not in _CORS:
            findings.left_out(one.span, f"`{name[:60]}` is no setting of cors")
            continue
        if name == "access-control-max-age":
            value = f"{value}s"
        elif name == "access-control-allow-credentials":
            value = value == "true"
        else:
            value = parts
        route.put(f"cors.{_CORS[name]}", value, one.span)


def _set(route: Table, path: str, name: str, value: str, one: Directive) -> None:
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        value = value.strip()
    known = dict(route.value(path, {}))
    route.put(path, {**known, name: value.strip()}, one.span)


def _grow(route: Table, path: str, name: str, one: Directive) -> None:
    known = list(route.value(path, []))
    if name.lower() not in {item.lower() for item in known}:
        route.put(path, [*known, name], one.span)


def _streaming(route: Table, scope: Scope, findings: Findings) -> None:
    found = scope.one("proxy_buffering")
    if found is not None and found.first == "off" and not route.value("websocket", False):
        what = "answers that are not buffered are taken for streams: timeouts.request bounds the time to the first byte"
        findings.approximate(found.span, what, "remove stream: true where answers are whole")
        route.put("stream", True, found.span)
    scope.one("proxy_request_buffering")
