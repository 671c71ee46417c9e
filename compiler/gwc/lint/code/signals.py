"""What a service tells and believes: ids, statuses, traces, identity (GWC505 to GWC509)."""

from __future__ import annotations

import ast
import re

from gwc.diagnostics import Severity
from gwc.lint.code.base import CodeRule, Subject, calls, imported
from gwc.lint.code.project import Module
from gwc.lint.code.reading import headers_read
from gwc.lint.identity import IDENTITY_HEADERS
from gwc.lint.rule import Finding, Findings, Rule

GATEWAY_STATUSES = frozenset({429, 502, 504})


_ANSWERS = re.compile(r"(^|\.)(HTTPException|[A-Za-z]*Response)$")


_MAKES_IDS = re.compile(r"(^|\.)(uuid[1-8]|token_hex|token_urlsafe|ULID|nanoid\.generate)$")


_HANDLERS = ("exception_handler", "add_exception_handler")


class OwnRequestId(CodeRule):
    """The service makes up request ids.

    ## What it does
    Looks for functions that name the request id's header and make a random id, and for asgi-correlation-id.

    ## Why is this bad?
    Every request that passed the gateway has an id: the client was told it, and the gateway's log has it. With another
    one in the service's log nobody finds the request again. The service takes the id from the header, and passes it on.

    ## Example
    ```python
    # services/shop/app.py
    import uuid


    async def add_id(request, call_next):
        request_id = request.headers.get("X-Request-ID") or str(uuid.uuid4())
        return await call_next(request)
    ```

    ## Use instead
    ```python
    # services/shop/app.py
    async def keep_id(request, call_next):
        request.state.request_id = request.headers["X-Request-ID"]
        return await call_next(request)
    ```
    """

    code, name = "GWC505", "own-request-id"

    def check(self, about: Subject) -> Findings:
        header = about.gateway.request_id.header.lower()
        for module in about.code.modules:
            for node in ast.walk(module.tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
                    made := _made_id(module, node, header)
                ):
                    hint = f"take the id from {about.gateway.request_id.header}: the gateway has made one"
                    yield Finding(module.span(made), about.service.name, "the service makes up request ids", hint)
            for name, node in imported(module):
                if name.partition(".")[0] == "asgi_correlation_id":
                    hint = f"take the id from {about.gateway.request_id.header}: the gateway has made one"
                    yield Finding(
                        module.span(node), about.service.name, "asgi-correlation-id makes up request ids", hint
                    )


def _made_id(module: Module, function: ast.AST, header: str) -> ast.AST | None:
    nodes = list(ast.walk(function))
    named = any(isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value.lower() == header for n in nodes)
    made = (n for n in nodes if isinstance(n, ast.Call) and _MAKES_IDS.search(module.dotted(n.func)))
    return next(made, None) if named else None


class GatewaysOwnErrors(CodeRule):
    """The service answers in the gateway's name.

    ## What it does
    Looks for answers and exception handlers with the statuses 429, 502 and 504.

    ## Why is this bad?
    Clients read 429 as "you are over your limit", 502 and 504 as "the gateway could not reach the service". A service
    that sends them for its own dependencies makes alerts, retries and breakers act on the wrong thing. Its own trouble
    has words of its own: 503, or 424 for a dependency that failed, as problem+json.

    ## Example
    ```python
    # services/shop/app.py
    from fastapi import HTTPException


    def price() -> None:
        raise HTTPException(status_code=502, detail="the price service failed")
    ```

    ## Use instead
    ```python
    # services/shop/app.py
    from fastapi import HTTPException


    def price() -> None:
        raise HTTPException(status_code=424, detail="the price service failed")
    ```
    """

    code, name = "GWC506", "gateways-own-errors"

    def check(self, about: Subject) -> Findings:
        for module in about.code.modules:
            for name, call in calls(module):
                status = _answered(name, call)
                if status in GATEWAY_STATUSES:
                    yield Finding(
                        module.span(call),
                        about.service.name,
                        f"the service answers {status}, which is the gateway's word",
                        "answer 503 for the service itself, 424 for a dependency that failed",
                    )


def _answered(name: str, call: ast.Call) -> object:
    if name.rpartition(".")[2] in _HANDLERS and call.args and isinstance(call.args[0], ast.Constant):
        return call.args[0].value
    given = next((k.value for k in call.keywords if k.arg == "status_code"), None)
    if given is None and name.endswith("HTTPException") and call.args:
        given = call.args[0]
    named = re.search(r"HTTP_(\d{3})_", ast.unparse(given)) if isinstance(given, ast.Attribute) else None
    if not _ANSWERS.search(name) or given is None:
        return None
    return int(named[1]) if named else getattr(given, "value", None)


class RootTrace(CodeRule):
    """The service begins traces of its own.

    ## What it does
    Looks for a `TracerProvider` without a sampler that leaves roots to the gateway.

    ## Why is this bad?
    The gateway decides what is sampled, and its span is the root. A provider with the default sampler begins a trace
    for every request that the gateway did not sample: fragments without a root, for all of the traffic.

    ## Example
    ```python
    # services/shop/app.py
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider()
    ```

    ## Use instead
    ```python
    # services/shop/app.py
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

    provider = TracerProvider(sampler=ParentBased(root=ALWAYS_OFF))
    ```
    """

    code, name = "GWC507", "root-trace"

    def check(self, about: Subject) -> Findings:
        for module in about.code.modules:
            for name, call in calls(module):
                if name == "opentelemetry.sdk.trace.TracerProvider" and not _leaves_roots(module, call):
                    yield Finding(
                        module.span(call),
                        about.service.name,
                        "this provider begins traces that the gateway did not sample",
                        "write TracerProvider(sampler=ParentBased(root=ALWAYS_OFF))",
                    )


def _leaves_roots(module: Module, call: ast.Call) -> bool:
    """A sampler that is made elsewhere is given the benefit of the doubt."""
    sampler = next((keyword.value for keyword in call.keywords if keyword.arg == "sampler"), None)
    if sampler is None:
        return False
    if not isinstance(sampler, ast.Call):
        return not re.search(r"ALWAYS_ON|DEFAULT_ON", ast.unparse(sampler))
    root = next((keyword.value for keyword in sampler.keywords if keyword.arg == "root"), None)
    kind = module.dotted(sampler.func).rpartition(".")[2]
    return kind == "ParentBased" and "ALWAYS_OFF" in ast.unparse(root or (sampler.args or [sampler])[0])


class BelievedHeader(CodeRule):
    """The service believes who a client says it is.

    ## What it does
    Looks for identity headers that the service reads and the gateway neither sets nor removes.

    ## Why is this bad?
    The gateway strips and sets one user header. Any other reaches the service as the client wrote it: whoever sends
    `X-User: admin` is admin.

    ## Example
    ```python
    # services/shop/app.py
    async def whoami(request):
        return request.headers["X-User"]
    ```

    ## Use instead
    ```python
    # services/shop/app.py
    async def whoami(request):
        return request.headers["X-User-Id"]
    ```

    ## References
    - [CWE-290: authentication bypass by spoofing](https://cwe.mitre.org/data/definitions/290.html)
    """

    code, name, severity = "GWC508", "believed-header", Severity.ERROR

    def check(self, about: Subject) -> Findings:
        safe = {about.gateway.identity.user_header.lower()}
        safe |= set.intersection(*({name.lower() for name in r.headers.request.remove} for r in about.service.routes))
        for module in about.code.modules:
            for header, node in headers_read(module, module.tree):
                if header in IDENTITY_HEADERS - safe:
                    yield Finding(
                        module.span(node),
                        about.service.name,
                        f"`{header}` is believed, and any client may send it",
                        f"read {about.gateway.identity.user_header}, which the gateway alone sets",
                    )


RULES: tuple[type[Rule], ...] = (
    OwnRequestId,
    GatewaysOwnErrors,
    RootTrace,
    BelievedHeader,
)
