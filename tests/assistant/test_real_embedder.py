"""The service on the real embedder, and on the same model as ONNX: what letters alone cannot do."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assistant.configured import Asker, configured_process
from assistant.embedders import minilm_missing, onnx_missing
from assistant.model_server import ModelServer
from assistant.running import Running
from gwc_assistant import caches
from gwc_assistant.corpus import Corpus
from gwc_assistant.generations import Generations
from gwc_assistant.settings import Settings
from gwc_assistant.wiring import lasting

Run = Callable[[Settings], Running]


@pytest.fixture(params=["minilm", "onnx"])
def real(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """With an index, of the first chapters alone: of all verses it takes minutes."""
    if missing := onnx_missing() if request.param == "onnx" else minilm_missing():
        pytest.skip(missing)
    verses = Corpus.verses
    monkeypatch.setattr(Corpus, "verses", lambda self, version: list(verses(self, version)[:100]))
    model = request.getfixturevalue("onnx_model") if request.param == "onnx" else None
    told = {"embedder": request.param, "embedder_model": model, "verse_index": "auto"}
    return Settings.model_validate(settings.model_dump() | told)


def test_a_search_finds_what_is_said_in_other_words(run: Run, real: Settings) -> None:
    service = run(real)
    asked = {"q": "how the universe came into being", "mode": "semantic", "version": "KJV", "limit": 3}
    for _ in range(600):
        found = service.client.get("/v1/scripture/search", params=asked).json()
        if not found["degraded"]:
            break
        time.sleep(0.05)
    assert (found["mode"], found["degraded"]) == ("semantic", "")
    assert "Genesis 1:1" in [hit["reference"] for hit in found["hits"]]
    lexical = service.client.get("/v1/scripture/search", params=asked | {"mode": "lexical"}).json()
    assert "Genesis 1:1" not in [hit["reference"] for hit in lexical["hits"]]
    assert list(real.data_dir.glob("vectors-*.f32"))


def test_a_second_start_finds_the_vectors_there(run: Run, real: Settings) -> None:
    _until_ready(run(real))
    (file,) = real.data_dir.glob("vectors-*.f32")
    made = file.stat().st_mtime_ns
    _until_ready(run(real))
    assert file.stat().st_mtime_ns == made


def _until_ready(service: Running) -> None:
    for _ in range(600):
        if service.parts.index.ready:
            return
        time.sleep(0.05)
    raise AssertionError("there is no index after half a minute")


def test_a_question_in_other_words_hits_and_another_one_does_not(
    run: Run, real: Settings, model_server: ModelServer
) -> None:
    told: dict[str, Any] = {"llm_url": model_server.url, "llm_model": "small"}
    service = run(Settings.model_validate(real.model_dump() | told))
    asked = ("Who was David's father?", "Who is the father of David?", "Who is the mother of David?")
    assert [service.ask(text).headers["X-Assistant-Cache"] for text in asked] == ["miss", "semantic", "miss"]


def _resident() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * 4096


def test_embedders_come_and_go_while_questions_are_embedded(real: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the model to letters and back, again and again: no call fails, and no model stays."""
    made: list[weakref.ref[object]] = []
    local_model = caches.local_model

    def noted(settings: Settings) -> object:
        model = local_model(settings)
        if model is not None:
            made.append(weakref.ref(model))
        return model

    monkeypatch.setattr(caches, "local_model", noted)
    letters = {"embedder": "lexical", "embedder_model": None}

    async def run() -> tuple[int, list[int]]:
        served, over, embedded = Generations(lasting(real), real), asyncio.Event(), 0
        await served.warm_up()
        sizes: list[int] = []

        async def ask() -> None:
            nonlocal embedded
            while not over.is_set():
                with served.lease() as parts:
                    (vector,) = await parts.embedder.embed([f"Who was king number {embedded}?"])
                    assert len(vector) == parts.embedder.dimensions
                embedded += 1
                await asyncio.sleep(0.01)

        askers = [asyncio.create_task(ask()) for _ in range(4)]
        for _ in range(4):
            for told in (letters, real.model_dump()):
                await served.reload(lambda _, told=told: Settings.model_validate(real.model_dump() | told))
            gc.collect()
            sizes.append(_resident())
        over.set()
        await asyncio.gather(*askers)
        await served.aclose()
        return embedded, sizes

    embedded, sizes = asyncio.run(run())
    assert embedded > 20
    gc.collect()
    assert len(made) == 5
    assert [one() for one in made] == [None] * 5
    assert max(sizes) - sizes[0] < 150_000_000  # three models more would be 270 MB


def test_a_process_takes_the_real_model_while_it_serves_and_drops_no_request(
    settings: Settings, model_server: ModelServer
) -> None:
    if missing := minilm_missing():
        pytest.skip(missing)
    told = {"llm_url": model_server.url, "llm_model": "small", "verse_index": "off"}
    with configured_process(settings.data_dir, **told) as service:
        askers = [Asker(service, name) for name in ("Noah", "Lot")]
        try:
            for asker in askers:
                asker.until(2)
            service.write(**told | {"embedder": "minilm"})
            service.reload("done")
            before = [len(asker.answers) for asker in askers]
            for asker, count in zip(askers, before, strict=True):
                asker.until(count + 3)
            found = [service.ask(text) for text in ("Who was David's father?", "Who is the father of David?")]
        finally:
            for asker in askers:
                asker.stop.set()
            for asker in askers:
                asker.thread.join(timeout=30)
        assert [asker.dropped for asker in askers] == [[], []]
        assert [response.headers["X-Assistant-Cache"] for response in found] == ["miss", "semantic"]
        assert min(before) > 2  # they were answered while it was loaded
