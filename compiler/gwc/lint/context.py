"""What rules look at: the Gateway of one environment, and the platform's policy for what no Gateway holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gwc.diagnostics import Span
from gwc.document import Path
from gwc.ir import Gateway
from gwc.lint.code.project import ServiceCode
from gwc.policy import Loaded, PlatformPolicy
from gwc.support import SupportTable


@dataclass(frozen=True, slots=True)
class Context:
    """`tables` are those of the targets that the platform names, by the target's name; `code` is that of services."""

    gateway: Gateway
    platform: PlatformPolicy
    _loaded: Loaded
    tables: Mapping[str, SupportTable]
    code: tuple[ServiceCode, ...] = ()

    def span(self, path: Path) -> Span:
        """The place of a value in the platform's policy."""
        return self._loaded.document.span(path)


def context_of(
    gateway: Gateway, loaded: Loaded, tables: Mapping[str, SupportTable], code: tuple[ServiceCode, ...]
) -> Context:
    """Raises TypeError where `loaded` is a service's policy."""
    if not isinstance(loaded.policy, PlatformPolicy):
        raise TypeError("the policy of a platform is needed")
    return Context(gateway, loaded.policy, loaded, tables, code)
