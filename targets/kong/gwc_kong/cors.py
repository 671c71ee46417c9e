"""Cross-origin settings: a preflight asks about a method, so every row of a path knows those of all its routes."""

from __future__ import annotations

from gwc.ir import Cors
from gwc.routing import PathEntry
from gwc_kong.yaml_text import At, at


def cors_config(entry: PathEntry, names: tuple[str, ...]) -> list[At]:
    """`names` are Kong's for the routes of the entry, in their order."""
    return [
        at(cors, "origins", {"serves": list(matched.route.methods), "route": name, "cors": _cors(cors)})
        for matched, name in zip(entry.routes, names, strict=True)
        if (cors := matched.route.cors) is not None
    ]


def _cors(cors: Cors) -> dict[str, object]:
    return {
        "origins": list(cors.origins),
        "methods": list(cors.methods),
        "headers": list(cors.headers),
        "credentials": cors.credentials,
        "max_age": cors.max_age,
    }
