"""One JSON line a request on standard output. Query strings stay out: they may hold credentials."""

from __future__ import annotations

_FIELDS = (
    ("time", "$time_iso8601"),
    ("request_id", "$gwc_request_id"),
    ("trace_id", "$gwc_trace_id"),
    ("service", "$gwc_service"),
    ("route", "$gwc_route_name"),
    ("method", "$gwc_method"),
    ("host", "$host"),
    ("path", "$gwc_logged_path"),
    ("client_ip", "$remote_addr"),
    ("status", "$status"),
    ("bytes", "$bytes_sent"),
    ("duration", "$request_time"),
    ("upstream_time", "$upstream_response_time"),
)


_GUARDS = (
    ("user", "$gwc_user"),
    ("limited_by", "$gwc_limited_by"),
    ("shadowed_by", "$gwc_shadowed"),
)
"""What only the njs modules know."""


def log_format(*, njs: bool) -> str:
    """The `log_format` argument. NGINX escapes the values for JSON; all are strings, for any may be empty."""
    fields = (*_FIELDS, *_GUARDS) if njs else _FIELDS
    return "'{" + ",".join(f'"{name}":"{variable}"' for name, variable in fields) + "}'"


MAPS = (
    ("$gwc_trace", "$gwc_trace_id", "~^(?<gwc_logged_trace>[0-9a-f]{32})", "$gwc_logged_trace", ""),
    ("$gwc_route", "$gwc_service", "~^(?<gwc_logged_service>[^/]+)/", "$gwc_logged_service", ""),
    ("$gwc_route", "$gwc_route_name", "~^[^/]+/(?<gwc_logged_route>.+)", "$gwc_logged_route", ""),
    ("$request_uri", "$gwc_logged_path", r"~^(?<gwc_before_query>[^?]*)", "$gwc_before_query", ""),
    ("$request", "$gwc_method", "~^(?<gwc_logged_method>[A-Z_-]+) ", "$gwc_logged_method", "$request_method"),
)
"""Source, variable, pattern, value and default of what the format needs. An error page changes $request_method."""
