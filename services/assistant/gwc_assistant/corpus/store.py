"""Reads the search file: passages by reference, verses by words (FTS5, BM25)."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from gwc_assistant.corpus.build import VERSIONS, build
from gwc_assistant.corpus.references import Span
from gwc_assistant.domain import Hit, Passage, Verse

__all__ = ["VERSIONS", "Corpus"]

MAX_TERMS = 32
"""Of one search. Each costs time, and a question is told by fewer."""

_COMMON = """
a about all an and any are as at be been but by can could did do does explain for from had has have he her his how
i if in into is it its me my not of on or our please say said says shall she should so tell than that the their
them then there these they this to upon us verse verses bible scripture was we were what when where which who
whom whose why will with would you your
according chapter concerning define explain list mean meaning means regarding scriptures summarise summarize summary
teach teaches tells
"""
_STOP_WORDS = frozenset(_COMMON.split())
_NONE = (0, -1)  # the rows of a version that is not there
_COLUMNS = "v.id, v.version, v.book, v.chapter, v.verse, v.text"
# Joined after the best are known: a word like `lord` is in thousands of verses. `rank` is BM25, computed once.
_SEARCH = f"""
SELECT {_COLUMNS}, -best.rank FROM (
    SELECT rowid, rank FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rank, rowid LIMIT ?
) AS best JOIN verses v ON v.key = best.rowid ORDER BY best.rank, v.id
"""  # noqa: S608 - constant columns


class Corpus:
    """Each thread has a connection of its own; all of them only read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path: Path | None = None
        self._digest = ""
        self._rows: dict[str, tuple[int, int]] = {}  # of each version, which stand together: the first and the last
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    @property
    def digest(self) -> str:
        """Names the text: another digest is another text, and every cached answer about it is another's."""
        return self._digest

    async def warm_up(self) -> None:
        await asyncio.to_thread(self.open)

    def open(self) -> None:
        """Builds the file where there is none."""
        self._path = build(self._directory)
        (self._digest,) = self._connection().execute("SELECT digest FROM about").fetchone()
        rows = self._connection().execute("SELECT version, min(key), max(key) FROM verses GROUP BY version")
        self._rows = {version: (first, last) for version, first, last in rows}

    async def aclose(self) -> None:
        with self._lock:
            opened, self._opened = self._opened, []
        for connection in opened:
            connection.close()

    def passage(self, span: Span, version: str, limit: int) -> Passage | None:
        """At most `limit` verses of the span; None when the version has none of them."""
        found = self._connection().execute(
            f"SELECT {_COLUMNS} FROM verses v WHERE v.version = ? AND v.id BETWEEN ? AND ? ORDER BY v.id LIMIT ?",  # noqa: S608 - constant columns
            (version, span.first, span.last, limit),
        )
        verses = tuple(Verse(*row) for row in found)
        return Passage(span.name, version, verses) if verses else None

    def count(self, span: Span, version: str) -> int:
        query = "SELECT count(*) FROM verses WHERE version = ? AND id BETWEEN ? AND ?"
        return int(self._connection().execute(query, (version, span.first, span.last)).fetchone()[0])

    def verses(self, version: str) -> Sequence[Verse]:
        """All of them, in order: what an index of meanings is made from."""
        query = f"SELECT {_COLUMNS} FROM verses v WHERE v.version = ? ORDER BY v.id"  # noqa: S608 - constant columns
        return [Verse(*row) for row in self._connection().execute(query, (version,))]

    def by_id(self, ids: Sequence[int], version: str) -> dict[int, Verse]:
        """Those of the verses that the version has."""
        marks = ",".join("?" * len(ids))
        query = f"SELECT {_COLUMNS} FROM verses v WHERE v.version = ? AND v.id IN ({marks})"  # noqa: S608 - marks alone
        return {row[0]: Verse(*row) for row in self._connection().execute(query, (version, *ids))}

    def search(self, text: str, version: str, limit: int) -> Sequence[Hit]:
        """Verses with any of the words of `text`, the best first. No syntax: every word is only a word."""
        query = _query(text)
        if not query:
            return ()
        found = self._connection().execute(_SEARCH, (query, *self._rows.get(version, _NONE), limit))
        return [Hit(Verse(*row[:-1]), float(row[-1])) for row in found]

    def _connection(self) -> sqlite3.Connection:
        if self._path is None:
            raise RuntimeError("the corpus is not open")
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, check_same_thread=False)
            with self._lock:
                self._opened.append(connection)
            self._local.connection = connection
        return connection


def _query(text: str) -> str:
    """Quoted words joined by OR. Common words only where there are no others."""
    words = list(dict.fromkeys(word.lower() for word in re.findall(r"\w+", text)))
    telling = [word for word in words if word not in _STOP_WORDS and len(word) > 1] or words
    return " OR ".join(f'"{word}"' for word in telling[:MAX_TERMS])
