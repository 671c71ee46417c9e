"""What a target does not keep exactly of what a route uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gwc.features import FEATURES, Use
from gwc.ir import Gateway, Limit, LimitKey, Route, Service
from gwc.support import Fidelity, Support, SupportTable

_OF_ROUTES = ("auth.",)
"""Features that the platform declares and that matter to a route only when it uses them itself."""


@dataclass(frozen=True, slots=True)
class Inexact:
    """`accepted`: the platform took it knowingly."""

    target: str
    profile: str
    feature: str
    support: Support
    accepted: bool


def inexact_for(gateway: Gateway, service: Service, route: Route, table: SupportTable) -> Iterator[Inexact]:
    """Each feature in use by the route, its service or the platform that is below exact, in the tables' order."""
    options = gateway.targets.get(table.target)
    accepted = frozenset(options.accept) if options else frozenset[str]()
    for name, feature in FEATURES.items():
        promised = {
            table.of(name, gateway, use) for use in feature.uses(gateway) if _concerns(use, name, service, route)
        }
        for support in sorted(promised, key=lambda one: (one.fidelity.value, one.note)):
            if support.fidelity is not Fidelity.EXACT:
                yield Inexact(table.target, table.profile, name, support, name in accepted)


def _concerns(use: Use, feature: str, service: Service, route: Route) -> bool:
    subjects = (service.name, f"{service.name}/{route.name}")
    if use.subject in subjects:
        return not _not_for(use, route)
    if feature.startswith(_OF_ROUTES):
        return route.auth is not None and "jwt" in route.auth.providers
    return use.subject == "the platform"


def _not_for(use: Use, route: Route) -> bool:
    return isinstance(use.node, Limit) and use.node.key is LimitKey.USER and route.auth is None
