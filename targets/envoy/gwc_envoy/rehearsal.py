"""Prepares a bootstrap for Envoy's own check on a machine that has none of the gateway's secrets.

What the gateway's host will have (certificates, keys, variables) is stood in for where this machine lacks it; nothing
else is changed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gwc import placeholder
from gwc_envoy.xds import Json

_SCRIPT_VARIABLE = re.compile(r'\benv = "(\w+)"')
_SCRIPT_FILE = re.compile(r'\bfile = "([^"]+)"')
"""How the script of `auth` names its secrets."""


@dataclass(frozen=True, slots=True)
class Stage:
    file: Path
    environ: Mapping[str, str]


def rehearse(bootstrap: Json, scratch: Path) -> Stage:
    """`bootstrap` holds everything that is to be checked."""
    named = {node["environment_variable"]: role for role, node in _sources(bootstrap, "environment_variable")}
    environ = {name: _content(role) for name, role in named.items() if name not in os.environ}
    for pair in _pairs(bootstrap):
        if not all(_at_hand(source) for source in pair.values()):  # half of a pair fits no other half
            pair.update({role: {"inline_string": _content(role)} for role in pair})
    for role, node in _sources(bootstrap, "filename"):
        if not Path(node["filename"]).is_file():
            node["filename"] = str(_stand_in(scratch, role))
    for _, node in _sources(bootstrap, "inline_string"):
        environ.update(dict.fromkeys(_SCRIPT_VARIABLE.findall(node["inline_string"]), placeholder.TEXT))
        node["inline_string"] = _SCRIPT_FILE.sub(lambda found: _present(found[1], scratch), node["inline_string"])
    file = scratch / "envoy.json"
    file.write_text(json.dumps(bootstrap), encoding="utf-8")
    return Stage(file, environ)


def admin_address(listeners: Iterable[Json]) -> tuple[str, int]:
    for listener in listeners:
        if listener["name"] == "admin":
            where = listener["address"]["socket_address"]
            return where["address"], where["port_value"]
    raise ValueError("there is no admin listener")


def _pairs(node: Any) -> Iterator[Json]:
    """Certificates with their keys."""
    if isinstance(node, dict):
        if {"certificate_chain", "private_key"} == node.keys():
            yield node
        for value in node.values():
            yield from _pairs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _pairs(value)


def _at_hand(source: Json) -> bool:
    if "environment_variable" in source:
        return source["environment_variable"] in os.environ
    return Path(source["filename"]).is_file()


def _sources(node: Any, key: str, role: str = "") -> Iterator[tuple[str, Json]]:
    """Every message that names a file or variable of the gateway's host, with the field that holds it."""
    if isinstance(node, dict):
        if isinstance(node.get(key), str):
            yield role, node
        for name, value in node.items():
            yield from _sources(value, key, name)
    elif isinstance(node, list):
        for value in node:
            yield from _sources(value, key, role)


def _content(role: str) -> str:
    pems = {"trusted_ca": placeholder.CERTIFICATE, "certificate_chain": placeholder.CERTIFICATE}
    return {**pems, "private_key": placeholder.KEY}.get(role, placeholder.TEXT)


def _present(path: str, scratch: Path) -> str:
    return f'file = "{path if Path(path).is_file() else _stand_in(scratch, "")}"'


def _stand_in(scratch: Path, role: str) -> Path:
    path = scratch / (role or "secret")
    path.write_text(_content(role), encoding="utf-8")
    return path
