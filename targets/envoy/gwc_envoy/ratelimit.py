"""The configuration of the rate limit service itself (envoyproxy/ratelimit), for whoever runs it beside the gateways.

It reads the limits from a folder, everything else from its environment. The start script takes the password of Redis
from where the policy says, so that none of these files holds it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from gwc.diagnostics import Span
from gwc.ir import Budget, Gateway, Limit, Origin, RateLimitStore, Secret
from gwc.parts import Made
from gwc.target import Assembled, Lines, Output, OutputFile
from gwc.units import Rate
from gwc_envoy import cluster
from gwc_envoy.limits import LARGEST_RATE
from gwc_envoy.xds import Json

CONFIG, ENVIRONMENT, START = "ratelimit/config/gwc.yaml", "ratelimit/ratelimit.env", "ratelimit/start"
UNITS = {1: "second", 60: "minute", 3600: "hour", 86400: "day"}
"""The windows of the service by their seconds; the language has no other periods."""


def outputs(gateway: Gateway) -> dict[str, Output]:
    store = gateway.rate_limit_store
    if store is None or not cluster.used(gateway):
        return {}
    return {
        CONFIG: _config(gateway),
        ENVIRONMENT: OutputFile("".join(f"{name}={value}\n" for name, value in _settings(store)), {}),
        START: OutputFile(_START.format(password=_password(store.password)), {}, executable=True),
    }


def _config(gateway: Gateway) -> Assembled:
    """JSON, which is YAML without its surprises; one descriptor a line."""
    return Assembled(lambda: _pieces(gateway), Lines(lambda: _spans(gateway)))


def _pieces(gateway: Gateway) -> Iterator[Made]:
    yield Made(f'{{"domain": "{cluster.DOMAIN}", "descriptors": [')
    between = "\n"
    for descriptor, _ in _described(gateway):
        yield Made(f"{between}  {json.dumps(descriptor)}")
        between = ",\n"
    yield Made("\n]}\n")


def _spans(gateway: Gateway) -> dict[int, Span]:
    return {number: origin.span for number, (_, origin) in enumerate(_described(gateway), 2)}


def _described(gateway: Gateway) -> Iterator[tuple[Json, Origin]]:
    yield from ((_limit(m), m.provenance["rate"]) for m in cluster.counted(gateway))
    yield from ((_budget(n, b), b.provenance["units"]) for n, b in sorted(cluster.budgets(gateway).items()))


def _limit(limit: Limit) -> Json:
    return _counter("limit", limit.id, cluster.entry_key(limit), limit.rate)


def _budget(name: str, budget: Budget) -> Json:
    return _counter("budget", name, "user", budget.units)


def _counter(key: str, value: str, whose: str | None, rate: Rate) -> Json:
    """A key without a value counts each value by itself."""
    counts = {"rate_limit": {"unit": UNITS[rate.period], "requests_per_unit": min(rate.tokens, LARGEST_RATE)}}
    return {"key": key, "value": value, **({"descriptors": [{"key": whose, **counts}]} if whose else counts)}


def _settings(store: RateLimitStore) -> Iterator[tuple[str, str]]:
    assert store.service is not None
    yield "GRPC_HOST", store.service.host
    yield "GRPC_PORT", str(store.service.port)
    yield "HOST", "127.0.0.1"  # its own HTTP listeners, which show every limit, are for this machine alone
    yield "DEBUG_HOST", "127.0.0.1"
    yield "RUNTIME_SUBDIRECTORY", ""
    yield "RUNTIME_APPDIRECTORY", "config"
    yield "RUNTIME_WATCH_ROOT", "false"
    yield "BACKEND_TYPE", "redis"
    yield "REDIS_TYPE", "SINGLE"
    yield "REDIS_SOCKET_TYPE", "tcp"
    yield "REDIS_URL", str(store.redis)
    yield "REDIS_TLS", str(store.redis_tls).lower()
    yield "REDIS_TIMEOUT", "200ms"  # below the gateway's own patience
    yield "STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT", "true"  # a refusal takes nothing from the other limits
    yield "LOCAL_CACHE_SIZE_IN_BYTES", "0"
    yield "EXPIRATION_JITTER_MAX_SECONDS", "30"
    yield "USE_STATSD", "false"
    yield "LOG_LEVEL", "WARN"


_START = """\
#!/bin/sh
# Starts the rate limit service with this folder's limits: start [COMMAND], by default `ratelimit`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
set -a
. "$here/ratelimit.env"
RUNTIME_ROOT=$here
{password}set +a
exec "${{@:-ratelimit}}"
"""


def _password(secret: Secret | None) -> str:
    """A user in front, for the service would take a password's first colon for the end of one."""
    if secret is None:
        return ""
    if secret.source == "env":
        return f'REDIS_AUTH="default:${{{secret.name}:?is the password of Redis}}"\n'
    return f'REDIS_AUTH="default:$(cat {shlex.quote(secret.name)})"\n'
