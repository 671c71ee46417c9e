"""The gateway's span of a request: what it is called and what it carries. No query and no credential is in it."""

from __future__ import annotations

OTLP_PATH = "/v1/traces"
"""Below the collector's base URL, for OTLP over HTTP."""

RESOURCE_SERVICE_NAME = "gwc"
"""The resource attribute `service.name` of every span."""

METHOD = "http.request.method"
PATH = "url.path"
STATUS = "http.response.status_code"
SERVER = "server.address"
SERVICE = "gwc.service"
ROUTE = "gwc.route"
REQUEST_ID = "gwc.request_id"
ATTRIBUTES = (METHOD, PATH, STATUS, SERVER, SERVICE, ROUTE, REQUEST_ID)
"""All attributes of a span. `url.path` and `server.address` are the path and host that the client asked for."""


def span_name(method: str, service: str, route: str) -> str:
    """The name of the span of a request that a route matched; `method` alone is the name of any other."""
    return f"{method} {service}/{route}"
