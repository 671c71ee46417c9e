"""What code reads of a request: headers, cookies, query parameters; of Starlette's request and FastAPI's arguments."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gwc.lint.code.project import Module
from gwc.lint.code.routes import Handler

Read = Iterator[tuple[str, ast.AST]]
"""Names, and where they are read."""

_SCALARS = frozenset({"str", "int", "float", "bool", "date", "datetime", "UUID", "Decimal", "list", "set", "None"})
_IN_PATH = re.compile(r"\{([^{}:]+)(?::[^{}]*)?\}")


def headers_read(module: Module, tree: ast.AST) -> Read:
    """`headers["X"]`, `headers.get("X")`, and FastAPI's parameters `x_user: str = Header()`; in lower case."""
    for node in ast.walk(tree):
        if (name := _looked_up(node, "headers")) is not None:
            yield name.lower(), node
        elif isinstance(node, Handler):
            for name, argument in _marked(module, node, "Header"):
                yield name.replace("_", "-").lower(), argument


def cookies_read(module: Module, handler: Handler) -> Read:
    for node in ast.walk(handler):
        if (name := _looked_up(node, "cookies")) is not None:
            yield name, node
    yield from _marked(module, handler, "Cookie")


def query_read(module: Module, handler: Handler, path: str) -> Read:
    """`query_params["x"]`, `page: int = Query()`, and FastAPI's plain arguments that the path does not name."""
    for node in ast.walk(handler):
        if (name := _looked_up(node, "query_params")) is not None:
            yield name, node
    yield from _marked(module, handler, "Query")
    in_path = set(_IN_PATH.findall(path))
    for argument, default in _parameters(handler):
        marks = any(isinstance(mark, ast.Call | ast.Name | ast.Attribute) for mark in (default, *_annotated(argument)))
        if not marks and argument.arg not in in_path and _scalar(module, argument.annotation):
            yield argument.arg, argument


def _looked_up(node: ast.AST, what: str) -> str | None:
    """The constant in `request.WHAT["x"]` or `request.WHAT.get("x")`, where that is read and not written."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        owner, key = node.value, node.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        owner, key = node.func.value, node.args[0]
    else:
        return None
    if not (isinstance(owner, ast.Attribute) and owner.attr == what and not _of_response(owner.value)):
        return None
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None


def _of_response(node: ast.expr) -> bool:
    """What other services answered: `response.headers`, `(await client.get(...)).headers`."""
    if isinstance(node, ast.Call | ast.Await):
        return True
    words = (getattr(part, "id", getattr(part, "attr", "")) for part in ast.walk(node))
    return any(re.search("resp|reply|answer", word.lower()) for word in words)


def _marked(module: Module, function: Handler, mark: str) -> Read:
    """Parameters with `= Header()` or `Annotated[str, Header()]`, by their alias or their own name."""
    for argument, default in _parameters(function):
        marks = [one for one in (default, *_annotated(argument)) if isinstance(one, ast.Call)]
        found = next((one for one in marks if module.dotted(one.func).rpartition(".")[2] == mark), None)
        if found is not None:
            alias = next((keyword.value for keyword in found.keywords if keyword.arg == "alias"), None)
            yield str(alias.value) if isinstance(alias, ast.Constant) else argument.arg, argument


def _parameters(function: Handler) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Each with its default. Those of positional ones belong to the last of them."""
    positional = [*function.args.posonlyargs, *function.args.args]
    without = [None] * (len(positional) - len(function.args.defaults))
    yield from zip(positional, [*without, *function.args.defaults], strict=True)
    yield from zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)


def _annotated(argument: ast.arg) -> list[ast.expr]:
    """The marks of `Annotated[str, Header()]`."""
    note = argument.annotation
    marks = note.slice if isinstance(note, ast.Subscript) else None
    return list(marks.elts[1:]) if isinstance(marks, ast.Tuple) else []


def _scalar(module: Module, note: ast.expr | None) -> bool:
    """Whether FastAPI takes an argument of this type from the query: str, `int | None`, Optional[bool]."""
    if isinstance(note, ast.BinOp):
        return _scalar(module, note.left) and _scalar(module, note.right)
    if isinstance(note, ast.Constant):
        return note.value is None
    if isinstance(note, ast.Subscript):
        return module.dotted(note.value).rpartition(".")[2] == "Optional" and _scalar(module, note.slice)
    return note is not None and module.dotted(note).rpartition(".")[2] in _SCALARS - {"list", "set"}
