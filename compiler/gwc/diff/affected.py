"""Which targets a change reaches: those that render the feature that the field belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from gwc.diff.change import Change
from gwc.features import FEATURES, Use
from gwc.ir import Gateway
from gwc.support import Conditional, Fidelity, SupportTable

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
    return tuple(replace(change, targets=tuple(_targets(change, old, new, tables))) for change in changes)


def _targets(change: Change, old: Gateway, new: Gateway, tables: Sequence[SupportTable]) -> Iterator[str]:
    features = tuple(features_of(change.field))
    for table in tables:
        if change.field in _FOR_PEOPLE or _of_another(change.field, table.target):
            continue
        if not features or any(_renders(table, name, change, gateway) for name in features for gateway in (old, new)):
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


def _renders(table: SupportTable, feature: str, change: Change, gateway: Gateway) -> bool:
    uses = [use for use in FEATURES[feature].uses(gateway) if _concerns(use, change)]
    return any(table.of(feature, gateway, use).fidelity is not Fidelity.UNSUPPORTED for use in uses) or (
        not uses and _usually(table, feature)
    )


def _concerns(use: Use, change: Change) -> bool:
    """Uses of the same route, or of a service by one of its routes and the other way round."""
    return any(
        str(subject) == use.subject or (subject.service and subject.service == use.subject.partition("/")[0])
        for subject in change.subjects
    )


def _usually(table: SupportTable, feature: str) -> bool:
    entry = table.entries[feature]
    usual = entry.usual if isinstance(entry, Conditional) else entry
    return usual.fidelity is not Fidelity.UNSUPPORTED
