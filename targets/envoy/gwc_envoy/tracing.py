"""One span a request, made by Envoy's own tracer where a request is accepted: the hops behind it have none."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from gwc.ir import Accept, Gateway, Tracing
from gwc.observability import tracing as names
from gwc_envoy.request_id import INSTANCE, REQUEST_ID
from gwc_envoy.xds import Json, extension, set_header, typed

CLUSTER = "gwc.otlp"
RUNTIME = {"tracing.opentelemetry.min_flush_spans": 256, "tracing.opentelemetry.flush_interval_ms": 1000}
"""A batch goes out with so many spans, or after so long."""

_QUEUE = 4096
"""Spans that wait for a collector; further ones are dropped."""
_PATIENCE = "5s"
_ALL: Json = {"value": 100}


def manager_fields(gateway: Gateway) -> Json:
    """The sampler alone decides, so that a trace that is not sampled has its ids all the same."""
    if gateway.tracing is None:
        return {}
    settings = {
        "provider": _provider(gateway.tracing),
        "random_sampling": _ALL,
        "overall_sampling": _ALL,
        "client_sampling": {"value": 0},
        "spawn_upstream_span": False,
        "max_path_tag_length": 0,  # Envoy's own tag would hold the query
        "operation": "%REQ(:METHOD)%%METADATA(ROUTE:gwc:span)%",
        "custom_tags": [{"tag": tag, "value": value} for tag, value in _TAGS.items()],
    }
    return {"tracing": settings}


_TAGS = {
    names.METHOD: "%REQ(:METHOD)%",
    names.PATH: INSTANCE,
    names.STATUS: "%RESPONSE_CODE%",
    names.SERVER: "%REQ(:AUTHORITY)%",
    names.SERVICE: "%METADATA(ROUTE:gwc:service)%",
    names.ROUTE: "%METADATA(ROUTE:gwc:route)%",
    names.REQUEST_ID: REQUEST_ID,
}


def _provider(tracing: Tracing) -> Json:
    uri = {"uri": tracing.otlp.rstrip("/") + names.OTLP_PATH, "cluster": CLUSTER, "timeout": _PATIENCE}
    return extension(
        "envoy.tracers.opentelemetry",
        "config.trace.v3.OpenTelemetryConfig",
        http_service={"http_uri": uri},
        service_name=names.RESOURCE_SERVICE_NAME,
        sampler=_sampler(tracing.sample),
        max_cache_size=_QUEUE,
    )


def _sampler(share: float) -> Json:
    """A caller's decision, where there is a caller; a share of all others."""
    samplers = "extensions.tracers.opentelemetry.samplers.v3"
    percentage = {"numerator": round(share * 1_000_000), "denominator": "MILLION"}
    fresh = extension(
        "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
        f"{samplers}.TraceIdRatioBasedSamplerConfig",
        sampling_percentage=percentage,
    )
    return {
        "name": "envoy.tracers.opentelemetry.samplers.parent_based",
        "typed_config": typed(f"{samplers}.ParentBasedSamplerConfig", wrapped_sampler=fresh),
    }


def collector(gateway: Gateway) -> list[tuple[str, str, str, int]]:
    """Cluster, scheme, host and port of where spans go."""
    if gateway.tracing is None:
        return []
    url = urlsplit(gateway.tracing.otlp)
    return [(CLUSTER, url.scheme, url.hostname or "", url.port or {"http": 80, "https": 443}[url.scheme])]


def span_suffix(service: str, route: str) -> str:
    """What a span's name has behind the method."""
    return names.span_name("", service, route)


def early_mutations(gateway: Gateway, parent: str, state: str) -> list[Json]:
    """The tracer looks before any filter does: what it may believe of a caller's word is decided here.

    `parent` and `state` are the headers in which that word waits to be judged.
    """
    believed = None if gateway.tracing is None else _believed(gateway)
    if believed is None:
        return []
    word = f"request.headers['{parent}']"
    valid = [f"'{parent}' in request.headers", f"size({word}) == 55", *(check.format(word) for check in _VALID)]
    condition = " && ".join([*valid, believed])
    return [_copied("traceparent", parent, condition), _copied("tracestate", state, condition)]


_VALID = (
    "{}.matches('^00-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+$')",
    "!{}.startsWith('00-00000000000000000000000000000000')",
    "!{}.matches('-0+-[0-9a-f]+$')",
)
"""With any other word the tracer would make no span at all. Patterns are short: Envoy bounds them here."""


def _believed(gateway: Gateway) -> str | None:
    """The condition on whose traceparent counts; None where nobody's does."""
    if gateway.request_id.accept is not Accept.FROM_TRUSTED_PROXIES:
        return "true" if gateway.request_id.accept is Accept.ALWAYS else None
    within = [found for network in gateway.trusted_proxies if (found := _within(network)) is not None]
    return f"({' || '.join(within)})" if within else None


def _copied(name: str, waiting: str, condition: str) -> Json:
    value = f"{condition} && '{waiting}' in request.headers ? request.headers['{waiting}'] : ''"
    return {"append": set_header(name, f"%CEL({value})%")}


def tells_apart(network: str) -> bool:
    """Whether the addresses of a network can be told by their text."""
    return _within(network) is not None


def _within(network: str) -> str | None:
    """Whether the peer's address, as Envoy writes it with its port, is one of the network's."""
    found = ipaddress.ip_network(network)
    spelt = _version_4(found) if isinstance(found, ipaddress.IPv4Network) else _version_6(found)
    if spelt is None:
        return None
    lead, pattern = spelt
    escaped = pattern.replace("\\", "\\\\")
    begins = f"source.address.startsWith('{lead}')"
    return f"({begins} && source.address.matches('{escaped}'))" if pattern else begins


def _version_4(network: ipaddress.IPv4Network) -> tuple[str, str]:
    """What such an address begins with, and a pattern for what is left."""
    octets, (whole, bits) = network.network_address.packed, divmod(network.prefixlen, 8)
    lead = "".join(f"{octet}." for octet in octets[:whole])
    if whole == len(octets):
        return lead.removesuffix(".") + ":", ""
    if not bits:
        return lead, "" if lead else r"^[0-9]+\."
    first = octets[whole]
    return lead, f"^{lead}({_numbers(first, first + 2 ** (8 - bits) - 1)})[.:]".replace(".", r"\.", lead.count("."))


def _numbers(low: int, high: int) -> str:
    """The decimal numbers from `low` to `high`, at most 255: whole tens together."""
    parts: list[str] = []
    for hundred in range(3):
        tens = [ten for ten in range(10) if low <= 100 * hundred + 10 * ten and 100 * hundred + 10 * ten + 9 <= high]
        lead = str(hundred) if hundred else ""
        if hundred == 0 and 0 in tens:
            parts, tens = [*parts, "[0-9]"], tens[1:]
        if tens:
            parts.append(f"{lead}[{tens[0]}-{tens[-1]}][0-9]")
    covered = {n for n in range(low, high + 1) if low <= n - n % 10 and n - n % 10 + 9 <= high}
    by_ten: dict[int, list[int]] = {}
    for number in sorted(set(range(low, high + 1)) - covered):
        by_ten.setdefault(number // 10, []).append(number % 10)
    return "|".join([*parts, *(f"{ten or ''}[{digits[0]}-{digits[-1]}]" for ten, digits in by_ten.items())])


def _version_6(network: ipaddress.IPv6Network) -> tuple[str, str] | None:
    """None where leading groups may be short or left out: such a prefix has many spellings."""
    whole, bits = divmod(network.prefixlen, 16)
    groups = [int.from_bytes(network.network_address.packed[i : i + 2]) for i in range(0, 16, 2)]
    if 0 in groups[:whole] or (bits and groups[whole] < 0x1000) or network.prefixlen == 0:
        return None
    lead = "[" + "".join(f"{group:x}:" for group in groups[:whole])
    if whole == len(groups):
        return lead.removesuffix(":") + "]:", ""
    end = r"\]" if whole == len(groups) - 1 else ":"
    return lead, rf"^\[{lead[1:]}{_group(groups[whole], bits)}{end}" if bits else ""


def _group(first: int, bits: int) -> str:
    """The group that is fixed in part: four digits, because the first is none."""
    nibbles, rest = divmod(bits, 4)
    text = f"{first:04x}"
    known = text[:nibbles]
    if rest:
        low = int(text[nibbles], 16)
        known += "[" + "".join(f"{low + number:x}" for number in range(2 ** (4 - rest))) + "]"
    return known + "[0-9a-f]" * (4 - nibbles - bool(rest))
