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


_TAIL = r"[\x80-\xbf]"
_MULTIBYTE = (
    *(rf"[\xc2-\xdf]{_TAIL}", rf"\xe0[\xa0-\xbf]{_TAIL}", rf"[\xe1-\xec\xee\xef]{_TAIL}{{2}}"),
    *(rf"\xed[\x80-\x9f]{_TAIL}", rf"\xf0[\x90-\xbf]{_TAIL}{{2}}", rf"[\xf1-\xf3]{_TAIL}{{3}}"),
    rf"\xf4[\x80-\x8f]{_TAIL}{{2}}",
)
_PATH = rf"(?:[^?\x80-\xff]|{'|'.join(_MULTIBYTE)})*+"
"""A path as far as it is UTF-8 (RFC 3629): a client's other bytes would make the line no JSON."""

MAPS = (
    ("$gwc_trace", "$gwc_trace_id", "~^(?<gwc_logged_trace>[0-9a-f]{32})", "$gwc_logged_trace", ""),
    ("$gwc_route", "$gwc_service", "~^(?<gwc_logged_service>[^/]+)/", "$gwc_logged_service", ""),
    ("$gwc_route", "$gwc_route_name", "~^[^/]+/(?<gwc_logged_route>.+)", "$gwc_logged_route", ""),
    ("$request_uri", "$gwc_logged_path", f"~^(?<gwc_before_query>{_PATH})", "$gwc_before_query", ""),
    ("$request", "$gwc_method", "~^(?<gwc_logged_method>[A-Z_-]+) ", "$gwc_logged_method", "$request_method"),
)
"""Source, variable, pattern, value and default of what the format needs. An error page changes $request_method."""
