"""Which targets a change reaches: those that render the feature that the field belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from gwc.diff.change import Change, Subject
from gwc.features import FEATURES, Use
from gwc.ir import Gateway
from gwc.support import Conditional, Fidelity, Support, SupportTable

_FOR_PEOPLE = ("owner", "description")
_FEATURE_OF = {
    "route": ("path", "methods", "hosts"),
    "keep_base_path": ("base_path",),
    "auth": ("auth.jwt", "auth.api_key"),
    "identity.jwt": ("auth.jwt",),
    "identity.api_key": ("auth.api_key",),
    "identity.jwt.jwks.url": ("auth.jwt.jwks_url",),
    "rate_limit_store": ("limits.cluster", "budget.cluster"),
    "cache.scope": ("cache.scope.user",),
}
"""Fields that have no feature of their name."""


def affected(
    changes: Sequence[Change], old: Gateway, new: Gateway, tables: Sequence[SupportTable]
) -> tuple[Change, ...]:
    """The changes with the targets that they reach, of those that `tables` are of."""
    sides = _Side(old), _Side(new)
    return tuple(replace(change, targets=tuple(_targets(change, sides, tables))) for change in changes)


class _Side:
    """A Gateway, and the uses in it that a change concerns: of the platform, or of its services with all their routes.

    What follows from one service is looked for in that service alone.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._services = {service.name: service for service in gateway.services}

    def uses(self, feature: str, change: Change) -> list[Use]:
        services = tuple(self._services[name] for name in change.services if name in self._services)
        whole = any(not subject.service for subject in change.subjects)
        uses = FEATURES[feature].uses(replace(self.gateway, services=services))
        return [use for use in uses if whole or use.subject != str(_PLATFORM)]


_PLATFORM = Subject("", "", "")


def _targets(change: Change, sides: tuple[_Side, _Side], tables: Sequence[SupportTable]) -> Iterator[str]:
    if change.field in _FOR_PEOPLE:
        return
    features = tuple(features_of(change.field))
    uses = {(name, side): side.uses(name, change) for name in features for side in sides}
    for table in tables:
        if _of_another(change.field, table.target):
            continue
        if not features or any(_renders(table, name, side.gateway, found) for (name, side), found in uses.items()):
            yield table.target


def _of_another(field: str, target: str) -> bool:
    return field.startswith("targets.") and not field.startswith(f"targets.{target}.")


def features_of(field: str) -> Iterator[str]:
    """The features that a change's field belongs to; none where every target has to follow."""
    name = re.sub(r" \([^)]*\)", "", field)
    while name:
        if name in _FEATURE_OF or name in FEATURES:
            yield from _FEATURE_OF.get(name, (name,))
            return
        name = name.rpartition(".")[0]


def _renders(table: SupportTable, feature: str, gateway: Gateway, uses: Sequence[Use]) -> bool:
    """Without uses, what usually holds."""
    entry = table.entries[feature]
    if not isinstance(entry, Conditional):
        return _rendered(entry)
    if len(every := {_rendered(one) for one in (entry.usual, *(case.support for case in entry.cases))}) == 1:
        return every.pop()  # to find the case may take a look at the whole Gateway
    return any(_rendered(entry.of(gateway, use)) for use in uses) or (not uses and _rendered(entry.usual))


def _rendered(support: Support) -> bool:
    return support.fidelity is not Fidelity.UNSUPPORTED
