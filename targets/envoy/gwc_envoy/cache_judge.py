"""What a service's own headers say of keeping its answers, noted where the policy has not changed them yet."""

from __future__ import annotations

from gwc.ir import Service
from gwc_envoy.xds import Json, extension, lua


def wanted(service: Service) -> bool:
    return any(route.cache is not None for route in service.routes)


def upstream_filters() -> list[Json]:
    """For the cluster of a service. An answer without the note, such as Envoy's own, is never kept."""
    codec = extension("envoy.filters.http.upstream_codec", "extensions.filters.http.upstream_codec.v3.UpstreamCodec")
    return [lua("gwc.cache.judge", "cache_judge.lua"), codec]
