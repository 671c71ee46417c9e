"""What a client must never be able to say: identity headers, proxy hints, and the gateway's own secret.

All of it is taken off before anything else looks at the request, on every route, public ones too.
"""

from __future__ import annotations

from gwc.ir import Accept, Gateway, Secret
from gwc_envoy import request_id, tracing
from gwc_envoy.xds import Json, cidr, extension, set_header, typed

PRIVATE = "x-gwc-"
"""Prefix of headers that exist between the gateway's own filters only."""

_SPOOFABLE = ("x-envoy-", "x-consumer-", "x-credential-", "x-accel-", "x-kong-", "x-authenticated-", PRIVATE)
_ALWAYS_REMOVED = ("x-anonymous-consumer", "forwarded", "x-real-ip", "x-forwarded-prefix", "x-forwarded-port")
_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")
CORRELATION = ("traceparent", "tracestate")
SECRET_NAME = "gateway-secret"  # noqa: S105 - the name of the secret, not its value
_HEADER_MUTATION = "extensions.filters.http.header_mutation.v3.HeaderMutation"


def early_mutations(gateway: Gateway) -> list[Json]:
    """Run by the connection manager before it reads any header of the request itself."""
    removed = [gateway.identity.user_header, *_ALWAYS_REMOVED]
    if gateway.identity.gateway_secret is not None:
        removed.append(gateway.identity.gateway_secret.header)
    if not gateway.trusted_proxies:
        removed += _FORWARDED
    prefixes = [{"remove_on_match": {"key_matcher": {"prefix": p, "ignore_case": True}}} for p in _SPOOFABLE]
    return [*prefixes, *({"remove": name.lower()} for name in removed), *_correlation(gateway)]


def _correlation(gateway: Gateway) -> list[Json]:
    """Moves the client's ids aside, where they wait to be judged; nothing else ever reads them."""
    names = dict.fromkeys((gateway.request_id.header.lower(), "x-request-id", *CORRELATION))
    moved = [gateway.request_id.header.lower(), *CORRELATION] if request_id.believes_anybody(gateway) else []
    return [
        *({"append": set_header(aside(gateway, name), f"%REQ({name})%")} for name in moved),
        *({"remove": name} for name in names),
        *tracing.early_mutations(gateway, aside(gateway, "traceparent"), aside(gateway, "tracestate")),
    ]


def aside(gateway: Gateway, name: str) -> str:
    """Where the client's own `name` waits until it is judged."""
    return PRIVATE + ("request-id" if name == gateway.request_id.header.lower() else name)


def forwarded_filter(gateway: Gateway, scheme: str) -> Json:
    """Says who the client is: afresh for everybody but trusted proxies, whose word is kept.

    `scheme` is the listener's: Envoy's own idea of it follows the client's X-Forwarded-Proto.
    """
    mutations: list[Json] = [
        {"append": set_header("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%")},
        {"append": set_header("x-forwarded-host", "%REQ(:authority)%")},
        {"append": set_header("x-forwarded-proto", scheme)},
    ]
    if gateway.trusted_proxies and gateway.request_id.accept is Accept.FROM_TRUSTED_PROXIES:
        names = (gateway.request_id.header.lower(), *CORRELATION)
        mutations += [{"remove": aside(gateway, name)} for name in names]
    inner = extension("gwc.untrusted", _HEADER_MUTATION, mutations={"request_mutations": mutations})
    return unless_peer(gateway.trusted_proxies, inner) if gateway.trusted_proxies else inner


def unless_peer(networks: tuple[str, ...], inner: Json) -> Json:
    """`inner` runs for every request whose direct peer is outside `networks`: also if the match itself fails."""
    ranges = [cidr(network) for network in networks]
    direct = extension(
        "envoy.matching.inputs.direct_source_ip", "extensions.matching.common_inputs.network.v3.DirectSourceIPInput"
    )
    known = extension(
        "envoy.matching.matchers.ip",
        "extensions.matching.input_matchers.ip.v3.Ip",
        cidr_ranges=ranges,
        stat_prefix="trusted",
    )
    skip = extension("skip", "extensions.filters.common.matcher.action.v3.SkipFilter")
    predicate = {"single_predicate": {"input": direct, "custom_match": known}}
    matchers = [{"predicate": predicate, "on_match": {"action": skip}}]
    config = typed(
        "extensions.common.matching.v3.ExtensionWithMatcher",
        xds_matcher={"matcher_list": {"matchers": matchers}},
        extension_config=inner,
    )
    return {"name": inner["name"], "typed_config": config}


def data_source(secret: Secret) -> Json:
    """Where Envoy itself reads the secret. It refuses to start without the variable or the file."""
    return {"environment_variable": secret.name} if secret.source == "env" else {"filename": secret.name}


def secrets(gateway: Gateway) -> list[Json]:
    proof = gateway.identity.gateway_secret
    if proof is None:
        return []
    return [{"name": SECRET_NAME, "generic_secret": {"secret": data_source(proof.secret)}}]


def gateway_secret_filter(gateway: Gateway) -> Json | None:
    """Injects the proof that a request passed the gateway; answers 401 rather than forward without it."""
    proof = gateway.identity.gateway_secret
    if proof is None:
        return None
    credential = extension(
        "envoy.http.injected_credentials.generic",
        "extensions.http.injected_credentials.generic.v3.Generic",
        credential={"name": SECRET_NAME},
        header=proof.header.lower(),
    )
    return extension(
        "gwc.gateway_secret",
        "extensions.filters.http.credential_injector.v3.CredentialInjector",
        credential=credential,
        overwrite=True,
    )
