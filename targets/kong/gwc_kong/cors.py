"""Cross-origin settings: a preflight asks about a method, so every row of a path knows those of all its routes."""

from __future__ import annotations

from collections.abc import Mapping

from gwc.ir import Cors
from gwc_kong.routing import Ranks, row_name
from gwc_kong.sharing import At, Shared, at


def cors_config(path: Ranks) -> list[At]:
    """Of all routes of a path, by Kong's names for them, in their order."""
    host, entry = path.host, path.entry
    return [
        at(
            cors,
            "origins",
            {
                "serves": list(matched.route.methods),
                "route": row_name(matched.service, matched.route, host),
                "cors": Shared(_cors, cors),
            },
        )
        for matched in entry.routes
        if (cors := matched.route.cors) is not None
    ]


def _cors(cors: Cors) -> Mapping[str, object]:
    return {
        "origins": list(cors.origins),
        "methods": list(cors.methods),
        "headers": list(cors.headers),
        "credentials": cors.credentials,
        "max_age": cors.max_age,
    }
