"""Kong's router expressions, as far as gwc writes them, turned into Lua predicates. Anything else is an error."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r'\s*(?:(?P<op>&&|\|\||==|\^=|~|contains\b|\(|\))|(?P<raw>r#"(?P<rawtext>.*?)"#)|(?P<str>"(?P<text>[^"\\]*)")|(?P<field>[a-z.]+))',
    re.S,
)
_FIELDS = {"http.host": "host", "http.path": "path", "http.method": "method"}


def lua_bytes(data: bytes) -> str:
    return '"' + "".join(f"\\{b:03d}" for b in data) + '"'


def lua_string(text: str) -> str:
    return '"' + "".join(chr(b) if 0x20 <= b <= 0x7E and b not in b'"\\' else f"\\{b:03d}" for b in text.encode()) + '"'


def to_lua(expression: str) -> str:
    """A Lua expression over `method`, `host`, `path`, `find` (ngx.re.find) and `holds` (string.find)."""
    tokens = _tokens(expression)
    result = _any(tokens)
    if tokens:
        raise ValueError(f"left over in a router expression: {tokens[0]}")
    return result


def _tokens(expression: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if match is None:
            raise ValueError(f"no token at {expression[position : position + 20]!r}")
        if match["op"]:
            tokens.append(("op", match["op"]))
        elif match["raw"]:
            tokens.append(("text", match["rawtext"]))
        elif match["str"]:
            tokens.append(("text", match["text"]))
        else:
            tokens.append(("field", match["field"]))
        position = match.end()
    return tokens


def _take(tokens: list[tuple[str, str]], kind: str, value: str | None = None) -> str:
    found = tokens.pop(0) if tokens else ("end", "")
    if found[0] != kind or (value is not None and found[1] != value):
        raise ValueError(f"expected {value or kind}, got {found}")
    return found[1]


def _any(tokens: list[tuple[str, str]]) -> str:
    terms = [_all(tokens)]
    while tokens and tokens[0] == ("op", "||"):
        tokens.pop(0)
        terms.append(_all(tokens))
    return "(" + " or ".join(terms) + ")"


def _all(tokens: list[tuple[str, str]]) -> str:
    terms = [_term(tokens)]
    while tokens and tokens[0] == ("op", "&&"):
        tokens.pop(0)
        terms.append(_term(tokens))
    return "(" + " and ".join(terms) + ")"


def _term(tokens: list[tuple[str, str]]) -> str:
    if tokens and tokens[0] == ("op", "("):
        tokens.pop(0)
        inner = _any(tokens)
        _take(tokens, "op", ")")
        return inner
    field = _take(tokens, "field")
    if field == "lower":
        _take(tokens, "op", "(")
        variable = f"lower({_FIELDS[_take(tokens, 'field')]})"
        _take(tokens, "op", ")")
    else:
        variable = _FIELDS[field]
    operator, text = _take(tokens, "op"), lua_string(_take(tokens, "text"))
    if operator == "==":
        return f"{variable} == {text}"
    if operator == "contains":
        return f"holds({variable}, {text}, 1, true)"
    if operator == "^=":
        return f"sub({variable}, 1, #{text}) == {text}"
    if operator == "~":
        return f'(find({variable}, {text}, "jo") ~= nil)'
    raise ValueError(f"no comparison: {operator}")
