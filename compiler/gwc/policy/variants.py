"""A policy as it is and under each of its environments; and the quick way to them, for policies that are right.

The quick way reads plain YAML (`gwc.plain`), merges environments as data and takes shapes for models. It gives up at
anything else, and then the strict way, `gwc.policy.load`, decides and explains. Both mean the same:
tests/property/test_quick.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias, cast

from gwc import plain
from gwc.document import Document, MappingNode
from gwc.frozen import dataclass
from gwc.policy.overlay import Data, data_under, long_form, root_under
from gwc.policy.shapes import Shape, shaped
from gwc.source import Source

if TYPE_CHECKING:
    from gwc.policy.platform import PlatformPolicy
    from gwc.policy.service import ServicePolicy

    Policy: TypeAlias = PlatformPolicy | ServicePolicy
    """A model, or a shape that has the attributes of one. `kind` tells which."""

FIXED = frozenset({"apiVersion", "kind", "service", "environments"})
"""Keys that cannot differ by environment."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid policy and the document, environment merged in, that its spans come from."""

    policy: Policy
    document: Document


Variants = Mapping[str | None, Loaded]
"""One policy as it is (None), and under each environment that it declares."""


def under(variants: Variants, environment: str | None) -> Loaded:
    """A document without that environment is the same in it as everywhere."""
    return variants[environment if environment in variants else None]


def platform_of(loaded: Loaded) -> PlatformPolicy | None:
    return loaded.policy if loaded.policy.kind == "Platform" else None


def service_of(loaded: Loaded) -> ServicePolicy | None:
    return loaded.policy if loaded.policy.kind == "Service" else None


def quick_variants(source: Source) -> dict[str | None, Loaded] | None:
    """Those of a policy that is plain and right; None for any other."""
    data = plain.read(source.text)
    policy = None if data is None else shaped(data)
    if data is None or policy is None:
        return None
    found: dict[str | None, Loaded] = {None: _loaded(source, data, policy, None)}
    for name, overlay in data.get("environments", {}).items():
        if not FIXED.isdisjoint(overlay):
            return None
        merged = data_under({key: value for key, value in data.items() if key != "environments"}, overlay)
        variant = shaped(merged, (data, policy))
        if variant is None:
            return None
        found[name] = _loaded(source, merged, variant, name)
    return found


def _loaded(source: Source, data: Data, policy: Shape, environment: str | None) -> Loaded:
    document = Document.sought(source, long_form(data), _Reading(source, environment))
    return Loaded(cast("Policy", policy), document)


def read_again(document: Document) -> Loaded:
    """The policy of a document that was read the quick way, for whoever asks once nobody has it any more."""
    assert isinstance(document.reading, _Reading)
    return _reread(document.reading.source, document.reading.environment)


@dataclass(frozen=True, slots=True)
class _Reading:
    source: Source
    environment: str | None

    def root(self) -> MappingNode:
        return _root(self.source, self.environment)


@lru_cache(maxsize=64)
def _root(source: Source, environment: str | None) -> MappingNode:
    """Where things stand in a plain text. Who asks for one place asks for others of the same, or for few altogether."""
    from gwc.outline import outlined

    return root_under(Document(source, outlined(source)), environment)


@lru_cache(maxsize=4)
def _reread(source: Source, environment: str | None) -> Loaded:
    variants = quick_variants(source)
    assert variants is not None
    return variants[environment]
