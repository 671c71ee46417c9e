"""The inner hop. A route that retries is reached through it: the outer hop keeps the total timeout and words the
errors, the inner one tries. Each try is a location of its own kind (a lane):

- `try`: there are tries left and the method may repeat a status; NGINX withholds such an answer for retry.again.
- `last`: every answer of the service passes; only NGINX's own failures come to retry.again.
- `fault`: where 502 or 504 is not a cause, a further hop tells the service's own from those that NGINX makes.
"""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Gateway, RetryCause, Route, Service
from gwc_nginx import body, breaker, timeouts, upstream
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.doors import Door
from gwc_nginx.headers import Expressions, directives
from gwc_nginx.quoting import q
from gwc_nginx.values import remembered

_OWN = ("502", "504")
_CODED = ("597", "598", "599")
_HANDS_ON: Expressions = {
    "host": ("Host", q("$http_host")),
    "x-gwc-hop": ("X-Gwc-Hop", q("")),
    "x-gwc-lane": ("X-Gwc-Lane", q("")),
    "x-gwc-tries": ("X-Gwc-Tries", q("")),
    "x-gwc-upstream": ("X-Gwc-Upstream", q("")),
    "connection": ("Connection", q("$gwc_connection")),
    "upgrade": ("Upgrade", q("$gwc_upgrade")),
}


def needs_hop(route: Route, *, guarded: bool) -> bool:
    """A breaker counts tries, so the hop that makes them counts for it. A cache has a hop of its own anyway, and all
    failures look the same to it behind this one."""
    if route.cache is not None:
        return True
    return route.retries.attempts > 0 or timeouts.watched(route) or guarded


def data(route: Route, *, guarded: bool) -> dict[str, object] | None:
    """What retry.js needs to know of a route; times in milliseconds. None: the route does not retry."""
    retries = route.retries
    if not needs_hop(route, guarded=guarded):
        return None
    return {
        "attempts": retries.attempts,
        "connect": RetryCause.CONNECT in retries.causes,
        "reset": RetryCause.RESET in retries.causes,
        "perTry": retries.per_try is not None,
        "statuses": list(retries.statuses),
        "backoffBase": retries.backoff_base * 1000,
        "backoffMax": retries.backoff_max * 1000,
        "budget": retries.budget,
        "unsafe": retries.unsafe,
    }


def hop_headers() -> tuple[Directive, ...]:
    """The inner hop hands on what the outer one decided, and nothing of what the two say to each other."""
    return directives(_HANDS_ON)


def lanes(_: Gateway, service: Service, route: Route) -> Iterator[Door]:
    if not needs_hop(route, guarded=breaker.guarded(service)):
        return
    asking = _service(service, route)
    statuses = route.retries.statuses if route.retries.attempts else ()
    for kind, asks, then in _kinds(statuses, watched=timeouts.watched(route)):
        yield Door(kind, (*(asking if asks else ()), *then), (route, "retries"))


@remembered
def _kinds(causes: tuple[int, ...], *, watched: bool) -> tuple[tuple[str, bool, tuple[Directive, ...]], ...]:
    """Of the lanes: whether one asks the service itself, and what it has beside. Somebody is told when an answer
    begins: the watch of a stream, the breaker."""
    statuses = [str(status) for status in causes]
    seen = (d("mirror", "/_gwc/watch"), _BEGUN) if watched else (_BEGUN,)
    last = ("last", True, (*seen, d("error_page", *_OWN, "=", "@gwc_again")))
    if not statuses:
        return (last,)
    withheld = d("proxy_intercept_errors", "on")
    if set(_OWN) <= set(statuses):
        return (last, ("try", True, (*seen, withheld, d("error_page", *statuses, "=", "@gwc_again"))))
    through = (*_through(), *seen, withheld, d("error_page", *statuses, *_CODED, "=", "@gwc_again"))
    address = d("add_header", "X-Gwc-Address", "$upstream_addr", "always")
    fault = (_BEGUN, address, d("error_page", *_OWN, "=", "@gwc_fault"))
    return (last, ("try", False, through), ("fault", True, fault))


_BEGUN = d("js_header_filter", "retry.begun")


def _service(service: Service, route: Route) -> tuple[Directive, ...]:
    return (
        *timeouts.of_a_try(route),
        *body.flow(route),
        *upstream.verification(service),
        d("proxy_pass", f"{upstream.scheme(service)}://$gwc_upstream$gwc_uri"),
    )


def _through() -> tuple[Directive, ...]:
    return (
        *_to_hop("x-gwc-lane", "X-Gwc-Lane", "fault"),
        d("proxy_hide_header", "X-Gwc-Address"),
        d("proxy_hide_header", "X-Gwc-Reason"),
        d("proxy_pass", "http://gwc_hop/_gwc/hop/$gwc_settings/$gwc_route$gwc_uri"),
    )


def _to_hop(key: str, name: str, value: str) -> tuple[Directive, ...]:
    said: Expressions = {
        "x-gwc-hop": ("X-Gwc-Hop", q("$gwc_hop")),
        "x-gwc-upstream": ("X-Gwc-Upstream", q("$gwc_upstream")),
        key: (name, q(value)),
    }
    return (*timeouts.within(), *directives({**_HANDS_ON, **said}))


def doors() -> tuple[Directive, ...]:
    """The way in, what follows a failed try, and the way on: NGINX redirects a request ten times at most, so after a
    few tries a fresh request of the hop to itself goes on counting."""
    return (
        block("location", "/_gwc/hop/", of=(d("js_content", "retry.enter"),)),
        block("location", "@gwc_again", of=(d("js_content", "retry.again"),)),
        block("location", "@gwc_fault", of=(d("js_content", "retry.fault"),)),
        block("location", "=", "/_gwc/watch", of=(d("internal"), d("js_content", "retry.watch"))),
        block("location", "=", "/_gwc/more", of=(
            d("internal"),
            *_to_hop("x-gwc-tries", "X-Gwc-Tries", "$gwc_tries"),
            # Why there was no further try is for the outer hop; the default hides it, as a service's word.
            d("proxy_hide_header", "X-Gwc-Limited"),
            d("proxy_buffering", "off"),
            d("proxy_pass", "http://gwc_hop$request_uri"),
        )),
    )  # fmt: skip
