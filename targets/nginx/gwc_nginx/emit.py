"""A Gateway as the files of one NGINX. Which file holds what is data here, with the reason beside each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined

from gwc.ir import Gateway
from gwc.parts import Made
from gwc.target import Artifact, Assembled, Output, OutputFile, SecretOutput
from gwc_nginx import (
    access_log,
    auth,
    breaker,
    budget,
    cache,
    concurrency,
    data,
    headers,
    https,
    identity,
    limits,
    listen,
    metrics,
    plain,
    request_id,
    tracing,
    upstream,
)
from gwc_nginx.conf import Directive, block, d, printed
from gwc_nginx.judge import fit
from gwc_nginx.quoting import q
from gwc_nginx.sections import Own, Section, Shared, assembled, platform_of

_CLIENTS = "What is known of a request before it has a route."
_UPSTREAMS = "Services and their endpoints."
_PUBLIC = "The public listener and the location of each route."
_ADMIN = "The admin listener, and the inner hop on the loopback interface."
MODULES = (
    *("routing", "problem", "redirect", "retry", "secrets", "tokens"),
    *("admission", "answers", "auth", "breaker", "budget", "cache", "caps", "cors", "counts", "errands", "fitness"),
    *("flights", "health", "ledger", "limits", "locks", "misses", "settings"),
    *("log", "metrics", "tracing"),
)
_METRICS = "Needs the stub_status module. A build without it does not know the directive: delete this file."
_SETTINGS = (
    'js_path "njs/";',
    "js_preload_object gwc from gwc.json;",
    # The password of the inner hop must outlive everything else, so it shares its zone with nothing.
    "js_shared_dict_zone zone=gwc_hop:32k;",
    "js_shared_dict_zone zone=gwc_counters:4m timeout=1h evict type=number;",
    *(f"js_shared_dict_zone zone=gwc_{kind}:{limits.ZONE}" for kind in limits.ZONES),
    f"js_shared_dict_zone zone={budget.ZONE};",
    f"js_shared_dict_zone zone={breaker.ZONE};",
    "js_shared_dict_zone zone=gwc_lock:32k timeout=1s type=number;",
    "js_set $gwc_location routing.location;",
    "js_set $gwc_secret secrets.gateway;",
    "js_set $gwc_hop tokens.hop;",
    "js_set $gwc_done retry.done;",
    "log_format gwc_done '$gwc_done';",
    "js_set $gwc_line log.line;",
    "js_set $gwc_everything caps.everything;",
    "js_shared_dict_zone zone=gwc_ledger:1m timeout=1h evict type=number;",
    # What one phase of a request leaves for the next.
    *(f"js_var ${name};" for name in (
        "gwc_route", "gwc_uri", "gwc_host", "gwc_allow", "gwc_refusal", "gwc_body", "gwc_replaced", "gwc_tries",
        "gwc_chain", "gwc_deadline",
        "gwc_flushed",
        "gwc_upstream",
        "gwc_live",
        "gwc_retrying",
        "gwc_begun",
        "gwc_endpoint",
        "gwc_expires",
        "gwc_password",
        "gwc_settings",
        "gwc_user",
        "gwc_type",
        "gwc_budget_key",
        "gwc_challenge",
        "gwc_retry_after",
        "gwc_rate_policy",
        "gwc_rate_left",
        "gwc_shadowed",
        "gwc_limited_by",
        "gwc_roomy",
        "gwc_bytes",
        "gwc_held",
        "gwc_cost",
        "gwc_reason",
        "gwc_problem",
        *cache.VARIABLES,
    )),
)  # fmt: skip


def emit(gateway: Gateway, profile: str) -> Artifact:
    artifact = _plain(gateway) if profile == "plain" else _njs(gateway)
    return replace(artifact, files={name: _judged(name, file) for name, file in artifact.files.items()})


def _judged(name: str, file: Output) -> Output:
    """What no service has a part of is judged while it is made, too: nobody reads the whole while all pieces fit."""
    if not isinstance(file, OutputFile) or not name.endswith(".conf"):
        return file
    return Assembled(lambda: (Made(file.text, fit(file.text)),), file.lines, file.executable)


def _njs(gateway: Gateway) -> Artifact:
    environment = [q(name) for name in auth.environment(gateway)]
    files: dict[str, Output] = {
        "nginx.conf": OutputFile(_skeleton(gateway, environment, _settings_of(gateway)), {}),
        "gwc.json": Assembled(lambda: data.pieces(gateway), {}),
        "clients.conf": printed(_clients(gateway), title=_CLIENTS),
        "upstreams.conf": assembled(lambda: _upstreams(gateway), title=_UPSTREAMS),
        "public.conf": assembled(lambda: listen.public(gateway), title=_PUBLIC),
        "admin.conf": assembled(lambda: listen.admin(gateway), title=_ADMIN),
        "banner.conf": OutputFile(_template("banner.conf.j2"), {}),
        **{f"njs/{name}.js": OutputFile(_module(name), {}) for name in MODULES},
    }
    return Artifact("nginx", "njs", files, https.secrets(gateway))


def _settings_of(gateway: Gateway) -> tuple[str, ...]:
    zones = (*metrics.zones(gateway), *tracing.zones(gateway), *cache.zones(gateway))
    return (*_SETTINGS, *(f"js_shared_dict_zone zone={zone};" for zone in zones))


def _plain(gateway: Gateway) -> Artifact:
    files: dict[str, Output] = {
        # The time zone of the access log.
        "nginx.conf": OutputFile(_skeleton(gateway, ["TZ=UTC"], ()), {}),
        "clients.conf": printed(plain.clients(gateway), title=_CLIENTS),
        "upstreams.conf": assembled(lambda: plain.upstreams(gateway), title=_UPSTREAMS),
        "public.conf": assembled(lambda: plain.public(gateway), title=_PUBLIC),
        "admin.conf": assembled(lambda: plain.admin(gateway), title=_ADMIN),
        "metrics.conf": printed(metrics.of_plain(gateway), title=_METRICS),
    }
    secret = gateway.identity.gateway_secret
    missing = () if secret is None else (SecretOutput(plain.SECRET_FILE, (secret.secret,), plain.secret_file),)
    return Artifact("nginx", "plain", files, (*missing, *https.secrets(gateway)))


def _skeleton(gateway: Gateway, environment: list[str], settings: tuple[str, ...]) -> str:
    return _template(
        "nginx.conf.j2",
        environment=environment,
        modules=settings,
        log_format=access_log.log_format(gateway, njs=bool(settings)),
        servers=("public.conf", "admin.conf"),
    )


def _template(name: str, **values: object) -> str:
    loader = PackageLoader("gwc_nginx", "templates")
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, autoescape=False)  # noqa: S701
    return environment.get_template(name).render(**values) + "\n"


def _module(name: str) -> str:
    return resources.files("gwc_nginx").joinpath("njs", f"{name}.js").read_text(encoding="utf-8")


def _clients(gateway: Gateway) -> Iterator[Directive]:
    yield from https.settings(gateway)
    yield from identity.clients(gateway)
    yield from request_id.correlation(gateway)
    # A request that NGINX has not answered yet and that has no route yet; on a redirect it is neither.
    yield block("map", q("$gwc_routed:$status"), "$gwc_new", of=(d("volatile"), d("default", q("")), d("~^:000$", "1")))
    yield from headers.upgrades()
    yield from access_log.maps()
    yield from concurrency.zones()
    yield from cache.of_njs(gateway)


def _upstreams(gateway: Gateway) -> Iterator[Section]:
    platform = platform_of(gateway)
    if upstream.has_names(gateway) or tracing.named(gateway):
        yield Shared((d("resolver", *upstream.RESOLVER.split()),))
    if upstream.has_names(gateway):
        yield Shared((upstream.room(gateway),))
    for service in gateway.services:
        yield Own(platform, service, "upstreams", upstream.upstreams)
    hop = d("server", q(listen.hop_address(gateway)), "max_fails=0")
    yield Shared((block("upstream", "gwc_hop", of=(hop, d("keepalive", "64"))),))
