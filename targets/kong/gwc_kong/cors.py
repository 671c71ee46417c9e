"""Cross-origin settings: a preflight asks about a method, so every row of a path knows those of all its routes."""

from __future__ import annotations

from gwc.ir import Cors
from gwc.routing import PathEntry
from gwc_kong.yaml_text import At, at


def cors_config(entry: PathEntry) -> list[At]:
    return [
        at(matched.route.cors, "origins", {"serves": list(matched.route.methods), "cors": _cors(matched.route.cors)})
        for matched in entry.routes
        if matched.route.cors is not None
    ]


def _cors(cors: Cors) -> dict[str, object]:
    return {
        "origins": list(cors.origins),
        "methods": list(cors.methods),
        "headers": list(cors.headers),
        "credentials": cors.credentials,
        "max_age": cors.max_age,
    }
