"""Identity comes from the gateway alone: a shared secret proves the way, a header names the verified user."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gwc_assistant.problems import NOT_THROUGH_THE_GATEWAY, UNIDENTIFIED, DomainError, Problems

EXEMPT = frozenset({"/healthz", "/readyz"})
"""What the gateway and the platform probe without a secret. Neither tells anything but a phase."""

_USER = "gwc_assistant.user"


class Identity:
    """Refuses every request without one of the secrets of that moment. Nothing of the request is read before."""

    def __init__(
        self,
        app: ASGIApp,
        secrets: Callable[[], tuple[bytes, ...]],
        secret_header: str,
        user_header: str,
        problems: Problems,
    ) -> None:
        if not secrets() or not all(secrets()):
            raise ValueError("a gateway secret is needed: without one, anybody could name any user")
        self._app, self._secrets, self._problems = app, secrets, problems
        self._secret_header, self._user_header = secret_header.lower().encode(), user_header.lower().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in EXEMPT:
            if not self._proven(_values(scope, self._secret_header)):
                detail = "This service is reached through its gateway."
                refusal = self._problems.response(NOT_THROUGH_THE_GATEWAY, detail, scope)
                return await refusal(scope, receive, send)
            users = _values(scope, self._user_header)
            scope[_USER] = users[0].decode("latin-1") if len(users) == 1 else ""
        elif scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        return await self._app(scope, receive, send)

    def _proven(self, given: list[bytes]) -> bool:
        """Exactly one header that is one of the secrets. All are compared, so that time tells nothing."""
        if len(given) != 1:
            return False
        same = [hmac.compare_digest(given[0], secret) for secret in self._secrets()]
        return any(same)


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]


def user(request: Request) -> str:
    """The verified user. Raises DomainError where the gateway named none, or more than one."""
    named: str = request.scope.get(_USER, "")
    if not named:
        raise DomainError(UNIDENTIFIED, "The gateway named no user for this request.")
    return named
