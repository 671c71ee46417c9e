"""The configuration of gwc's own plugin: one global instance for the platform and all routes.

Global, because Kong runs only the most specific instance of a plugin, and a request without a route has none other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gwc.ir import (
    Auth,
    Cache,
    Cors,
    Endpoint,
    Gateway,
    HeaderChanges,
    Retries,
    RetryCause,
    Route,
    Service,
    Timeouts,
    UpstreamTls,
)
from gwc.problems import PROBLEMS
from gwc_kong.auth import auth_config, providers_config
from gwc_kong.cache import cache_config, loopback_config
from gwc_kong.cors import cors_config
from gwc_kong.https import redirect_config
from gwc_kong.limits import Guards, shared_store
from gwc_kong.observability import log_config, metrics_config, tracing_config
from gwc_kong.routing import host_header, kong_name, row_name
from gwc_kong.secrets import vault_reference
from gwc_kong.sharing import At, Record, Shared, at
from gwc_kong.upstream_tls import tls_config

SECRET_VARIABLE = "GWC_GATEWAY_SECRET"  # noqa: S105 - a variable's name


def platform_config(gateway: Gateway, profile: str) -> dict[str, object]:
    """All but the routes."""
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
    return config


_BODY = ("stream", "websocket", "max_body")
"""What of a route itself shapes how bodies pass."""


class ServiceConfig:
    """The plugin's configuration of a service's routes; what they have in common is made once."""

    def __init__(self, gateway: Gateway, service: Service, profile: str) -> None:
        # Kong hands a configuration to plugins of one's own; a function knows of it only when a request comes.
        together = profile == "plugin"
        tls = service.upstream.tls
        self._service = service
        self._said: dict[str, object] = {"service": service.name, "strip": service.strip}
        if service.hosts:
            self._said["hosts"] = at(service, "hosts", [host_header(host) for host in service.hosts])
        self._upstream = Shared(_upstream, tls, *service.upstream.endpoints)
        self._guards = Guards(gateway, service, together=together, checked=together and tls is None)

    def rows(self) -> Iterator[tuple[str, At]]:
        """Of all its routes, by the names that the plugin has for them."""
        return map(self.row, self._service.routes)

    def row(self, route: Route) -> tuple[str, At]:
        service = self._service
        named = {"path": route.path.text, "methods": list(route.methods), "name": route.name}
        own = {**named, "upstream": kong_name(service.name, route.retries.attempts), **self._said}
        return row_name(service, route), at(route, "path", Record(own, *self._proxy(route), *self._guards.of(route)))

    def _proxy(self, route: Route) -> Iterator[Mapping[str, object]]:
        body = at(route, "path", (route.stream, route.websocket, route.max_body))  # as in _BODY
        yield Shared(_reached, route.auth, self._upstream, route.timeouts, body)
        if route.cors is not None:
            yield Shared(_cors, route.cors)
        if route.cache is not None:
            yield Shared(_cache, route.cache)
        yield Shared(_forwarded, route.retries, route.headers.request, route.headers.response)


def _reached(auth: Auth | None, upstream: Shared, timeouts: Timeouts, body: At) -> Mapping[str, object]:
    return {
        **({} if auth is None else {"auth": auth_config(auth)}),
        **upstream.made(),
        **{name: at(timeouts, name, getattr(timeouts, name)) for name in ("connect", "request", "idle")},
        **{name: At(value, body.provenance, name) for name, value in zip(_BODY, body.value, strict=True)},
    }


def _upstream(tls: UpstreamTls | None, *endpoints: Endpoint) -> Mapping[str, object]:
    config: dict[str, object] = {"endpoints": [at(e, "address", _endpoint(e)) for e in endpoints]}
    return config if tls is None else {**config, "tls": tls_config(tls)}


def _endpoint(endpoint: Endpoint) -> dict[str, object]:
    address = endpoint.address
    return {"host": bracketed(address.host), "port": address.port, "weight": endpoint.weight}


def _cors(cors: Cors) -> Mapping[str, object]:
    return {"cors": at(cors, "origins", cors_config(cors))}


def _cache(cache: Cache) -> Mapping[str, object]:
    return {"cache": cache_config(cache)}


def _forwarded(retries: Retries, request: HeaderChanges, response: HeaderChanges) -> Mapping[str, object]:
    changes = {"request_headers": _changes(request), "response_headers": _changes(response)}
    return {"retries": dict(_retries(retries)), **changes}


def _retries(retries: Retries) -> Iterator[tuple[str, object]]:
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
