"""The gateway's own errors: one vocabulary for all targets (RFC 9457)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`type` is appended to the platform's `errors.type`; `detail` never names a host, a stack or an engine."""

    type: str
    status: int
    title: str
    detail: str


PROBLEMS: dict[str, Problem] = {
    p.type: p
    for p in (
        Problem("bad-request", 400, "Bad Request", "The request could not be understood."),
        Problem("unauthorized", 401, "Unauthorized", "Valid credentials are required."),
        Problem("forbidden", 403, "Forbidden", "These credentials do not permit this request."),
        Problem("not-found", 404, "Not Found", "Nothing is served at this address."),
        Problem("method-not-allowed", 405, "Method Not Allowed", "This address does not support the method."),
        Problem("request-timeout", 408, "Request Timeout", "The request did not arrive in time."),
        Problem("payload-too-large", 413, "Content Too Large", "The request body is larger than permitted."),
        Problem("uri-too-long", 414, "URI Too Long", "The request target is longer than permitted."),
        Problem("headers-too-large", 431, "Request Header Fields Too Large", "The request headers are too large."),
        Problem("rate-limited", 429, "Too Many Requests", "The rate limit is exceeded; retry later."),
        Problem("budget-exhausted", 429, "Too Many Requests", "The budget of this period is spent; retry later."),
        Problem("overloaded", 503, "Service Unavailable", "Too many requests are in flight; retry shortly."),
        Problem(
            "circuit-open",
            503,
            "Service Unavailable",
            "The service is failing and gets a pause; retry later.",
        ),
        Problem("bad-gateway", 502, "Bad Gateway", "The service could not be reached."),
        Problem("unavailable", 503, "Service Unavailable", "The service is unavailable; retry later."),
        Problem("timeout", 504, "Gateway Timeout", "The service did not answer in time."),
        Problem("internal-error", 500, "Internal Server Error", "The service failed to answer."),
    )
}
"""By type. Where a status has several types, which one applies is a matter of the cause."""

UPSTREAM_STATUS_TYPES: dict[int, str] = {
    429: "rate-limited",
    502: "bad-gateway",
    503: "unavailable",
    504: "timeout",
}
"""The type of an upstream's own error; every other 5xx is internal-error with its status kept."""
