"""Locations that a request is sent to once its route is known: `/_gwc/{door}/{service}/{route}`."""

from __future__ import annotations

from typing import NamedTuple

from gwc_nginx.conf import Directive, Written, block, d
from gwc_nginx.quoting import q


class Door(NamedTuple):
    """What a route says in one of them. It does not say which route it is, so that others may share it."""

    name: str
    of: tuple[Directive, ...]
    origin: Written | None


def location(door: Door, route: str) -> Directive:
    """`route` gives it its name: the first of those that share it."""
    of = (d("internal"), *door.of)
    return block("location", "=", q(f"/_gwc/{door.name}/{route}"), of=of, origin=door.origin)
