"""One JSON line a request on standard output. Query strings stay out: they may hold credentials."""

from __future__ import annotations

from gwc_envoy.limits import SHADOW
from gwc_envoy.request_id import INSTANCE, REQUEST_ID
from gwc_envoy.xds import Json, extension

FIELDS = {
    "time": "%START_TIME(%Y-%m-%dT%H:%M:%E3SZ)%",
    "request_id": REQUEST_ID,
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": INSTANCE,
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "duration_ms": "%DURATION%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "service": "%METADATA(ROUTE:gwc:service)%",
    "route": "%METADATA(ROUTE:gwc:route)%",
    "upstream": "%UPSTREAM_HOST%",
    "tries": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "flags": "%RESPONSE_FLAGS%",
    "shadow": SHADOW,
    "trace": "%REQ(TRACEPARENT)%",
}


def access_log() -> Json:
    return extension(
        "envoy.access_loggers.stdout",
        "extensions.access_loggers.stream.v3.StdoutAccessLog",
        log_format={"json_format": FIELDS},
    )
