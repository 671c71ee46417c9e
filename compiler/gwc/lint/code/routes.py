"""The paths that a FastAPI service declares: decorators, `add_api_route`, routers and their prefixes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from gwc.diagnostics import Span
from gwc.lint.code.project import Module, ServiceCode

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
MAX_INCLUDED = 20_000
"""Routers that include one another many times over multiply; nobody means more than this."""
Handler = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class CodeRoute:
    """`path` begins with a slash; `handler` is None where a function of elsewhere serves it."""

    method: str
    path: str
    span: Span
    module: Module
    handler: Handler | None


@dataclass
class Routers:
    """`complete` is false where something was declared that cannot be read without running it."""

    routes: list[CodeRoute] = field(default_factory=list)
    complete: bool = True
    included: int = 0


@dataclass
class _Router:
    """An application or router: what it declares itself, and which others it includes below which prefix."""

    prefix: str
    application: bool
    own: list[CodeRoute] = field(default_factory=list)
    included: list[tuple[str, str]] = field(default_factory=list)


@cache
def declared(code: ServiceCode) -> Routers:
    """Every route that an application of the service serves. The same object gets the same answer."""
    found = Routers(complete=not code.unread)
    routers = {key: router for module in code.modules for key, router in _routers(module, found)}
    for module in code.modules:
        _fill(module, routers, found)
    for router in routers.values():
        if router.application:
            found.routes += list(_served(router, "", routers, found, ()))
    return found


def _routers(module: Module, found: Routers) -> Iterator[tuple[str, _Router]]:
    for node in ast.walk(module.tree):
        target = _assigned(node)
        call = getattr(node, "value", None)
        if target is None or not isinstance(call, ast.Call):
            continue
        kind = module.dotted(call.func).rpartition(".")[2]
        if kind in ("FastAPI", "APIRouter"):
            prefix = _constant(call, "prefix", default="")
            found.complete &= prefix is not None and _keyword(call, "routes") is None
            yield f"{module.name}:{target}", _Router(prefix or "", kind == "FastAPI")


def _assigned(node: ast.AST) -> str | None:
    target = (
        node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else getattr(node, "target", None)
    )
    return target.id if isinstance(target, ast.Name) and isinstance(node, ast.Assign | ast.AnnAssign) else None


def _fill(module: Module, routers: dict[str, _Router], found: Routers) -> None:
    for node in ast.walk(module.tree):
        if isinstance(node, Handler):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call):
                    _declare(module, decorator, node, routers, found)
        elif isinstance(node, ast.Call):
            _call(module, node, routers, found)


def _declare(
    module: Module, call: ast.Call, handler: Handler | None, routers: dict[str, _Router], found: Routers
) -> None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name not in (*METHODS, "api_route", "websocket", "add_api_route", "route"):
        return
    path, router = _constant(call, "path", position=0), _router_of(module, call, routers)
    if router is None:
        found.complete &= not (path or "").startswith("/")  # a router that came in a way that is not followed
        return
    methods = _methods(call, name)
    if path is None or methods is None:
        found.complete = False
        return
    router.own += [CodeRoute(method, path, module.span(call), module, handler) for method in methods]


def _call(module: Module, call: ast.Call, routers: dict[str, _Router], found: Routers) -> None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name not in ("add_api_route", "include_router", "mount", "add_route", "add_websocket_route"):
        return
    if (router := _router_of(module, call, routers)) is None:
        found.complete &= name != "include_router"
        return
    if name == "add_api_route":
        _declare(module, call, None, routers, found)
    elif name == "include_router":
        prefix = _constant(call, "prefix", default="")
        included = _key_of(module, call.args[0], routers) if call.args else None
        if included is None or prefix is None:
            found.complete = False
        else:
            router.included.append((included, prefix))
    else:
        found.complete = False


def _router_of(module: Module, call: ast.Call, routers: dict[str, _Router]) -> _Router | None:
    if not isinstance(call.func, ast.Attribute):
        return None
    key = _key_of(module, call.func.value, routers)
    return routers[key] if key is not None else None


def _key_of(module: Module, node: ast.expr, routers: dict[str, _Router]) -> str | None:
    """A router by its name here, or by the import that brought it: `notes.router`, `from .notes import router`."""
    if isinstance(node, ast.Name) and f"{module.name}:{node.id}" in routers:
        return f"{module.name}:{node.id}"
    origin, _, attribute = module.dotted(node).rpartition(".")
    tail = origin.lstrip(".")
    fitting = [k for k in routers if k.endswith(f":{attribute}") and _ends(k.partition(":")[0], tail)]
    return fitting[0] if origin and len(fitting) == 1 else None


def _ends(name: str, tail: str) -> bool:
    return name == tail or name.endswith(f".{tail}") or tail.endswith(f".{name}")


def _served(
    router: _Router, before: str, routers: dict[str, _Router], found: Routers, outer: tuple[_Router, ...]
) -> Iterator[CodeRoute]:
    """`outer` are the routers around this one: who includes one of them again goes round in a circle."""
    prefix = before + router.prefix
    for route in router.own:
        yield CodeRoute(route.method, (prefix + route.path) or "/", route.span, route.module, route.handler)
    around = (*outer, router)
    for key, extra in router.included:
        found.included += 1
        if any(routers[key] is one for one in around) or found.included > MAX_INCLUDED:
            found.complete = False
        else:
            yield from _served(routers[key], prefix + extra, routers, found, around)


def _methods(call: ast.Call, name: str) -> tuple[str, ...] | None:
    if name in METHODS:
        return (name.upper(),)
    if name == "websocket":
        return ("GET",)
    listed = _keyword(call, "methods")
    if listed is None:
        return ("GET",)
    if not isinstance(listed, ast.List | ast.Tuple | ast.Set):
        return None
    values = [item.value for item in listed.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return tuple(value.upper() for value in values) if len(values) == len(listed.elts) else None


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _constant(call: ast.Call, name: str, position: int | None = None, default: str | None = None) -> str | None:
    """The text of an argument; `default` where it is not given, None where it is no constant."""
    given = _keyword(call, name)
    if given is None and position is not None and len(call.args) > position:
        given = call.args[position]
    if given is None:
        return default
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None


_PARAMETER = re.compile(r"\{[^{}:]+\}")
_CONVERTED = re.compile(r"\{[^{}:]+:(int|float|str|uuid)\}")
_PATH = re.compile(r"/\{[^{}:]+:path\}$")


def shape(path: str) -> str:
    """A path with every parameter as `{}`, and a trailing `{name:path}` or `/**` as `/**`."""
    return _PARAMETER.sub("{}", _CONVERTED.sub("{}", _PATH.sub("/**", path)))


def covers(template: str, path: str) -> bool:
    """Whether the shape `template` matches everything that the shape `path` does."""
    if template.endswith("/**"):
        stem, rest = template[:-3].split("/"), path.removesuffix("/**").split("/")
        longer = len(rest) > len(stem) or (path.endswith("/**") and len(rest) == len(stem))
        return longer and all(map(_segment, stem, rest))
    first, second = template.split("/"), path.split("/")
    return len(first) == len(second) and not path.endswith("/**") and all(map(_segment, first, second))


def _segment(template: str, segment: str) -> bool:
    return template == segment or template == "{}"
