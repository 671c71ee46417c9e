"""What the policy and the code of a service say of one another (GWC510 to GWC519)."""

from __future__ import annotations

from gwc.lint.code.base import CodeRule, Subject, inside
from gwc.lint.code.routes import covers, declared, shape
from gwc.lint.rule import Finding, Findings, Rule

INTERNAL = frozenset(
    {"/", "/health", "/healthz", "/livez", "/live", "/ready", "/readyz", "/metrics", "/docs", "/redoc", "/openapi.json"}
)
"""What a service serves to its platform and not to clients."""


class RouteWithoutPolicy(CodeRule):
    """The service serves a path that no client can reach.

    ## What it does
    Looks for routes in the code that no route of the policy matches.

    ## Why is this bad?
    The gateway answers 404. The team tests against the service itself, where it works, and learns from its first
    client.

    ## Example
    ```python
    # services/shop/app.py
    from fastapi import FastAPI

    app = FastAPI()


    @app.get("/shop-items")
    def items() -> list[str]:
        return []


    @app.post("/orders")
    def order() -> None:
        pass
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: items, path: /shop-items, methods: [GET]}
      - {name: order, path: /orders, methods: [POST]}
    ```
    ```python
    # services/shop/app.py
    from fastapi import FastAPI

    app = FastAPI()


    @app.get("/shop-items")
    def items() -> list[str]:
        return []


    @app.post("/orders")
    def order() -> None:
        pass
    ```
    """

    code, name, everywhere = "GWC510", "route-without-policy", True

    def check(self, about: Subject) -> Findings:
        served = [(inside(about.service, route), route.methods) for route in about.service.routes]
        health = {about.service.upstream.health.path.partition("?")[0]} if about.service.upstream.health else set()
        for route in declared(about.code).routes:
            path = shape(route.path)
            known = any(covers(template, path) and route.method in methods for template, methods in served)
            if not known and route.path not in INTERNAL | health:
                yield Finding(
                    route.span,
                    about.service.name,
                    f"{route.method} {route.path} is in the code and in no route of the policy: clients get 404 or 405",
                    "add a route to the policy, or remove the code",
                )


class PolicyWithoutRoute(CodeRule):
    """The policy has a route that the service does not serve.

    ## What it does
    Looks for routes of the policy that no route in the code matches, where all of them could be read.

    ## Why is this bad?
    The gateway lets the request in, charges for it, and the service answers 404. Mostly it is a path that was renamed
    in one of two places.

    ## Example
    ```python
    # services/shop/app.py
    from fastapi import FastAPI

    app = FastAPI()


    @app.get("/shop-things")
    def items() -> list[str]:
        return []
    ```

    ## Use instead
    ```python
    # services/shop/app.py
    from fastapi import FastAPI

    app = FastAPI()


    @app.get("/shop-items")
    def items() -> list[str]:
        return []
    ```
    """

    code, name, everywhere = "GWC511", "policy-without-route", True

    def check(self, about: Subject) -> Findings:
        found = declared(about.code)
        if not found.complete or not found.routes:
            return
        for route in about.service.routes:
            template = inside(about.service, route)
            for method in route.methods:
                fitting = [r for r in found.routes if r.method == method or (method == "HEAD" and r.method == "GET")]
                paths = [shape(r.path) for r in fitting]
                if not any(covers(path, template) or covers(template, path) for path in paths):
                    yield Finding(
                        route.provenance["path"].span,
                        f"{about.service.name}/{route.name}",
                        f"the code serves no {method} {template}",
                        "correct the path, or remove the route",
                    )


class CodeNotRead(CodeRule):
    """A file of the service that no rule has seen.

    ## What it does
    Names the Python files, requirements and project files that cannot be read: another encoding, syntax that is newer
    than the Python that runs gwc, more than 2 MiB.

    ## Why is this bad?
    "No findings" then means less than it says. Routes in such a file are not known either, so that nothing is said of
    policies without a route.

    ## Example
    ```python
    # services/shop/app.py
    def items(:
        return []
    ```

    ## Use instead
    Correct the file, or run gwc with the Python that the service runs on.
    ```python
    # services/shop/app.py
    def items():
        return []
    ```
    """

    code, name = "GWC513", "code-not-read"

    def check(self, about: Subject) -> Findings:
        for unread in about.code.unread:
            hint = "correct the file, or run gwc with the Python that the service runs on"
            yield Finding(unread.span, about.service.name, f"this file is not looked at: {unread.reason}", hint)


RULES: tuple[type[Rule], ...] = (RouteWithoutPolicy, PolicyWithoutRoute, CodeNotRead)
