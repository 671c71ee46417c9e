"""build/manifest.json: what was compiled from what, by which versions, and what is inexact about it.

Everything in it is relative and free of secrets, and the same inputs give the same bytes. File names of policies are
relative to the policies directory, those of outputs to the build directory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

from gwc import __version__
from gwc.compile import Rendered
from gwc.ir import Gateway
from gwc.source import policy_name
from gwc.support import SupportTable
from gwc.survey import Survey, accepted_by

NAME = "manifest.json"
SCHEMA = 1
SECRETS = "secrets"
"""The directory below each target's that holds secret files. No manifest ever speaks of what is in it."""

Entry = dict[str, Any]
_named = lru_cache(maxsize=1 << 16)(policy_name)
"""Each entry names all of the policies again."""


class ManifestError(Exception):
    """A manifest.json that gwc did not write, or that somebody broke."""


@dataclass(frozen=True)
class Manifest:
    """`content` is the JSON object; the rest of the class reads it."""

    content: Entry

    @cached_property
    def text(self) -> str:
        """As `json.dumps` indents it, which takes ten times as long for as many places as it may hold."""
        return "".join(_printed(self.content, "\n")) + "\n"

    @property
    def undated(self) -> Entry:
        """The content without the day of the run, which alone makes no output stale."""
        return {key: value for key, value in self.content.items() if key != "now"}

    def files(self, target: str) -> dict[str, str]:
        """The sha256 of each file that a run wrote for `target`, by its path below the build directory."""
        entry = self.content["targets"].get(target, {"files": {}})
        return {f"{target}/{path}": digest for path, digest in entry["files"].items()}


def _printed(value: object, line: str) -> Iterator[str]:
    """`line` begins a new line for what stands beside the value."""
    inner = f"{line}  "
    if isinstance(value, dict) and value:
        for number, key in enumerate(sorted(value)):
            yield f"{',' if number else '{'}{inner}{json.dumps(key)}: "
            yield from _printed(value[key], inner)
        yield f"{line}}}"
    elif isinstance(value, list) and value:
        between = f",{inner}"
        yield f"[{inner}{between.join([_item(item, inner) for item in value])}{line}]"
    else:
        yield json.dumps(value)


def _item(value: object, line: str) -> str:
    return _quoted(value) if type(value) is str else "".join(_printed(value, line))


EMPTY = Manifest({"targets": {}})


def build_manifest(
    gateway: Gateway,
    inputs: Mapping[str, str],
    rendered: Sequence[Rendered],
    outputs: Mapping[str, Mapping[str, str]],
    before: Manifest = EMPTY,
) -> Manifest:
    """The manifest of this run over `inputs`, texts by name, with `outputs`, the sha256 of each file of each target.

    Targets that it did not render are kept from `before`.
    """
    digests = {name: digest(text) for name, text in inputs.items()}
    facts = {"gwc": __version__, "environment": gateway.environment, "inputs": digests}
    made_from = digest(json.dumps(facts, sort_keys=True))
    targets = {
        **before.content["targets"],
        **{one.name: _target(one, made_from, outputs[one.name], gateway) for one in rendered},
    }
    return Manifest({"schema": SCHEMA, **facts, "now": gateway.now.isoformat(), "targets": targets})


def read_manifest(text: str) -> Manifest:
    """A manifest of an earlier run. Raises ManifestError; each path in it stays inside the build directory."""
    try:
        content = json.loads(text)
        well_formed = content["schema"] == SCHEMA and all(_is_target(*pair) for pair in content["targets"].items())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ManifestError("not a manifest that gwc wrote") from error
    if not well_formed:
        raise ManifestError("not a manifest that this version of gwc wrote")
    return Manifest(content)


def _is_target(name: str, entry: Entry) -> bool:
    files: dict[str, str] = entry["files"]
    return "/" not in name and is_inside(name) and all(map(is_inside, files.keys()))


def is_inside(path: str) -> bool:
    """Whether `path` stays in its directory and out of the directory of secrets."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return bool(parts) and not path.startswith("/") and ".." not in parts and parts[0] != SECRETS and "\0" not in path


def is_secret(path: str) -> bool:
    """Whether `path` lies in a target's directory of secrets."""
    directory, _, name = path.partition("/")
    return directory == SECRETS and is_inside(name)


def digest(text: str) -> str:
    """As the manifest writes it, of an input or an output."""
    return sha256(text.encode("utf-8")).hexdigest()


def _target(one: Rendered, made_from: str, files: Mapping[str, str], gateway: Gateway) -> Entry:
    return {
        "profile": one.artifact.profile,
        "distribution": one.installed.distribution,
        "made_from": made_from,
        "files": dict(sorted(files.items())),
        "inexact": inexact(one.survey, gateway, one.table),
    }


def inexact(found: Survey, gateway: Gateway, table: SupportTable) -> list[Entry]:
    """Every feature in use that the table's target does not keep exactly, accepted or not, with the places that use
    it."""
    accepted = accepted_by(gateway, table)
    return [
        {
            "feature": one.feature,
            "fidelity": one.support.fidelity.value,
            "accepted": one.feature in accepted,
            "note": one.support.note,
            "at": [place for file in sorted(one.files) for place in _places(file, one.files[file])],
        }
        for one in found.inexact(table, placed=True)
    ]


def _places(file: str, spans: Sequence[int]) -> Iterator[str]:
    """`spans` are four numbers each; what is said is where they begin."""
    name = _named(file)
    return (f"{name}:{spans[at]}:{spans[at + 1]}" for at in range(0, len(spans), 4))
