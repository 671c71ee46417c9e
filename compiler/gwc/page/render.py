"""A view as HTML: one file, with its style and script inside, and a policy that lets nothing else in."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from gwc.counted import counted
from gwc.page.effective import LEVELS
from gwc.page.picture import fitted
from gwc.page.platform import ahead, place
from gwc.page.view import View

MARK = '<meta name="generator" content="gwc docs'
"""What a page of ours says of itself."""


def render(view: View, source: str = "") -> str:
    """The page. The same view gives the same bytes. `source` is the URL of a line, with `{file}` and `{line}` in it."""
    style, script = _asset("page.css"), _asset("page.js")
    return _template().render(
        view=view,
        style=style,
        script=script,
        source=source,
        data=as_script({**view.data, "source": source}),
        policy=content_policy(style, script),
        generator=f"gwc docs {view.version}",
    )


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True,
        loader=PackageLoader("gwc.page"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"place": place, "level": LEVELS.__getitem__}
    environment.globals |= {"ahead": ahead, "fitted": fitted, "counted": counted, "linked": linked}
    return environment.get_template("page.html.j2")


def linked(source: str, at: str) -> str:
    """The URL of `assistant.yaml:14`."""
    file, _, line = at.rpartition(":")
    return source.replace("{file}", quote(file, safe="")).replace("{line}", line)


def content_policy(style: str, script: str) -> str:
    """Only what this file brings along runs and is shown; nothing is loaded or sent, nor made from text."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_digest(script)}'",
            f"style-src '{_digest(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def as_script(data: Mapping[str, Any]) -> str:
    """JSON that no text in it can end: what HTML reads as markup is escaped the way of JSON."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _asset(name: str) -> str:
    return files("gwc.page").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}"
