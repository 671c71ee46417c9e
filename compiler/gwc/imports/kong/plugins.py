"""Kong's plugins -> the sections of a route. What guards and cannot be said keeps strangers outside."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.kong.access import add_auth
from gwc.imports.kong.consumers import Consumers
from gwc.imports.kong.limits import add_limits
from gwc.imports.masking import may_be_secret
from gwc.imports.tree import Word
from gwc.imports.values import duration, size

_UNITS = {"megabytes": 2**20, "kilobytes": 2**10, "bytes": 1}
_LOGS = "the access log goes to standard output; whoever runs the gateway sends it on"
_HINTS = {
    **dict.fromkeys(("http-log", "file-log", "tcp-log", "udp-log", "syslog", "loggly", "datadog", "statsd"), _LOGS),
    **dict.fromkeys(
        ("pre-function", "post-function", "request-validator", "serverless-functions", "aws-lambda"),
        "code in the gateway stays with the gateway: let the service do it",
    ),
    "response-ratelimiting": "a budget is charged by what the service says: budget: {charge: X-Cost}",
    "bot-detection": "limits per ip bound what one client asks",
    "grpc-gateway": "only HTTP services are behind a gateway of gwc's",
    "canary": "weights of endpoints share the traffic",
    "zipkin": "spans are sent by OTLP: tracing: {otlp: http://collector:4318}",
}


@dataclass(frozen=True, slots=True)
class Held:
    """A plugin that holds on a route, and the level that it is written on: platform, service or route."""

    plugin: Word
    level: str


def apply_plugins(
    levels: Mapping[str, Table], held: Mapping[str, Held], consumers: Consumers, findings: Findings
) -> None:
    """`levels` are the platform, the service and the route, whose sections and limits are written."""
    route, platform = levels["route"], levels["platform"]
    known = add_auth(route, {name: one.plugin for name, one in held.items()}, platform, consumers, findings)
    for name, one in held.items():
        plugin = one.plugin
        if name in ("rate-limiting", "rate-limiting-advanced"):
            add_limits(levels[one.level], route, plugin, platform, findings)
        elif name in _PLUGINS:
            _PLUGINS[name](route, plugin, findings)
        elif name in _PLATFORM:
            _PLATFORM[name](platform, plugin, findings)
        elif name == "prometheus":
            findings.no_matter(plugin["name"].span, name, "metrics are always served")
            plugin.mark()
        elif name not in known:
            what = f"the plugin {name[:60]} has no counterpart in a policy"
            findings.left_out(plugin["name"].span, what, _HINTS.get(name, "let the service do it"))
            plugin.mark()


def _cors(route: Table, plugin: Word, findings: Findings) -> None:
    config = plugin["config"]
    origins = []
    for word in config["origins"].each():
        if word.text == "*" or re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]+)?", word.text):
            origins.append(word.text)
        else:
            findings.left_out(word.span, f"the origin {word.text[:80]}", "write origins as https://app.example.com")
    if config["origins"].there and not origins:
        return
    route.put("cors.origins", ["*"] if "*" in origins or not origins else origins, plugin["name"].span)
    methods = [method for method in config["methods"].texts() if method not in ("TRACE", "CONNECT")]
    if methods:
        route.put("cors.methods", methods, config["methods"].span)
    if config["headers"].texts():
        route.put("cors.headers", config["headers"].texts(), config["headers"].span)
    if config["credentials"].there:
        route.put("cors.credentials", config["credentials"].yes, config["credentials"].span)
    if config["max_age"].number is not None:
        route.put("cors.max_age", duration(config["max_age"].number)[0], config["max_age"].span)
    for key in ("exposed_headers", "preflight_continue", "private_network", "allow_origin_absent"):
        if config[key].there and config[key].value is not False:
            findings.left_out(config[key].span, f"`{key}` of cors has no counterpart in a policy")


def _cache(route: Table, plugin: Word, findings: Findings) -> None:
    config = plugin["config"]
    ttl = config["cache_ttl"].number or 300
    route.put(
        "cache.ttl", duration(ttl)[0], (config["cache_ttl"] if config["cache_ttl"].there else plugin["name"]).span
    )
    statuses = {word.number for word in config["response_code"].each()} or {200, 301, 404}
    if {301, 404} & statuses:
        route.put("cache.negative_ttl", duration(ttl)[0], plugin["name"].span)
    if others := statuses - {200, 301, 404}:
        shown = ", ".join(str(int(one)) for one in others if one is not None)
        findings.left_out(
            config["response_code"].span, f"answers {shown} are not kept", "a cache keeps 200, 301 and 404"
        )
    if config["vary_query_params"].texts():
        route.put("cache.vary.query", config["vary_query_params"].texts(), config["vary_query_params"].span)
    else:
        what = "the whole query keyed the cache; in a policy only the parameters that it lists reach the service"
        findings.approximate(plugin["name"].span, what, "list them: cache: {vary: {query: [page]}}")
    if config["vary_headers"].texts():
        route.put("cache.vary.headers", config["vary_headers"].texts(), config["vary_headers"].span)
    if isinstance(route.items.get("auth"), Table):
        route.put("cache.scope", "user", plugin["name"].span, "Kong kept the answers of consumers apart")
    if config["cache_control"].yes:
        what = "the policy's ttl holds whatever the service says, except no-store and private"
        findings.approximate(config["cache_control"].span, what)


def _body(route: Table, plugin: Word, findings: Findings) -> None:
    config = plugin["config"]
    number = config["allowed_payload_size"].number
    unit = _UNITS.get(config["size_unit"].text or "megabytes", 2**20)
    place = config["allowed_payload_size"] if number is not None else plugin["name"]
    route.put("max_body", size((128 if number is None else number) * unit)[0], place.span)
    if config["require_content_length"].yes:
        findings.left_out(config["require_content_length"].span, "bodies without a length are not refused")


def _transform(direction: str) -> Callable[[Table, Word, Findings], None]:
    def apply(route: Table, plugin: Word, findings: Findings) -> None:
        plugin["config"].mark()
        for action, parts, span in plugin["config"].items():
            for key, value, place in parts.items():
                if key != "headers" or action not in ("add", "replace", "append", "remove"):
                    if value.there and (not value.is_list or any(value.each())):
                        findings.left_out(
                            place, f"{action}.{key} of {plugin['name'].text}"[:80], "let the service do it"
                        )
                elif action == "remove":
                    route.put(f"headers.{direction}.remove", value.texts(), span)
                else:
                    _set(route, direction, value, findings)

    return apply


def _set(route: Table, direction: str, headers: Word, findings: Findings) -> None:
    for word in headers.each():
        name, _, value = word.text.partition(":")
        if "$(" in value or may_be_secret(name.strip(), value.strip()):
            hint = "identity.gateway_secret proves a request's way, by reference"
            findings.secret(word.span, f"the header {name.strip()[:60]} is not copied: it may hold a secret", hint)
            continue
        path = f"headers.{direction}.set"
        route.put(path, {**route.value(path, {}), name.strip(): value.strip()}, word.span)


def _correlation(platform: Table, plugin: Word, findings: Findings) -> None:
    header = plugin["config"]["header_name"]
    if header.there:
        platform.put("request_id.header", header.text, header.span)
    platform.put("request_id.accept", "always", plugin["name"].span, "Kong kept every client's id")
    if plugin["config"]["generator"].there:
        findings.no_matter(plugin["config"]["generator"].span, "generator", "ids are random")


def _tracing(platform: Table, plugin: Word, findings: Findings) -> None:
    config = plugin["config"]
    endpoint = config.first("traces_endpoint", "endpoint")
    if not endpoint.text:
        findings.left_out(plugin["name"].span, "spans without a collector")
        return
    platform.put("tracing.otlp", re.sub(r"/v1/traces/?\Z", "", endpoint.text), endpoint.span)
    share = config["sampling_rate"].number
    if share is not None and 0 <= share <= 1:
        platform.put("tracing.sample", f"{round(share * 100, 3):g}%", config["sampling_rate"].span)


_PLUGINS: dict[str, Callable[[Table, Word, Findings], None]] = {
    "cors": _cors,
    "proxy-cache": _cache,
    "proxy-cache-advanced": _cache,
    "request-size-limiting": _body,
    "request-transformer": _transform("request"),
    "request-transformer-advanced": _transform("request"),
    "response-transformer": _transform("response"),
    "response-transformer-advanced": _transform("response"),
}
_PLATFORM: dict[str, Callable[[Table, Word, Findings], None]] = {
    "correlation-id": _correlation,
    "opentelemetry": _tracing,
}
