"""The configuration of gwc's own plugin: one global instance for the platform and all routes.

Global, because Kong runs only the most specific instance of a plugin, and a request without a route has none other.
"""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Gateway, HeaderChanges, RetryCause, Route, Service
from gwc.problems import PROBLEMS
from gwc_kong.auth import auth_config, providers_config
from gwc_kong.cache import cache_config, loopback_config
from gwc_kong.cors import cors_config
from gwc_kong.https import redirect_config
from gwc_kong.limits import guards, shared_store
from gwc_kong.observability import log_config, metrics_config, tracing_config
from gwc_kong.routing import KongRoute
from gwc_kong.secrets import vault_reference
from gwc_kong.upstream_tls import tls_config
from gwc_kong.yaml_text import at

SECRET_VARIABLE = "GWC_GATEWAY_SECRET"  # noqa: S105 - a variable's name


def plugin_config(gateway: Gateway, routes: tuple[KongRoute, ...], profile: str) -> dict[str, object]:
    identity = gateway.identity
    config: dict[str, object] = {
        "error_type_base": at(gateway, "error_type_base", gateway.error_type_base),
        "request_id_header": at(gateway.request_id, "header", gateway.request_id.header),
        "accept": at(gateway.request_id, "accept", gateway.request_id.accept.value),
        "user_header": at(identity, "user_header", identity.user_header),
    }
    if identity.gateway_secret is not None:
        proof = identity.gateway_secret
        config["gateway_secret_header"] = at(proof, "header", proof.header)
        config["gateway_secret"] = at(proof, "secret", vault_reference(proof.secret, SECRET_VARIABLE))
    config["problems"] = {p.type: {"status": p.status, "title": p.title, "detail": p.detail} for p in PROBLEMS.values()}
    config |= dict(log_config(gateway)) | dict(redirect_config(gateway))
    config |= dict(providers_config(gateway)) | dict(loopback_config(gateway))
    if profile == "plugin":
        config |= dict(shared_store(gateway)) | dict(metrics_config()) | dict(tracing_config(gateway.tracing))
    config["routes"] = {route.name: _route_config(gateway, route, profile) for route in routes}
    return config


def _route_config(gateway: Gateway, row: KongRoute, profile: str) -> object:
    match: dict[str, object] = {"pattern": row.pattern, "priority": row.priority}
    if row.host is not None:
        match["host"] = row.host
    cors = cors_config(row.entry, row.members) if row.entry is not None else []
    if cors:
        match["cors"] = cors
    if row.source is None:
        return match | _answer(row)
    service, route = row.source
    match["methods"] = list(route.methods)
    # Kong hands a configuration to plugins of one's own; a function knows of it only when a request comes.
    together = profile == "plugin"
    checked = together and service.upstream.tls is None
    guarded = dict(guards(gateway, service, route, together=together, checked=checked))
    return at(route, "path", {**match, **dict(_proxy(service, route)), **guarded})


def _answer(row: KongRoute) -> dict[str, object]:
    if row.entry is None:
        return {"answer": "not-found"}
    return {"answer": "method-not-allowed", "allow": ", ".join(row.entry.allow)}


def _proxy(service: Service, route: Route) -> Iterator[tuple[str, object]]:
    yield "service", service.name
    yield "name", route.name
    yield "strip", service.strip
    if route.auth is not None:
        yield "auth", auth_config(route.auth)
    yield (
        "endpoints",
        [
            at(e, "address", {"host": bracketed(e.address.host), "port": e.address.port, "weight": e.weight})
            for e in service.upstream.endpoints
        ],
    )
    if service.upstream.tls is not None:
        yield "tls", tls_config(service.upstream.tls)
    yield "connect", at(route.timeouts, "connect", route.timeouts.connect)
    yield "request", at(route.timeouts, "request", route.timeouts.request)
    yield "idle", at(route.timeouts, "idle", route.timeouts.idle)
    yield "stream", at(route, "stream", route.stream)
    yield "websocket", at(route, "websocket", route.websocket)
    yield "max_body", at(route, "max_body", route.max_body)
    if route.cache is not None:
        yield "cache", cache_config(route.cache)
    yield "retries", dict(_retries(route))
    yield "request_headers", _changes(route.headers.request)
    yield "response_headers", _changes(route.headers.response)


def _retries(route: Route) -> Iterator[tuple[str, object]]:
    retries = route.retries
    yield "attempts", at(retries, "attempts", retries.attempts)
    yield "connect", at(retries, "causes", RetryCause.CONNECT in retries.causes)
    yield "reset", at(retries, "causes", RetryCause.RESET in retries.causes)
    yield "statuses", at(retries, "statuses", list(retries.statuses))
    if retries.per_try is not None:
        yield "per_try", at(retries, "per_try", retries.per_try)
    if retries.budget is not None:
        yield "budget", at(retries, "budget", retries.budget)
    yield "unsafe", at(retries, "unsafe", retries.unsafe)


def _changes(changes: HeaderChanges) -> dict[str, object]:
    return {
        "remove": at(changes, "remove", list(changes.remove)),
        "set": at(changes, "set", [{"name": name, "value": value} for name, value in changes.set]),
    }


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
