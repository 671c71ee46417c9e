"""Source -> tests with their places: the strict loader of the policies, with the keys of this language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from gwc.diagnostics import Report, Span
from gwc.document import Document, Path, parse
from gwc.policy.load import faults
from gwc.source import Source
from gwc.suggest import did_you_mean
from gwc.testing.language import TestsFile
from gwc.testing.schema import keys


@dataclass(frozen=True, slots=True)
class LoadedTests:
    """A valid file of tests, and the document that its places come from."""

    tests: TestsFile
    document: Document

    def place(self, path: Path) -> Span:
        """Where a reader looks for what stands at `path`, or for the closest thing around it."""
        return self.document.place(path)


def load_tests(sources: Sequence[Source], report: Report) -> tuple[LoadedTests, ...]:
    """Those files that are valid; the faults of the others go into `report`."""
    documents = [document for source in sources if (document := parse(source, report)) is not None]
    return tuple(found for document in documents if (found := _loaded(document, report)) is not None)


def _loaded(document: Document, report: Report) -> LoadedTests | None:
    try:
        return LoadedTests(TestsFile.model_validate(document.data()), document)
    except ValidationError as error:
        report.extend(faults(error.errors(include_url=False), document, _advice))
        return None


def _advice(key: str) -> str:
    known = keys()
    if sections := known.get(key):
        return f"`{key}` is a key of {' and '.join(sections)}"
    return did_you_mean(key, known) or "docs/test.md has the keys of this section"
