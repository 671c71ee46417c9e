"""What rules look at: the Gateway of one environment, and the platform's policy for what no Gateway holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gwc.diagnostics import Span
from gwc.document import Document, Path
from gwc.frozen import dataclass
from gwc.ir import Gateway
from gwc.policy.variants import Loaded, platform_of

if TYPE_CHECKING:
    from gwc.lint.code.project import ServiceCode
    from gwc.policy.platform import PlatformPolicy
    from gwc.support import SupportTable


@dataclass(frozen=True, slots=True)
class Context:
    """`documents` are by file; `tables` by the target, of those that the platform names; `code` is that of services."""

    gateway: Gateway
    platform: PlatformPolicy
    documents: Mapping[str, Document]
    tables: Mapping[str, SupportTable]
    code: tuple[ServiceCode, ...] = ()
    changed: frozenset[str] | None = None
    """What an environment has changed in the policies as they are, by the names of the Gateway; None: anything."""

    def span(self, path: Path) -> Span:
        """The place of a value in the platform's policy."""
        return self.document.span(path)

    @property
    def document(self) -> Document:
        """The platform's."""
        return self.documents[self.gateway.provenance["services"].span.file]


def context_of(
    gateway: Gateway,
    policies: Sequence[Loaded],
    tables: Mapping[str, SupportTable],
    code: tuple[ServiceCode, ...],
    changed: frozenset[str] | None,
) -> Context:
    """`policies` are those that the gateway was made of. Raises StopIteration where none of them is a platform's."""
    platform = next(policy for loaded in policies if (policy := platform_of(loaded)) is not None)
    documents = {loaded.document.source.name: loaded.document for loaded in policies}
    return Context(gateway, platform, documents, tables, code, changed)
