"""Cross-origin requests: preflights, and what an answer says of the client's origin."""

from __future__ import annotations

from gwc.ir import Cors, Route
from gwc.model.wire import Asked, Headers, changed, values, without
from gwc.routing import MethodRoute, PathEntry

OURS = (
    *("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods"),
    *("Access-Control-Allow-Headers", "Access-Control-Expose-Headers", "Access-Control-Max-Age"),
)
_ASKED = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def preflighted(asked: Asked, entry: PathEntry | None) -> MethodRoute | None:
    """The route that a preflight asks about, if it is one and the gateway answers it."""
    wanted = values(asked.headers, "access-control-request-method")
    if entry is None or asked.method != "OPTIONS" or not wanted or not values(asked.headers, "origin"):
        return None
    for method in (wanted[0], "OPTIONS"):
        for found in entry.routes:
            if method in found.route.methods and found.route.cors is not None:
                return found
    return None


def preflight(asked: Asked, cors: Cors) -> tuple[int, Headers]:
    """An origin that is not listed is named nowhere."""
    said = _naming(asked, cors)
    if not said:
        return 403, (("Vary", _ASKED),)
    allowed: Headers = (("Access-Control-Allow-Methods", ", ".join(cors.methods)),)
    if cors.headers:
        allowed = (*allowed, ("Access-Control-Allow-Headers", ", ".join(cors.headers)))
    return 204, (*said, *allowed, ("Access-Control-Max-Age", f"{cors.max_age:.0f}"), ("Vary", _ASKED))


def named(asked: Asked, route: Route, headers: Headers) -> Headers:
    """`headers` with the gateway's word on origins in place of the service's."""
    if route.cors is None:
        return headers
    vary = ", ".join(values(headers, "vary"))
    listed = {part.strip().lower() for part in vary.split(",")}
    if not listed & {"origin", "*"}:
        headers = changed(headers, [("Vary", f"{vary}, Origin" if vary else "Origin")])
    return (*without(headers, OURS), *_naming(asked, route.cors))


def _naming(asked: Asked, cors: Cors) -> Headers:
    origin = next(iter(values(asked.headers, "origin")), "")
    if not origin or (cors.origins != ("*",) and origin not in cors.origins):
        return ()
    said = "*" if cors.origins == ("*",) else origin
    credentials = (("Access-Control-Allow-Credentials", "true"),) if cors.credentials else ()
    return (("Access-Control-Allow-Origin", said), *credentials)
