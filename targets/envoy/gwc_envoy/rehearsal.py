"""Prepares a bootstrap for Envoy's own check on a machine that has none of the gateway's secrets.

What the gateway's host will have (certificates, keys, variables) is stood in for where this machine lacks it; nothing
else is changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gwc_envoy.xds import Json

_PLACEHOLDER = "placeholder"


@dataclass(frozen=True, slots=True)
class Stage:
    file: Path
    environ: Mapping[str, str]


def rehearse(text: str, scratch: Path) -> Stage:
    bootstrap: Json = json.loads(text)
    variables = {node["environment_variable"]: _PLACEHOLDER for node in _sources(bootstrap, "environment_variable")}
    for node in _sources(bootstrap, "filename"):
        if not Path(node["filename"]).is_file():
            node["filename"] = str(_stand_in(scratch))
    file = scratch / "envoy.json"
    file.write_text(json.dumps(bootstrap), encoding="utf-8")
    return Stage(file, variables)


def admin_address(bootstrap: Mapping[str, Any]) -> tuple[str, int]:
    for listener in bootstrap["static_resources"]["listeners"]:
        if listener["name"] == "admin":
            where = listener["address"]["socket_address"]
            return where["address"], where["port_value"]
    raise ValueError("the bootstrap has no admin listener")


def _sources(node: Any, key: str) -> Iterator[Json]:
    """Every message that names a file or variable of the gateway's host."""
    if isinstance(node, dict):
        if isinstance(node.get(key), str):
            yield node
        for value in node.values():
            yield from _sources(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from _sources(value, key)


def _stand_in(scratch: Path) -> Path:
    path = scratch / "secret"
    path.write_text(_PLACEHOLDER, encoding="utf-8")
    return path
