"""The access log: one JSON object a request, in the one schema beside this file."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from gwc.features import limits
from gwc.ir import Gateway

FIELDS = (
    *("time", "request_id", "trace_id", "service", "route", "method", "host", "path", "query", "client_ip", "user"),
    *("keys", "status", "bytes", "duration_ms", "upstream_ms", "attempts", "cost", "cache", "limited_by"),
    *("shadowed_by", "problem"),
)
"""All keys of a line, in the order of the schema. JSON has no order: none is asked of a line."""

REDACTED = "***"
"""In place of the value of a redacted query parameter."""

REDACTED_QUERY_PARAMETERS = (
    *("access_token", "id_token", "refresh_token", "token", "api_key", "apikey", "key", "password", "passwd", "secret"),
    *("client_secret", "code", "sig", "signature", "x-amz-signature", "x-amz-credential", "x-amz-security-token"),
)
"""Names, compared without regard to case and after percent-decoding: the service decodes them too."""

BUDGET = "budget"
CONCURRENCY = "concurrency"
UPSTREAM_CONCURRENCY = "upstream.concurrency"
BREAKER = "breaker"
CAUSES = (BUDGET, CONCURRENCY, UPSTREAM_CONCURRENCY, BREAKER)
"""What `limited_by` and the label `limit` hold where it is no limit's id."""


def key_headers(gateway: Gateway) -> tuple[str, ...]:
    """The lower-case names of the headers that a limit counts by anywhere: the keys of `keys`, on every line."""
    return tuple(sorted({limit.header for _, limit in limits(gateway) if limit.header is not None}))


CREDENTIAL_HEADERS = ("authorization", "cookie", "proxy-authorization")


def credential_headers(gateway: Gateway) -> tuple[str, ...]:
    """Those of `key_headers` whose value is a credential: a line has REDACTED in its place, null where it is absent."""
    keys = gateway.identity.api_key
    secret = {*CREDENTIAL_HEADERS, *([keys.header.lower()] if keys is not None else [])}
    return tuple(name for name in key_headers(gateway) if name in secret)


@cache
def schema_text() -> str:
    """The JSON Schema (2020-12) of a line, as it is published."""
    return files(__package__).joinpath("access-log-v1.json").read_text(encoding="utf-8")


def schema() -> dict[str, Any]:
    """The JSON Schema of a line; a new object each time."""
    found: dict[str, Any] = json.loads(schema_text())
    return found
