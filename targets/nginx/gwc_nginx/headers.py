"""Request headers on their way to a service. NGINX takes the whole set from one level, so a level that changes one
header repeats all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gwc.derived import per_gateway
from gwc.ir import Gateway, HeaderChanges, Route
from gwc_nginx import identity, request_id
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.quoting import q, qlit
from gwc_nginx.values import remembered

Expressions = dict[str, tuple[str, str]]
"""By lower-case name: the name as written, and the quoted expression of the value. An empty value removes."""

ACCEL = ("X-Accel-Expires", "X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset")
"""What the outer hop ignores. X-Accel-Redirect is the inner hop's own word: it hides the service's."""


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """What every service gets, whatever the policy of its route says. Known by its identity, as it is what sets of
    headers are remembered by."""

    headers: Expressions


@per_gateway
def of_plain(platform: Gateway) -> Base:
    pairs: Iterable[tuple[str, str]] = (
        ("Host", "$gwc_host"),
        ("Connection", ""),
        *identity.forwarded(platform),
        *request_id.headers(platform),
    )
    return Base({name.lower(): (name, q(value)) for name, value in pairs})


@per_gateway
def of_njs(platform: Gateway) -> Base:
    """With the verified user, and the password of the inner hop: empty, and so not sent, unless there is one."""
    user = platform.identity.user_header
    said: Expressions = {
        user.lower(): (user, q("$gwc_user")),
        "x-gwc-hop": ("X-Gwc-Hop", q("$gwc_password")),
    }
    return Base({**of_plain(platform).headers, **said})


def changed(base: Expressions, changes: HeaderChanges) -> Expressions:
    """What belongs to the gateway cannot be set by a policy; what a client alone may not say can."""
    removed = {name.lower(): (name, q("")) for name in changes.remove}
    written = {name.lower(): (name, qlit(value)) for name, value in changes.set}
    owned = {name for name, (_, value) in base.items() if value != q("")}
    return {**removed, **base, **{name: pair for name, pair in written.items() if name not in owned}}


def upgrades() -> Iterator[Directive]:
    """To WebSockets alone: what else a service may switch to, such as HTTP/2, would be a way past every guard."""
    websocket = (d("default", q("")), d(q(r"~*^websocket\z"), "websocket"))
    yield block("map", "$http_upgrade", "$gwc_upgrade", of=websocket)
    yield block("map", "$gwc_upgrade", "$gwc_connection", of=(d("default", "upgrade"), d(q(""), q(""))))


def upgrade(base: Expressions) -> Expressions:
    """For WebSockets: the client's wish to upgrade reaches the service."""
    return {**base, "upgrade": ("Upgrade", q("$gwc_upgrade")), "connection": ("Connection", q("$gwc_connection"))}


def own(base: Base, route: Route) -> tuple[Directive, ...]:
    """A route's, whole; nothing, where the server's set is right as it is."""
    changes = route.headers.request
    return _own(base, changes.set, changes.remove, websocket=route.websocket)


@remembered
def _own(
    base: Base, written: tuple[tuple[str, str], ...], removed: tuple[str, ...], *, websocket: bool
) -> tuple[Directive, ...]:
    wanted = changed(upgrade(base.headers) if websocket else base.headers, HeaderChanges(set=written, remove=removed))
    return () if wanted == base.headers else directives(wanted)


def directives(expressions: Expressions) -> tuple[Directive, ...]:
    return tuple([_set(*pair) for pair in expressions.values()])


@remembered
def _set(name: str, value: str) -> Directive:
    return d("proxy_set_header", q(name), value)


def response(route: Route) -> dict[str, str]:
    """The changes of the response, as data for the njs filter: no quoting, no level to repeat. `Server` goes from every
    answer (banner.conf); to remove it earlier would make NGINX add its own."""
    changes = route.headers.response
    removed = " ".join([name for name in changes.remove if name.lower() != "server"])
    written = json.dumps(changes.set, separators=(",", ":")) if changes.set else ""
    return {name: text for name, text in (("remove", removed), ("set", written)) if text}
