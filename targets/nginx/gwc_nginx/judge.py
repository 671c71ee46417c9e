"""What `nginx -t` lets pass and must not: checks of our own output that need no binary."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gwc.diagnostics import Diagnostic, Severity, Span
from gwc.target import Artifact, Output

_MISTAKES = (
    # In a header these split the response: they hold the client's bytes, decoded.
    (re.compile(r"^[ \t]*add_header .*\$(document_)?uri\b", re.MULTILINE), "a decoded path in a response header"),
    (re.compile(r"[\x00-\x08\x0b-\x1f\x7f]"), "a control character"),
)
_SPLITTING = ("$uri", "$document_uri")
_CONTROL = bytes(byte for byte in range(128) if (byte < 32 and byte not in b"\t\n") or byte == 127)


def fit(text: str) -> bool:
    """Whether no pattern finds anything, for the many texts in which nothing comes near one: that is seen faster."""
    data = text.encode()
    near = any(name in text for name in _SPLITTING) or len(data.translate(None, _CONTROL)) < len(data)
    return not near or not any(pattern.search(text) for pattern, _ in _MISTAKES)


def judge(artifact: Artifact) -> tuple[Diagnostic, ...]:
    return tuple(
        found for name, output in artifact.files.items() if name.endswith(".conf") for found in _faults(name, output)
    )


def _faults(name: str, output: Output) -> Iterator[Diagnostic]:
    text = output.text
    for pattern, what in _MISTAKES:
        for found in pattern.finditer(text):
            number = text.count("\n", 0, found.end()) + 1
            span = output.lines.get(number, Span(name, number, 1, number, 1))
            hint = "this is a fault of gwc's NGINX target, not of the policy: please report it with the policy"
            yield Diagnostic(span, "GWC603", Severity.ERROR, f"NGINX's {name} would hold {what}", hint)
