"""Cross-origin settings of a route."""

from __future__ import annotations

from collections.abc import Mapping

from gwc.ir import Cors


def cors_config(cors: Cors) -> Mapping[str, object]:
    return {
        "origins": list(cors.origins),
        "methods": list(cors.methods),
        "headers": list(cors.headers),
        "credentials": cors.credentials,
        "max_age": cors.max_age,
    }
