"""Search by meaning, with vectors that are made up: what is near is what shares words."""

from __future__ import annotations

import asyncio
import math
import re
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from assistant.running import Running
from gwc_assistant import caches, logs
from gwc_assistant.__main__ import main
from gwc_assistant.corpus import Corpus
from gwc_assistant.corpus.meaning import VerseIndex
from gwc_assistant.domain import Hit
from gwc_assistant.protocols import Vector
from gwc_assistant.resilience import OverloadedError
from gwc_assistant.settings import Settings


class Words:
    """Half a thousand dimensions of words. `busy`: how often it has no room before it embeds."""

    id, dimensions, semantic = "words-of-the-tests", 512, True

    def __init__(self, busy: int = 0, *, broken: bool = False) -> None:
        self.busy, self.broken, self.embedded = busy, broken, 0

    async def warm_up(self) -> None: ...

    async def aclose(self) -> None: ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        if self.broken:
            raise OSError("the model is gone")
        if self.busy:
            self.busy -= 1
            raise OverloadedError("embedder")
        self.embedded += len(texts)
        return [_vector(text) for text in texts]


class Slow(Words):
    """Others have their turn while it embeds."""

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        await asyncio.sleep(0.02)
        return await super().embed(texts)


def _vector(text: str) -> Vector:
    counts = [0.0] * 512
    for word in re.findall(r"\w+", text.lower()):
        counts[sum(ord(letter) * 31**place for place, letter in enumerate(word)) % 512] += 1
    length = math.sqrt(sum(count * count for count in counts)) or 1.0
    return array("f", (count / length for count in counts))


class Small(Corpus):
    """The first verses alone: what is tested does not depend on there being many."""

    def verses(self, version: str) -> list[object]:  # type: ignore[override]
        return list(super().verses(version)[:100])


def with_index(
    directory: Path, corpus_directory: Path, embedder: Words, *, version: str = "KJV", wait: bool = True
) -> tuple[Sequence[Hit], bool]:
    pytest.importorskip("numpy")

    async def run() -> tuple[Sequence[Hit], bool]:
        corpus = Small(corpus_directory)
        corpus.open()
        index = VerseIndex(corpus, embedder, directory, "ASV")
        before = await index.nearest("light", version, 3)
        assert (list(before), index.ready) == ([], False)
        await index.warm_up()
        assert index._making is not None
        if wait:
            await index._making
        found = await index.nearest("And God said, Let there be light", version, 3) if index.ready else ()
        await index.aclose()
        await corpus.aclose()
        return found, index.ready

    return asyncio.run(run())


def test_the_nearest_verse_comes_first_in_the_version_that_was_asked_for(
    tmp_path: Path, corpus_directory: Path
) -> None:
    hits, ready = with_index(tmp_path, corpus_directory, Words())
    assert ready
    assert (hits[0].verse.reference, hits[0].verse.version) == ("Genesis 1:3", "KJV")
    assert len(hits) == 3
    assert 1 >= hits[0].score >= hits[1].score >= hits[2].score


def test_vectors_are_made_once_and_kept(tmp_path: Path, corpus_directory: Path) -> None:
    first, second = Words(), Words()
    one, _ = with_index(tmp_path, corpus_directory, first)
    two, _ = with_index(tmp_path, corpus_directory, second)
    assert (first.embedded, second.embedded) == (101, 1)
    assert one == two
    assert len(list(tmp_path.glob("*.f32"))) == 1


def test_processes_that_start_together_make_them_once(tmp_path: Path, corpus_directory: Path) -> None:
    pytest.importorskip("numpy")
    embedders = [Slow() for _ in range(3)]

    async def run() -> list[list[Hit]]:
        corpus = Small(corpus_directory)
        corpus.open()
        indices = [VerseIndex(corpus, embedder, tmp_path, "ASV") for embedder in embedders]
        for index in indices:
            await index.warm_up()
        await asyncio.gather(*(index.complete() for index in indices))
        found = [list(await index.nearest("And God said, Let there be light", "KJV", 3)) for index in indices]
        await corpus.aclose()
        return found

    one, *others = asyncio.run(run())
    assert others == [one, one]
    assert sorted(embedder.embedded for embedder in embedders) == [1, 1, 101]


def test_vectors_stand_in_the_order_of_their_verses(tmp_path: Path, corpus_directory: Path) -> None:
    """They are made in another one: the longest last."""
    corpus = Small(corpus_directory)
    corpus.open()
    with_index(tmp_path, corpus_directory, Words())
    (file,) = tmp_path.glob("*.f32")
    assert file.read_bytes() == b"".join(_vector(verse.text).tobytes() for verse in corpus.verses("ASV"))
    asyncio.run(corpus.aclose())


def test_whoever_waits_for_it_is_told_why_there_is_none(tmp_path: Path, corpus_directory: Path) -> None:
    async def run() -> None:
        corpus = Small(corpus_directory)
        corpus.open()
        index = VerseIndex(corpus, Words(broken=True), tmp_path, "ASV")
        await index.warm_up()
        with pytest.raises(OSError, match="the model is gone"):
            await index.complete()
        await corpus.aclose()

    asyncio.run(run())


def test_questions_come_first_where_there_is_no_room(tmp_path: Path, corpus_directory: Path) -> None:
    busy = Words(busy=2)
    _, ready = with_index(tmp_path, corpus_directory, busy)
    assert (ready, busy.busy) == (True, 0)


def test_a_broken_embedder_leaves_no_file_and_no_index(
    tmp_path: Path, corpus_directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, ready = with_index(tmp_path, corpus_directory, Words(broken=True))
    assert (ready, left(tmp_path)) == (False, [])
    assert "search stays lexical" in caplog.text


def test_a_file_that_cannot_be_read_is_told_in_the_log(
    tmp_path: Path, corpus_directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with_index(tmp_path, corpus_directory, Words())
    (file,) = tmp_path.glob("*.f32")
    file.write_bytes(file.read_bytes()[:-4])
    _, ready = with_index(tmp_path, corpus_directory, Words())
    assert not ready
    assert "search stays lexical" in caplog.text


def test_closing_ends_the_making_without_a_half_file(tmp_path: Path, corpus_directory: Path) -> None:
    _, ready = with_index(tmp_path, corpus_directory, Words(busy=10_000), wait=False)
    assert (ready, left(tmp_path)) == (False, [])


class WordsModel:
    """The same vectors as `Words`, from what stands where a real model would."""

    id, dimensions = "words-of-the-tests", 512

    def __init__(self) -> None:
        self.encoded = 0

    def load(self) -> None: ...

    def encode(self, texts: Sequence[str]) -> Sequence[Vector]:
        self.encoded += len(texts)
        return [_vector(text) for text in texts]


def test_the_index_may_be_made_before_any_service_starts(
    run: Callable[[Settings], Running],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("numpy")
    model, verses = WordsModel(), Corpus.verses
    monkeypatch.setattr(caches, "local_model", lambda _: model)
    monkeypatch.setattr(Corpus, "verses", lambda self, version: list(verses(self, version)[:100]))
    monkeypatch.setattr(sys, "argv", ["gwc_assistant", "index"])
    for name, value in {"GATEWAY_SECRET": "s" * 16, "DATA_DIR": str(settings.data_dir)}.items():
        monkeypatch.setenv(f"GWC_ASSISTANT_{name}", value)
    monkeypatch.setattr(logs, "configure", lambda _: None)
    assert main() == 0
    assert model.encoded >= 100
    made = model.encoded
    service = run(Settings.model_validate(settings.model_dump() | {"verse_index": "auto"}))
    for _ in range(200):
        if service.parts.index.ready:
            break
        time.sleep(0.02)
    asked = {"q": "And God said, Let there be light", "mode": "semantic"}
    found = service.client.get("/v1/scripture/search", params=asked).json()
    assert (found["mode"], found["hits"][0]["reference"]) == ("semantic", "Genesis 1:3")
    assert model.encoded <= made + 2  # a warm-up and the question
    monkeypatch.setenv("GWC_ASSISTANT_VERSE_INDEX", "off")
    assert main() == 2
    assert "there is no index to make" in capsys.readouterr().err


def left(directory: Path) -> list[Path]:
    """Whole files and halves; the lock of those who make them stays."""
    return [file for file in directory.iterdir() if file.suffix != ".lock"]


class Near:
    """An index that finds one verse, or raises."""

    def __init__(self, corpus: Corpus, error: Exception | None = None, *, ready: bool = True) -> None:
        self.ready, self._corpus, self._error = ready, corpus, error

    async def nearest(self, text: str, version: str, limit: int) -> Sequence[Hit]:
        if self._error is not None:
            raise self._error
        return [Hit(self._corpus.by_id([1001001], version)[1001001], 0.9)]


def test_the_route_searches_by_meaning_where_it_can(run: Callable[[Settings], Running], settings: Settings) -> None:
    service = run(settings)
    asked = {"q": "how did everything begin", "mode": "semantic", "version": "KJV"}
    service.parts.index = Near(service.parts.corpus)
    found = service.client.get("/v1/scripture/search", params=asked)
    assert (found.json()["mode"], found.json()["degraded"]) == ("semantic", "")
    assert [hit["reference"] for hit in found.json()["hits"]] == ["Genesis 1:1"]
    assert "public" in found.headers["Cache-Control"]
    for index, reason in (
        (Near(service.parts.corpus, ready=False), "index-not-ready"),
        (Near(service.parts.corpus, OverloadedError("embedder")), "embedder-unavailable"),
    ):
        service.parts.index = index
        degraded = service.client.get("/v1/scripture/search", params=asked)
        assert (degraded.json()["mode"], degraded.json()["degraded"]) == ("lexical", reason)
        assert degraded.headers["Cache-Control"] == "no-store"
