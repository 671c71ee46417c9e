"""What an NGINX was started with, and what it should have been: the text that `nginx -T` prints.

It shows every file that the configuration includes, and neither gwc.json nor the njs modules. These may stand behind it
under a heading of the same kind. Files of secrets, which it prints as well, are not looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from gwc.live.source import LiveError, Running
from gwc.live.tree import Series, Tree, keyed, tree_of
from gwc.target import Artifact
from gwc_nginx.fields import read

_HEADING = re.compile(r"^# configuration file (/\S.*):$", re.MULTILINE)
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<mark>[{};])|"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'"""
    r"""|(?P<word>(?:\\.|\$\{[^}]*\}|[^\s{};\\])+)""",
    re.DOTALL,
)
_BY_ARGUMENT = frozenset((
    *("add_header", "env", "include", "js_import", "js_set", "js_shared_dict_zone", "js_var", "js_periodic"),
    *("log_format", "access_log", "error_page", "proxy_hide_header", "proxy_pass_header", "proxy_set_header", "set"),
    *("set_real_ip_from", "js_preload_object", "limit_req_zone", "limit_conn_zone", "limit_req", "limit_conn"),
))  # fmt: skip
"""Directives that may stand several times in a block, told apart by their first argument."""
_DEEPEST = 32


class NginxLive:
    """Satisfies `gwc.live.source.Reader`."""

    path: str | None = None

    def recognises(self, text: str) -> bool:
        return _HEADING.match(text.lstrip()) is not None

    def wanted(self, artifact: Artifact) -> Tree:
        return {name: _content(name, file.text) for name, file in artifact.files.items() if _is_shown(name)}

    def running(self, text: str, artifact: Artifact) -> Running:
        files = {name: content for name, content in _files(text).items() if not name.startswith("secrets/")}
        unseen = tuple(n for n in sorted(artifact.files) if _is_shown(n) and not n.endswith(".conf") and n not in files)
        tree = {name: _content(name, content) for name, content in files.items()}
        return Running(tree | {name: _content(name, artifact.files[name].text) for name in unseen}, unseen)


def _is_shown(name: str) -> bool:
    return name.endswith((".conf", ".js")) or name == "gwc.json"


def _files(text: str) -> dict[str, str]:
    """By their names below the directory of the first, which is the main one. Raises LiveError."""
    parts = _HEADING.split(text)[1:]
    if not parts:
        raise LiveError("this is not what nginx -T prints")
    top = parts[0].rpartition("/")[0] + "/"
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return {name.removeprefix(top): content for name, content in pairs}


def _content(name: str, text: str) -> Tree:
    if name == "gwc.json":
        try:
            return tree_of(_opened(json.loads(text)), _name)
        except (ValueError, RecursionError) as error:
            raise LiveError("gwc.json is not JSON") from error
    if name.endswith(".js"):
        return f"sha256 {sha256(text.strip().encode()).hexdigest()[:16]}"
    return directives(text, name)


def _opened(found: Any) -> Any:
    """With the texts of tries as what they are written from: a difference is then as small as it is."""
    settings = found.get("settings") if isinstance(found, Mapping) else None
    if not isinstance(settings, Mapping):
        return found
    return {**found, "settings": {name: _tried(one) for name, one in settings.items()}}


def _tried(settings: Any) -> Any:
    tries = settings.get("tries") if isinstance(settings, Mapping) else None
    return {**settings, "tries": read(tries)} if isinstance(tries, str) else settings


def _name(member: Mapping[str, Any]) -> str | None:
    named = member.get("id") or member.get("name")
    return named if isinstance(named, str) else None


def directives(text: str, name: str) -> Series:
    """A file as a tree: blocks by their whole head, directives by name, and by first argument where they repeat."""
    try:
        series, rest = _block(_tokens(text), 0)
    except RecursionError as error:
        raise LiveError(f"{name} is nested too deeply") from error
    if rest:
        raise LiveError(f"{name} does not end where it should")
    return series


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """Arguments without their quotes, and marks; true for a mark."""
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise LiveError("this is not what nginx -T prints")
        position = found.end()
        if found["mark"]:
            yield found["mark"], True
        elif found.lastgroup:
            yield re.sub(r"\\([\"'\\])", r"\1", found[found.lastgroup]), False


def _block(tokens: Iterator[tuple[str, bool]], depth: int) -> tuple[Series, bool]:
    """Its directives, and whether a closing brace ended it where nothing was open."""
    if depth > _DEEPEST:
        raise RecursionError
    members: list[tuple[str, Tree]] = []
    words: list[str] = []
    for token, mark in tokens:
        if not mark:
            words.append(token)
        elif token == "}":  # noqa: S105 - a brace
            return keyed(iter(members)), depth == 0
        else:
            opened = token == "{"  # noqa: S105
            members.append((" ".join(words), _block(tokens, depth + 1)[0]) if opened else _directive(words))
            words = []
    return keyed(iter(members)), bool(words)


def _directive(words: list[str]) -> tuple[str, Tree]:
    name, arguments = (words[0], words[1:]) if words else ("", [])
    if name in _BY_ARGUMENT and arguments:
        return f"{name} {arguments[0]}", " ".join(arguments[1:])
    return name, " ".join(arguments)
