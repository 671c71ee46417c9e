"""What the plugin tells of the traffic: names, bounds and what is redacted come from the compiler."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from gwc.ir import Gateway, Tracing
from gwc.observability import access_log, metrics, tracing
from gwc_kong.sharing import at

_PORTS = {"http": 80, "https": 443}


def log_config(gateway: Gateway) -> Iterator[tuple[str, object]]:
    yield "redacted", list(access_log.REDACTED_QUERY_PARAMETERS)
    headers = access_log.key_headers(gateway)
    if headers:
        yield "key_headers", list(headers)
        yield "credential_headers", list(access_log.credential_headers(gateway))


def metrics_config() -> Iterator[tuple[str, object]]:
    yield "families", [{"name": f.name, "type": f.type, "help": f.help} for f in metrics.FAMILIES]
    yield "duration_bounds", list(metrics.DURATION_BOUNDS)


def tracing_config(settings: Tracing | None) -> Iterator[tuple[str, object]]:
    if settings is not None:
        yield "trace_sample", at(settings, "sample", settings.sample)
        yield "collector", at(settings, "otlp", _collector(settings.otlp))


def _collector(otlp: str) -> dict[str, object]:
    url = urlsplit(otlp)
    host = url.hostname or ""
    return {
        "host": f"[{host}]" if ":" in host else host,
        "name": host,
        "port": url.port or _PORTS[url.scheme],
        "tls": url.scheme == "https",
        "path": url.path.rstrip("/") + tracing.OTLP_PATH,
    }
