"""What `-t` adds to a diff or a replay: the rendered files side by side, and what a target only approximates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import unified_diff

from gwc.cli.diffing import rendered
from gwc.compile import Rendered
from gwc.ir import Gateway
from gwc.manifest import inexact

MODELLED = (
    *("path", "methods", "hosts", "auth", "limits", "budget", "cost"),
    *("concurrency", "upstream.concurrency", "cache", "timeouts.request"),
)
"""The features that the model answers for."""


def file_diffs(old: Gateway, new: Gateway, targets: Sequence[str]) -> dict[str, str]:
    """Unified diffs of the files that differ, by `target/path`."""
    pairs = zip(rendered(old, targets), rendered(new, targets), strict=True)
    return dict(found for before, after in pairs for found in _files(before, after))


def _files(before: Rendered, after: Rendered) -> Iterator[tuple[str, str]]:
    texts = [{path: file.text for path, file in one.artifact.files.items()} for one in (before, after)]
    for path in sorted({*texts[0], *texts[1]}):
        was, now = (side.get(path, "") for side in texts)
        if was != now:
            name = f"{after.name}/{path}"
            lines = unified_diff(was.splitlines(), now.splitlines(), f"old/{name}", f"new/{name}", lineterm="")
            yield name, "".join(f"{line}\n" for line in lines)


def caveats(gateway: Gateway, targets: Sequence[str]) -> tuple[str, ...]:
    """Where the model and a target may part: the target's own words for each feature that it does not keep exactly."""
    return tuple(
        f"{one.name} {entry['fidelity']}: {entry['feature']}: {entry['note']}"
        for one in rendered(gateway, targets)
        for entry in inexact(one.survey, gateway, one.table)
        if _modelled(str(entry["feature"]))
    )


def _modelled(feature: str) -> bool:
    return any(feature == name or feature.startswith(f"{name}.") for name in MODELLED)
