"""Request ids and traceparents: the client's when it is believed and well-formed, fresh ones otherwise."""

from __future__ import annotations

from gwc.ir import Accept, Gateway
from gwc_envoy.xds import Json, extension, lua_text, script, set_header

INSTANCE_KEY = "gwc.instance"
INSTANCE = f"%FILTER_STATE({INSTANCE_KEY}:PLAIN)%"
"""The path that the client asked for, without its query."""

REQUEST_ID = "%REQ(X-REQUEST-ID)%"


def connection_manager_fields() -> Json:
    """Envoy makes a fresh id for each request; a client's waits aside. No sampling bits are put into it."""
    uuid = extension(
        "envoy.request_id.uuid",
        "extensions.request_id.uuid.v3.UuidRequestIdConfig",
        pack_trace_reason=False,
        use_request_id_for_trace_sampling=False,
    )
    return {
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "request_id_extension": {"typed_config": uuid["typed_config"]},
    }


def instance_filter() -> Json:
    """Remembers the path before anything rewrites it."""
    value = {
        "object_key": INSTANCE_KEY,
        "factory_key": "envoy.string",
        "format_string": {"text_format_source": {"inline_string": "%PATH(NQ:PATH)%"}},
    }
    return extension("gwc.instance", "extensions.filters.http.set_filter_state.v3.Config", on_request_headers=[value])


def correlation(gateway: Gateway) -> str:
    """For a script: judges the ids that were moved aside (see `identity.early_mutations`), completes the request's."""
    settings = [
        f"local HEADER = {lua_text(gateway.request_id.header.lower())}",
        f"local MOVED_ASIDE = {str(believes_anybody(gateway)).lower()}",
    ]
    return "\n".join([*settings, script("correlation.lua")])


def believes_anybody(gateway: Gateway) -> bool:
    """Whether there is a client whose ids may be taken up."""
    accept = gateway.request_id.accept
    return accept is Accept.ALWAYS or (accept is Accept.FROM_TRUSTED_PROXIES and bool(gateway.trusted_proxies))


def header_to_add(gateway: Gateway) -> list[Json]:
    """The id under the policy's own header name; Envoy answers under X-Request-ID by itself."""
    name = gateway.request_id.header.lower()
    return [] if name == "x-request-id" else [set_header(name, REQUEST_ID)]
