"""The environments of policies: which there are, and one that nobody has."""

from __future__ import annotations

from collections.abc import Sequence

from gwc.document import Document
from gwc.policy.load import environments


class UnknownEnvironmentError(Exception):
    """An environment that no policy has. `known` holds those that there are."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown environment {name!r}")
        self.name, self.known = name, known


def check_environment(documents: Sequence[Document], environment: str) -> None:
    """Raises UnknownEnvironmentError for one that no policy has."""
    known = sorted({name for document in documents for name in environments(document)})
    if environment not in known:
        raise UnknownEnvironmentError(environment, known)
