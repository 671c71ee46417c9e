"""Requests that call themselves gRPC are refused, whatever they ask for.

Envoy gives every answer of its own to them the form of gRPC: a 401 or a 429 would be a 200 to clients, caches, the log
and the metrics, and a kept answer's body would stand in a header. It decides that before anything can look at the
request. So the refusal comes from a listener inside the process: to the one outside it is the answer of a service.
"""

from __future__ import annotations

from gwc.ir import Gateway
from gwc_envoy import access_log, auth, body, errors, hops, request_id
from gwc_envoy.upstream import threshold
from gwc_envoy.xds import Json

NAME = "gwc.grpc"
_CALLED = {"name": "content-type", "string_match": {"safe_regex": {"regex": r"application/grpc(\+.*)?"}}}
"""Measured: in this case, without parameters, and of the first line alone."""
_TELLS: Json = {access_log.ATTEMPT: {"forwards": True}}
"""For the log: what was refused is in the answer's headers."""


def refusal() -> Json:
    """The first route of a virtual host."""
    return {
        "name": "grpc",
        "match": {"prefix": "/", "headers": [_CALLED]},
        "metadata": {"filter_metadata": {**access_log.NO_ROUTE, **_TELLS, auth.FILTER: {"accepts": "none"}}},
        "route": {"cluster": NAME, "timeout": "5s", "idle_timeout": "5s"},
        "typed_per_filter_config": body.UNREAD,
        "request_headers_to_remove": ["content-type"],
    }


def listener(gateway: Gateway) -> Json:
    answer = {"name": "refused", "match": {"prefix": "/"}, "direct_response": {"status": 400}}
    host = {"name": NAME, "domains": ["*"], "routes": [answer]}
    filters = [request_id.instance_filter()]
    return hops.internal_listener(NAME, hops.connection_manager(NAME, errors.local_reply(gateway), filters, host))


def cluster() -> Json:
    return hops.internal_cluster(NAME, NAME, threshold(None, None))
