"""The environment that somebody asks for is one that a policy has."""

from __future__ import annotations

from collections.abc import Sequence

from gwc.document import Document
from gwc.policy.overlay import environments
from gwc.suggest import UnknownNameError


def check_environment(documents: Sequence[Document], environment: str) -> None:
    """Raises UnknownNameError for one that no policy has."""
    known = sorted({name for document in documents for name in environments(document)})
    if environment not in known:
        raise UnknownNameError("environment", environment, known)
