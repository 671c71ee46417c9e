"""The routes of a FastAPI service, from its code, which is read and never run."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from gwc.diagnostics import Span
from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.values import METHODS, Names, route_name
from gwc.lint.code.project import CodeError, ServiceCode, read_code
from gwc.lint.code.routes import CodeRoute, declared
from gwc.policy.paths import parse_path

HEALTH = ("/readyz", "/ready", "/healthz", "/health", "/livez", "/live", "/ping")
"""Where services tell how they are; the first that a service has is what the gateway asks."""
_INTERNAL = ("/metrics", *HEALTH)


def add_routes(service: Table, where: str, findings: Findings) -> None:
    """The routes of the code at `where`, a directory or a module, as routes of `service`. Raises CodeError."""
    code = read_code(service.value("service"), _folder(where))
    found = declared(code)
    for module in code.modules:
        findings.texts[module.file] = module.shown
    for unread in code.unread:
        findings.left_out(unread.span, f"this file is not read: {unread.reason}")
    start = _start(code, where)
    if not found.complete:
        hint = "gwc lint --services names them; write their routes by hand"
        findings.approximate(start, "some routes are put together while the service runs, and cannot be read", hint)
    _add(service, found.routes, findings)
    if not service.rows("routes"):
        raise CodeError(f"{where}: no route of a FastAPI application in it")


def _folder(where: str) -> Path:
    """`where` itself, or the directory of the top package of a module such as `app.main` or `app.main:app`."""
    if Path(where).is_dir():
        return Path(where)
    if Path(where).is_file():
        return Path(where).parent
    top, *rest = where.partition(":")[0].split(".")
    for entry in ("", *sys.path):
        base = Path(entry) / top
        if base.is_dir() and (not rest or _is_module(base.joinpath(*rest))):
            return base
        if not rest and base.with_suffix(".py").is_file():
            return base.parent
    raise CodeError(f"{where}: neither a directory nor a module that Python would find")


def _is_module(path: Path) -> bool:
    return path.is_dir() or path.with_suffix(".py").is_file()


def _start(code: ServiceCode, where: str) -> Span:
    return Span(code.modules[0].file if code.modules else where, 1, 1, 1, 1)


def _add(service: Table, routes: list[CodeRoute], findings: Findings) -> None:
    names = Names()
    by_path: dict[str, list[CodeRoute]] = {}
    for route in routes:
        template = _template(route, findings)
        if template is not None:
            by_path.setdefault(template, []).append(route)
    health = [path for path in HEALTH if any(route.method == "GET" for route in by_path.get(path, ()))]
    if health:
        span = by_path[health[0]][0].span
        service.put("upstream.health.path", health[0], span)
        service.put("upstream.health.every", "5s", span)
    for path, alike in by_path.items():
        if path in _INTERNAL:
            findings.no_matter(alike[0].span, path, "for operators: it is not reachable through the gateway")
        else:
            _route(service, path, alike, names)


def _route(service: Table, path: str, alike: list[CodeRoute], names: Names) -> None:
    methods = [method for method in METHODS if any(route.method == method for route in alike)]
    span = alike[0].span
    route = service.add("routes", Table(span))
    handlers = {one.handler.name for one in alike if one.handler is not None}
    named = min(handlers).replace("_", "-").strip("-").lower() if len(handlers) == 1 else ""
    fits = re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", named)
    route.put("name", names.take(named if fits else route_name(path)), span)
    route.put("path", path, span)
    route.put("methods", methods, span)


def _template(route: CodeRoute, findings: Findings) -> str | None:
    path = re.sub(r"/\{[^{}:]+:path\}$", "/**", route.path)
    path = re.sub(r"\{([^{}:]+):(?:int|float|str|uuid)\}", r"{\1}", path)
    method = route.method if route.method in METHODS else None
    try:
        parse_path(path)
    except ValueError as error:
        findings.left_out(route.span, str(error), "write the route by hand")
        return None
    if method is None:
        findings.left_out(route.span, f"the method {route.method[:20]} does not pass a gateway of gwc's")
        return None
    return path
