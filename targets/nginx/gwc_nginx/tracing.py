"""Spans over OTLP/HTTP. What is sampled is decided before a request is forwarded, for the service hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from gwc.ir import Gateway
from gwc.observability.tracing import OTLP_PATH
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.quoting import q
from gwc_nginx.upstream import TRUST_STORE, is_name

_ZONE = "gwc_spans:8m timeout=60s"
"""Room for some eight thousand spans that wait to be sent. It evicts nothing: what finds no room is lost."""

_EVERY = "2500ms"
_PATIENCE = "700ms"
"""How long a collector may take to be found, to be connected to and to answer. A script that still runs when it is time
for the next run is killed, so all of it and what tracing.js takes for itself has to be less than that."""


def data(gateway: Gateway) -> str | None:
    """Where spans are posted. NGINX asks name servers for every name, also for that of this machine."""
    if gateway.tracing is None:
        return None
    base = gateway.tracing.otlp.rstrip("/")
    parts = urlsplit(base)
    if parts.scheme == "http" and parts.hostname == "localhost":
        port = f":{parts.port}" if parts.port else ""
        base = f"http://127.0.0.1{port}{parts.path}"
    return base + OTLP_PATH


def zones(gateway: Gateway) -> tuple[str, ...]:
    return () if gateway.tracing is None else (_ZONE,)


def encrypted(gateway: Gateway) -> bool:
    return gateway.tracing is not None and gateway.tracing.otlp.startswith("https:")


def named(gateway: Gateway) -> bool:
    """Whether the collector's name has to be resolved."""
    url = data(gateway)
    host = urlsplit(url).hostname if url is not None else None
    return host is not None and (is_name(host) or host == "localhost")


def sampling(gateway: Gateway) -> Directive:
    """`$gwc_sampled`: the flags of a trace that begins here."""
    share = 1.0 if gateway.tracing is None else gateway.tracing.sample
    percent = f"{max(100 * share, 0.01 if share else 0.0):.2f}%"
    chosen = () if percent in ("0.00%", "100.00%") else (d(percent, "01"),)
    return block("split_clients", "$request_id", "$gwc_sampled", of=(
        *chosen, d(q("*"), "01" if percent == "100.00%" else "00"),
    ))  # fmt: skip


def location(gateway: Gateway) -> Iterator[Directive]:
    if gateway.tracing is not None:
        yield block("location", "@gwc_spans", of=(
            d("js_periodic", "tracing.send", f"interval={_EVERY}"),
            d("js_fetch_timeout", _PATIENCE),
            d("resolver_timeout", _PATIENCE),
            *((d("js_fetch_trusted_certificate", q(TRUST_STORE)),) if encrypted(gateway) else ()),
        ))  # fmt: skip
