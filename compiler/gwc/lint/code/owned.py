"""The mini gateway inside a service: limits, retries, timeouts, CORS, caches (GWC500 to GWC504)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gwc.diagnostics import Span
from gwc.lint.code.base import CodeRule, Subject, calls, imported, inside
from gwc.lint.code.project import Module, ServiceCode
from gwc.lint.code.routes import covers, declared, shape
from gwc.lint.rule import Finding, Findings, Rule

LIMITERS = frozenset(
    {"slowapi", "fastapi_limiter", "limits", "ratelimit", "flask_limiter", "django_ratelimit", "asgi_ratelimit",
     "pyrate_limiter", "starlette_limiter", "fastapi_throttling"}
)  # fmt: skip


RETRIERS = frozenset({"tenacity", "backoff", "retrying", "stamina", "retry", "retry2"})


RESPONSE_CACHES = frozenset(
    {"fastapi_cache", "fastapi_redis_cache", "aiocache", "cashews", "cachetools", "flask_caching"}
)


def _top(name: str) -> str:
    return name.partition(".")[0]


class InProcessLimit(CodeRule):
    """The service limits requests itself.

    ## What it does
    Looks for libraries that limit requests inside the process: slowapi, fastapi-limiter, limits and their like.

    ## Why is this bad?
    A refusal in Python costs as much as many answers at the gateway, each worker counts for itself, and the address it
    counts by is the gateway's, or one that the client wrote. The policy's `limits` refuse before anything is spent.
    As a deliberate second line it is accepted: suppress this with the reason.

    ## Example
    ```python
    # services/shop/app.py
    from slowapi import Limiter
    from slowapi.util import get_remote_address

    limiter = Limiter(key_func=get_remote_address)
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    limits: [{per: ip, rate: 300/min, burst: 20}]
    ```
    """

    code, name = "GWC500", "in-process-limit"

    def check(self, about: Subject) -> Findings:
        for library, span in _used(about.code, LIMITERS):
            yield Finding(
                span,
                about.service.name,
                f"{library} limits requests inside the service",
                f"write limits in the policy of {about.service.name}; they refuse before the service is asked",
            )


def _used(code: ServiceCode, libraries: frozenset[str]) -> Iterator[tuple[str, Span]]:
    """Each library once in each file that imports it; where it is only a dependency, there."""
    seen: set[str] = set()
    for module in code.modules:
        here: set[str] = set()
        for name, node in imported(module):
            library = _top(name)
            if library in libraries and library not in here:
                here.add(library)
                yield library, module.span(node)
        seen |= here
    for name, span in code.dependencies:
        library = name.replace("-", "_")
        if library in libraries and library not in seen:
            yield name, span


class InboundRetry(CodeRule):
    """A request's handler is tried again inside the service.

    ## What it does
    Looks for retry decorators on the functions that serve routes.

    ## Why is this bad?
    The gateway retries, too, and it knows the budget: three tries there and three here are nine calls of what fails.
    Nobody outside sees them, and the policy's `timeouts.request` runs out in the middle.

    ## Example
    ```python
    # services/shop/app.py
    from fastapi import FastAPI
    from tenacity import retry, stop_after_attempt

    app = FastAPI()


    @app.get("/shop-items")
    @retry(stop=stop_after_attempt(3))
    def items() -> list[str]:
        return []
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    retries: {attempts: 1, when: [connect, reset], per_try: 3s, budget: 20%}
    ```

    ## References
    - [Addressing cascading failures: retry at one level](https://sre.google/sre-book/addressing-cascading-failures/)
    """

    code, name = "GWC501", "inbound-retry"

    def check(self, about: Subject) -> Findings:
        for route in {r.handler: r for r in declared(about.code).routes if r.handler}.values():
            for decorator in route.handler.decorator_list if route.handler else ():
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if _top(route.module.dotted(called)) in RETRIERS:
                    yield Finding(
                        route.module.span(decorator),
                        about.service.name,
                        f"{route.method} {route.path} is tried again inside the service",
                        "write retries in the policy; the gateway bounds them by a budget",
                    )


class InboundTimeout(CodeRule):
    """A middleware that ends requests.

    ## What it does
    Looks for middlewares that are called a timeout.

    ## Why is this bad?
    The gateway has answered 504 already, or would have. Two clocks for one request drift apart; the shorter one wins,
    with an error of another shape, and the policy no longer says how long a request may take.

    ## Example
    ```python
    # services/shop/app.py
    from fastapi import FastAPI
    from starlette.middleware.base import BaseHTTPMiddleware


    class TimeoutMiddleware(BaseHTTPMiddleware):
        pass


    app = FastAPI()
    app.add_middleware(TimeoutMiddleware)
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    timeouts: {request: 10s}
    ```
    """

    code, name = "GWC502", "inbound-timeout"

    def check(self, about: Subject) -> Findings:
        for module in about.code.modules:
            for added, node in _middlewares(module):
                if "timeout" in added.rpartition(".")[2].lower():
                    yield Finding(
                        module.span(node),
                        about.service.name,
                        f"{added.rpartition('.')[2]} ends requests inside the service",
                        "write timeouts in the policy",
                    )


def _middlewares(module: Module) -> Iterator[tuple[str, ast.AST]]:
    """The classes given to `add_middleware` or `Middleware`."""
    for name, call in calls(module):
        if name.rpartition(".")[2] in ("add_middleware", "Middleware") and call.args:
            yield module.dotted(call.args[0]), call


class CorsInTheService(CodeRule):
    """The service answers preflights.

    ## What it does
    Looks for CORS middlewares: Starlette's and flask-cors.

    ## Why is this bad?
    Two lists of origins are never the same for long. Headers that both set arrive twice, and browsers refuse an answer
    with two `Access-Control-Allow-Origin`. The gateway answers preflights without asking the service at all.

    ## Example
    ```python
    # services/shop/app.py
    from fastapi import FastAPI
    from fastapi.middleware.cors import CORSMiddleware

    app = FastAPI()
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    cors: {origins: ["https://app.example.com"], methods: [GET]}
    ```
    """

    code, name = "GWC503", "cors-in-the-service"

    def check(self, about: Subject) -> Findings:
        for module in about.code.modules:
            for name, node in imported(module):
                if name.rpartition(".")[2] == "CORSMiddleware" or _top(name) == "flask_cors":
                    hint = "write cors in the policy, and take the middleware out"
                    yield Finding(
                        module.span(node), about.service.name, "the service answers cross-origin requests", hint
                    )


class SecondCache(CodeRule):
    """A route's answers are cached twice.

    ## What it does
    Looks for cache decorators on functions that serve GET routes which the policy caches.

    ## Why is this bad?
    An answer may be as old as both lifetimes together, a purge at the edge brings the old answer back from the inner
    cache, and the service's memory holds what is never asked for: the edge answers first.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: items, path: /items, methods: [GET, HEAD], auth: none, cache: {ttl: 1m}}
    ```
    ```python
    # services/shop/app.py
    from cashews import cache
    from fastapi import FastAPI

    app = FastAPI()


    @app.get("/items")
    @cache(ttl="5m")
    async def items() -> list[str]:
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
    async def items() -> list[str]:
        return []
    ```
    """

    code, name = "GWC504", "second-cache"

    def check(self, about: Subject) -> Findings:
        cached = [
            inside(about.service, route) for route in about.service.routes if route.cache and "GET" in route.methods
        ]
        for route in declared(about.code).routes:
            if route.method != "GET" or not any(covers(one, shape(route.path)) for one in cached):
                continue
            for decorator in route.handler.decorator_list if route.handler else ():
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if _top(route.module.dotted(called)) in RESPONSE_CACHES:
                    yield Finding(
                        route.module.span(decorator),
                        about.service.name,
                        f"GET {route.path} is cached here and at the edge",
                        "leave one of them out: the edge serves hits without the service",
                    )


RULES: tuple[type[Rule], ...] = (
    InProcessLimit,
    InboundRetry,
    InboundTimeout,
    CorsInTheService,
    SecondCache,
)
