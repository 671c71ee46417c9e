"""Regular expressions of routers as path templates, where a template can say the same."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE = (
    r"(?:\((?:\?P?<[A-Za-z_]\w*>|\?:)?)?"
    r"(?:\[\^/\][+*]|\[\^/\?\]\+|\\d\+|\\w\+|\[0-9\]\+|\\S\+|\.\+\?|\[[A-Za-z0-9_.\\-]+\](?:\+|\{[0-9]+(?:,[0-9]*)?\}))"
    r"\)?"
)
_SEGMENT = re.compile(_ONE)
_REST = re.compile(r"(?:\((?:\?P?<[A-Za-z_]\w*>|\?:)?)?\.[*+](?:\))?")
_NAME = re.compile(r"\?P?<([A-Za-z_]\w*)>")
_LITERAL = re.compile(r"(?:[A-Za-z0-9_~!&'@,;:=%-]|\\[.+/*?()\[\]{}|^$-])+")


@dataclass(frozen=True, slots=True)
class Templates:
    """`exact` is false where the templates match more paths, or fewer, than the expression."""

    paths: tuple[str, ...]
    exact: bool


def templates_of(regex: str, *, whole: bool = False) -> Templates | None:
    """None for an expression that no template comes near. `whole`: it has to match from end to end."""
    text = regex
    anchored, ended = whole or text.startswith("^"), whole or bool(re.search(r"(?<!\\)\$\Z|\\z\Z", text))
    text = re.sub(r"\A\^|(?<!\\)\$\Z|\\z\Z", "", text)
    if not anchored or not text.startswith(("/", r"\/")):
        return None
    text = text.replace(r"\/", "/")
    slash = text.endswith("/?")
    text = text.removesuffix("/?")
    found = [_segment(part, number) for number, part in enumerate(_split(text[1:]), 1)]
    if any(one is None for one in found):
        return None
    parts = [one for one in found if one is not None]
    return _assembled(parts, ended=ended, slash=slash)


def _assembled(parts: list[tuple[str, bool]], *, ended: bool, slash: bool) -> Templates | None:
    if any(segment == "**" for segment, _ in parts[:-1]):
        return None
    path = "/" + "/".join(segment for segment, _ in parts)
    exact = all(one for _, one in parts)
    if path.endswith("**"):
        return Templates((path,), exact)
    if ended:
        return Templates((path, f"{path}/") if slash else (path,), exact)
    below = f"{path}**" if path.endswith("/") else f"{path}/**"
    return Templates((below,) if path.endswith("/") else (path, below), path.endswith("/") and exact)


def _split(text: str) -> list[str]:
    """At slashes outside of brackets."""
    parts, depth, start, index = [], 0, 0, 0
    while index < len(text):
        character = text[index]
        if character == "\\":
            index += 1
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "/" and depth == 0:
            parts.append(text[start:index])
            start = index + 1
        index += 1
    return [*parts, text[start:]]


def _segment(part: str, number: int) -> tuple[str, bool] | None:
    if part == "" or _LITERAL.fullmatch(part):
        literal = re.sub(r"\\(.)", r"\1", part)
        return (literal, True) if not re.search(r"[*?{}\[\]|^%]", literal) else None
    if _REST.fullmatch(part):
        return "**", part.strip("()").endswith("*")
    if _SEGMENT.fullmatch(part):
        name = _NAME.search(part)
        return "{" + (name[1] if name else f"part{number}") + "}", "[^/]+" in part
    if _SEGMENT.search(part) and not re.search(r"(?<!\\)[|]", part):
        return "{" + f"part{number}" + "}", False
    return None
