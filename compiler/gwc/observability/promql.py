"""PromQL as text, with every name quoted: what a policy holds can end no string and no template."""

from __future__ import annotations

import re
from collections.abc import Iterable
from json.encoder import encode_basestring

_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
"""What means something in a regular expression of RE2."""


def string(text: str) -> str:
    """A PromQL string literal. Its escapes are Go's, which has all of JSON's but the slash that JSON does not write."""
    return encode_basestring(text)


def series(metric: str, /, **labels: str) -> str:
    """A selector of the series with these labels; a value of `~...` is a regular expression."""
    matchers = (
        f"{name}=~{string(value[1:])}" if value.startswith("~") else f"{name}={string(value)}"
        for name, value in labels.items()
    )
    return f"{metric}{{{','.join(matchers)}}}" if labels else metric


def any_of(values: Iterable[str]) -> str:
    """For `series`: any of these values and no other."""
    return "~" + "|".join([_META.sub(r"\\\g<0>", value) if _META.search(value) else value for value in values])


def bucket(bound: str) -> str:
    """For `series`: the label `le` of a bound. Prometheus 3 stores 1 as 1.0, older ones as it is served."""
    return bound if "." in bound else f"~{bound}(\\.0)?"


def rate(selector: str, window: str, by: str = "") -> str:
    """A second, summed up over the gateways."""
    return f"sum{f' by ({by})' if by else ''} (rate({selector}[{window}]))"


def literal(text: str) -> str:
    """`text` inside a label or an annotation of an alert, which Prometheus expands as a Go template."""
    return text.replace("{{", '{{ "{{" }}')
