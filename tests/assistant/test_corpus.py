"""References and search."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwc_assistant.ask import LexicalRetriever
from gwc_assistant.corpus import Corpus, mentioned, parse
from gwc_assistant.corpus.build import build, file_name
from gwc_assistant.domain import Question


@pytest.fixture(scope="module")
def corpus(corpus_directory: Path) -> Iterator[Corpus]:
    opened = Corpus(corpus_directory)
    opened.open()
    yield opened
    asyncio.run(opened.aclose())


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("John 3:16", ["John 3:16"]),
        ("joh 3 16", ["John 3:16"]),
        ("1 John 3 16-18", ["1 John 3:16-18"]),
        ("Jn 3.16-18; 1 Cor 13", ["John 3:16-18", "1 Corinthians 13:1-13"]),
        ("John 3:16\u201318", ["John 3:16-18"]),
        ("II Tim 3:16", ["2 Timothy 3:16"]),
        ("Rom 8:28, 12:1", ["Romans 8:28", "Romans 12:1"]),
        ("Genesis 1:1-2:3", ["Genesis 1:1-2:3"]),
        ("Jude 5", ["Jude 5"]),
        ("Psalm 23", ["Psalms 23:1-6"]),
        ("John 21:25-Acts 1:1", ["John 21:25 - Acts 1:1"]),
        ("Gen 1 1 John 2", ["Genesis 1:1-31", "1 John 2:1-29"]),
    ],
)
def test_references_as_people_write_them(text: str, names: list[str]) -> None:
    assert [span.name for span in parse(text)] == names


@pytest.mark.parametrize(
    "text",
    ["Psalm 151", "John 3:99", "John 3:16,99", "John 3:16; John 3:99", "hello John 3:16", "Ps 23 kjv", "", "xyz",
     "3:16", "Gen 50:26-Ex 1:2", "John 3:16" * 40],
)  # fmt: skip
def test_what_does_not_exist_is_no_reference_not_even_in_part(text: str) -> None:
    assert parse(text) == ()


@settings(deadline=None)  # of a busy machine
@given(text=st.text(max_size=120))
def test_no_text_upsets_the_parser(text: str) -> None:
    parse(text)
    mentioned(text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("What does john 3:16 promise, and Psalm 23?", ["John 3:16", "Psalms 23:1-6"]),
        ("Was Job a patient man? Mark my words, the Acts are long.", []),
        ("I am 3 years old", []),
        ("John 3:16 and John 3:16", ["John 3:16"]),
    ],
)
def test_sentences_mention_references(text: str, names: list[str]) -> None:
    assert [span.name for span in mentioned(text)] == names


def test_versions_have_their_own_words_and_no_brackets(corpus: Corpus) -> None:
    (span,) = parse("Psalm 23:1")
    texts = {version: passage.text for version in ("ASV", "KJV") if (passage := corpus.passage(span, version, 9))}
    assert texts == {
        "ASV": "Jehovah is my shepherd; I shall not want.",
        "KJV": "The LORD is my shepherd; I shall not want.",
    }


def test_a_verse_that_a_version_leaves_out_is_not_there(corpus: Corpus) -> None:
    (span,) = parse("Acts 8:37")
    assert corpus.passage(span, "ASV", 9) is None
    assert corpus.passage(span, "KJV", 9) is not None


def test_both_versions_are_whole(corpus: Corpus) -> None:
    assert [len(corpus.verses(version)) for version in ("ASV", "KJV")] == [31_086, 31_102]


def test_search_finds_by_stem_and_takes_no_syntax(corpus: Corpus) -> None:
    assert corpus.search("love your enemies", "ASV", 3)[0].verse.reference == "Matthew 5:44"
    assert corpus.search("loving an enemy", "ASV", 9)
    for hostile in ('" OR 1', "NEAR(a b)", "text:love*", "'; DROP TABLE verses", "AND", "(", ""):
        corpus.search(hostile, "ASV", 3)
    assert corpus.search("love", "NIV", 3) == []


def test_scores_fall(corpus: Corpus) -> None:
    scores = [hit.score for hit in corpus.search("faith hope love", "KJV", 20)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0


def test_what_a_question_names_comes_first_and_once(corpus: Corpus) -> None:
    question = Question("ann", "How does 1 Cor 13:4 describe love that suffereth long?", "KJV")
    passages = asyncio.run(LexicalRetriever(corpus, 5).retrieve(question))
    references = [passage.reference for passage in passages]
    assert references[0] == "1 Corinthians 13:4"
    assert len(references) == len(set(references)) == 5


def test_it_is_built_once_and_a_half_built_file_is_never_used(tmp_path: Path, corpus_directory: Path) -> None:
    (tmp_path / ".corpus-x.building").write_text("half")
    target = tmp_path / file_name()
    target.symlink_to(corpus_directory / file_name())
    assert build(tmp_path) == target
    assert target.is_symlink()
