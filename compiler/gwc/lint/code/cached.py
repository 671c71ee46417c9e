"""What the handlers of cached routes do that a cache takes no part in (GWC509, GWC512)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gwc.ir import Cache, Gateway, Route
from gwc.lint.code.base import CodeRule, Subject, inside
from gwc.lint.code.project import Module
from gwc.lint.code.reading import cookies_read, headers_read, query_read
from gwc.lint.code.routes import CodeRoute, Handler, covers, declared, shape
from gwc.lint.rule import Finding, Findings, Rule

ALWAYS = frozenset({"host", "traceparent", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"})
"""Headers that reach the service on every route."""


def _cached(about: Subject) -> Iterator[tuple[CodeRoute, Handler, Route, Cache]]:
    """The handlers of GET routes, with the route of the policy that caches their answers."""
    for route in declared(about.code).routes:
        fitting = [r for r in about.service.routes if "GET" in r.methods and _serves(about, r, route)]
        closest = min(fitting, key=lambda r: r.path.shape, default=None)
        if route.method == "GET" and route.handler and closest and closest.cache:
            yield route, route.handler, closest, closest.cache


def _serves(about: Subject, policy: Route, route: CodeRoute) -> bool:
    return covers(inside(about.service, policy), shape(route.path))


class CookieOnCachedRoute(CodeRule):
    """An answer that is never stored, because it sets a cookie.

    ## What it does
    Looks for `set_cookie` in the handlers of routes that the policy caches.

    ## Why is this bad?
    Somebody's cookie in everybody's answer would hand out their session, so the gateway does not store such an answer.
    The cache never hits, and all the load that it should take arrives at the service.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: items, path: /items, methods: [GET, HEAD], auth: none, cache: {ttl: 1m}}
    ```
    ```python
    # services/shop/app.py
    from fastapi import FastAPI, Response

    app = FastAPI()


    @app.get("/items")
    def items(response: Response) -> list[str]:
        response.set_cookie("seen", "1")
        return []
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: items, path: /items, methods: [GET, HEAD], auth: none, cache: {ttl: 1m}}
    ```
    ```python
    # services/shop/app.py
    from fastapi import FastAPI

    app = FastAPI()


    @app.get("/items")
    def items() -> list[str]:
        return []
    ```

    ## References
    - [RFC 9111, 7.3: caching of information in cookies](https://www.rfc-editor.org/rfc/rfc9111#section-7.3)
    """

    code, name = "GWC509", "cookie-on-cached-route"

    def check(self, about: Subject) -> Findings:
        for route, handler, policy, _ in _cached(about):
            for node in ast.walk(handler):
                if _sets_cookie(node):
                    yield Finding(
                        route.module.span(node),
                        about.service.name,
                        f"GET {route.path} sets a cookie, so {policy.name} is never answered from the cache",
                        "set the cookie on a route that is not cached, or write cache: none",
                    )


def _sets_cookie(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("set_cookie", "delete_cookie")
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.lower() == "set-cookie"


class KeyMissesWhatIsRead(CodeRule):
    """The service reads what the cache does not let through.

    ## What it does
    Looks for headers, cookies and query parameters that the handler of a cached route reads and `cache.vary` does not
    list.

    ## Why is this bad?
    On a cached route only what keys the answer reaches the service. The handler always sees the default: everybody gets
    the first page, or the same language, and in tests against the service itself it works.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: items, path: /items, methods: [GET, HEAD], auth: none, cache: {ttl: 1m}}
    ```
    ```python
    # services/shop/app.py
    from typing import Annotated

    from fastapi import FastAPI, Header

    app = FastAPI()


    @app.get("/items")
    def items(accept_language: Annotated[str, Header()], page: int = 1) -> list[str]:
        return [accept_language] * page
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - name: items
        path: /items
        methods: [GET, HEAD]
        auth: none
        cache: {ttl: 1m, vary: {query: [page], headers: [Accept-Language]}}
    ```
    ```python
    # services/shop/app.py
    from typing import Annotated

    from fastapi import FastAPI, Header

    app = FastAPI()


    @app.get("/items")
    def items(accept_language: Annotated[str, Header()], page: int = 1) -> list[str]:
        return [accept_language] * page
    ```

    ## References
    - [RFC 9111, 4.1: calculating cache keys](https://www.rfc-editor.org/rfc/rfc9111#section-4.1)
    """

    code, name = "GWC512", "key-misses-what-is-read"

    def check(self, about: Subject) -> Findings:
        for route, handler, policy, cache in _cached(about):
            arriving = _arriving(about.gateway, policy, cache)
            for what, listed, node in _missed(route.module, route, handler, cache, arriving):
                yield Finding(
                    route.module.span(node),
                    about.service.name,
                    f"GET {route.path} reads {what}, which never arrives: {policy.name} is cached without it",
                    f"write cache: {{vary: {listed}}}, or take it out of the handler" if listed else "read no cookies",
                )


def _arriving(gateway: Gateway, policy: Route, cache: Cache) -> frozenset[str]:
    own = [gateway.request_id.header, *(name for name, _ in policy.headers.request.set)]
    own += [gateway.identity.user_header] if cache.per_user else []
    own += [gateway.identity.gateway_secret.header] if gateway.identity.gateway_secret else []
    return ALWAYS.union(cache.vary_headers, (name.lower() for name in own))


def _missed(
    module: Module, route: CodeRoute, handler: Handler, cache: Cache, arriving: frozenset[str]
) -> Iterator[tuple[str, str, ast.AST]]:
    """What is read and does not arrive, and how it would be listed; a cookie cannot be."""
    for header, node in headers_read(module, handler):
        if header == "cookie":
            yield "cookies", "", node
        elif header not in arriving:
            yield f"the header `{header}`", f"{{headers: [{header}]}}", node
    for name, node in cookies_read(module, handler):
        yield f"the cookie `{name}`", "", node
    for name, node in query_read(module, handler, route.path):
        if name not in cache.vary_query:
            yield f"the parameter `{name}`", f"{{query: [{name}]}}", node


RULES: tuple[type[Rule], ...] = (CookieOnCachedRoute, KeyMissesWhatIsRead)
