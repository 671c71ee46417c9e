"""kong.env: the settings of the node, as environment variables (one `NAME=value` a line, taken literally)."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.derived import per_gateway
from gwc.diagnostics import Span
from gwc.ir import Gateway, Route
from gwc.target import OutputFile
from gwc_kong.access_log import FORMAT, VARIABLE
from gwc_kong.bundled import REQUIRES
from gwc_kong.cache import DICTIONARY as CACHE
from gwc_kong.https import settings as https_settings
from gwc_kong.services import milliseconds

_Setting = tuple[str, str, Span | None]
_MEBIBYTE = 2**20


_DICTIONARIES = "; lua_shared_dict ".join(
    ("gwc 4m", "gwc_metrics 8m", *(f"gwc_{kind} 16m" for kind in ("ip", "user", "header", "budget")), CACHE)
)
"""Kong writes a directive once, with its value as it is: the others ride along. Each kind of key has a dictionary of
its own, with room for more than a hundred thousand entries, so that a flood of one kind pushes nothing else out."""

# With these a service would steer nginx itself.
_IGNORED = "X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset"


def env_file(gateway: Gateway, profile: str) -> OutputFile:
    settings = [
        *_fixed(profile),
        *_listeners(gateway),
        *_proxies(gateway),
        *_retries(gateway),
        *_bodies(gateway),
        *_slow_clients(gateway),
        *_access_log(),
    ]
    lines = {number: span for number, (_, _, span) in enumerate(settings, 1) if span is not None}
    return OutputFile("".join(_line(name, value) for name, value, _ in settings), lines)


def _line(name: str, value: str) -> str:
    if any(ord(char) < 0x20 for char in value):
        raise ValueError(f"{name}: a setting is one line")
    return f"{name}={value}\n"


def _fixed(profile: str) -> Iterator[_Setting]:
    own = profile == "plugin"
    yield "KONG_DATABASE", "off", None
    yield "KONG_DECLARATIVE_CONFIG", "kong.yml", None
    yield "KONG_PLUGINS", "gwc" if own else "pre-function,prometheus", None
    if own:
        yield "KONG_LUA_PACKAGE_PATH", "./plugins/?.lua;;", None
    yield "KONG_UNTRUSTED_LUA", "off" if own else "sandbox", None
    if not own:
        yield "KONG_UNTRUSTED_LUA_SANDBOX_REQUIRES", ",".join(REQUIRES), None
    yield "KONG_ROUTER_FLAVOR", "expressions", None
    yield "KONG_LUA_MAX_REQ_HEADERS", "1000", None  # the router reads no more, and the plugin's is the last
    yield "KONG_NGINX_HTTP_LUA_SHARED_DICT", _DICTIONARIES, None
    yield "KONG_NGINX_HTTP_CHARSET", "off", None  # UTF-8 by default: appended to the service's own content types
    yield "KONG_NGINX_PROXY_PROXY_IGNORE_HEADERS", _IGNORED, None
    yield "KONG_UPSTREAM_KEEPALIVE_IDLE_TIMEOUT", "4", None  # below the 5 s after which common servers hang up
    yield "KONG_HEADERS", "off", None
    yield "KONG_HEADERS_UPSTREAM", "off", None
    yield "KONG_ADMIN_LISTEN", "off", None
    yield "KONG_ADMIN_GUI_LISTEN", "off", None
    yield "KONG_ANONYMOUS_REPORTS", "off", None
    yield "KONG_ALLOW_DEBUG_HEADER", "off", None
    yield "KONG_REQUEST_DEBUG", "off", None  # on by default: any client on loopback may ask where the time goes
    yield "KONG_DNS_ORDER", "LAST,A,AAAA,CNAME", None  # an SRV record would replace the policy's port


def _listeners(gateway: Gateway) -> Iterator[_Setting]:
    listen = gateway.listen
    addresses = []
    if listen.http is not None:
        addresses.append(f"{listen.http} reuseport backlog=16384")
    if listen.https is not None:
        addresses.append(f"{listen.https.address} ssl http2 reuseport backlog=16384")
    origin = listen.provenance.get("http") or listen.provenance.get("https")
    yield "KONG_PROXY_LISTEN", ", ".join(addresses), origin.span if origin else None
    admin = listen.provenance.get("admin")
    yield "KONG_STATUS_LISTEN", str(listen.admin), admin.span if admin else None
    if listen.https is not None:
        yield from https_settings(listen.https)


def _proxies(gateway: Gateway) -> Iterator[_Setting]:
    if gateway.trusted_proxies:
        origin = gateway.provenance.get("trusted_proxies")
        span = origin.span if origin else None
        yield "KONG_TRUSTED_IPS", ",".join(gateway.trusted_proxies), span
        yield "KONG_REAL_IP_HEADER", "X-Forwarded-For", span
        yield "KONG_REAL_IP_RECURSIVE", "on", span


NEXT_UPSTREAM_STATUSES = frozenset({500, 502, 503, 504})
"""The answers above 499 that nginx can take for a failed try."""


@per_gateway
def node_statuses(gateway: Gateway) -> frozenset[int]:
    """The answers that any route retries: nginx takes them for a failed try on every route that retries at all."""
    retrying = (route for route in _routes(gateway) if route.retries.attempts > 0)
    return NEXT_UPSTREAM_STATUSES & {status for route in retrying for status in route.retries.statuses}


def _retries(gateway: Gateway) -> Iterator[_Setting]:
    """What ends a try, for all routes together; the plugin allows each route the causes of its own policy."""
    causes = ["error", "timeout", *(f"http_{status}" for status in sorted(node_statuses(gateway)))]
    if any(route.retries.unsafe and route.retries.attempts > 0 for route in _routes(gateway)):
        causes.append("non_idempotent")
    yield "KONG_NGINX_PROXY_PROXY_NEXT_UPSTREAM", " ".join(causes), None


def _bodies(gateway: Gateway) -> Iterator[_Setting]:
    """The largest body of any route; the plugin holds each route to its own."""
    largest = max((route.max_body for route in _routes(gateway)), default=_MEBIBYTE)
    # 0 would mean no limit at all to nginx.
    yield "KONG_NGINX_PROXY_CLIENT_MAX_BODY_SIZE", str(max(largest, 1)), None


_HEAD_WITHIN = 10
"""Seconds for a whole request head."""


def _slow_clients(gateway: Gateway) -> Iterator[_Setting]:
    """The plugin ends a body that falls silent for the route's own time, so nginx waits for the longest of all."""
    longest = max((route.timeouts.idle for route in _routes(gateway)), default=_HEAD_WITHIN)
    yield "KONG_NGINX_HTTP_CLIENT_HEADER_TIMEOUT", f"{_HEAD_WITHIN}s", None
    yield "KONG_NGINX_HTTP_CLIENT_BODY_TIMEOUT", f"{milliseconds(longest) + 1000}ms", None


def _access_log() -> Iterator[_Setting]:
    yield "KONG_NGINX_HTTP_LOG_FORMAT", FORMAT, None
    yield "KONG_NGINX_PROXY_SET", f"{VARIABLE} ''", None
    yield "KONG_PROXY_ACCESS_LOG", f"/dev/stdout gwc if={VARIABLE}", None


def _routes(gateway: Gateway) -> Iterator[Route]:
    for service in gateway.services:
        yield from service.routes
