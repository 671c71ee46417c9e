"""Embedders: their batches, queue, breaker and cache."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import threading
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from assistant.embedders import minilm_missing
from gwc_assistant.embedding import (
    CachedEmbedder,
    EmbeddingFailedError,
    GuardedEmbedder,
    LexicalEmbedder,
    MicroBatcher,
    minilm,
)
from gwc_assistant.embedding.batched import BatchedEmbedder, LocalModel
from gwc_assistant.embedding.onnx import OnnxModel
from gwc_assistant.protocols import Vector
from gwc_assistant.resilience import Breaker, BreakerOpenError, BreakerPolicy, OverloadedError


class Model:
    """Notes its batches. While `gate` is closed it is busy."""

    id, dimensions = "model", 1

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate, self.entered = threading.Event(), threading.Event()
        self.gate.set()
        self.failures = 0

    def load(self) -> None:
        self.loaded = True

    def encode(self, texts: Sequence[str]) -> Sequence[Vector]:
        self.batches.append(list(texts))
        self.entered.set()
        self.gate.wait(10)
        if self.failures:
            self.failures -= 1
            raise ValueError("out of memory")
        return [array("f", [float(text)]) for text in texts]


@pytest.fixture
def model() -> Iterator[Model]:
    made = Model()
    yield made
    made.gate.set()


async def busy(model: Model, batcher: MicroBatcher) -> asyncio.Task[Sequence[Vector]]:
    """Occupied with a batch of one, so that what comes now queues."""
    model.gate.clear()
    first = asyncio.create_task(batcher.submit(["0"]))
    await asyncio.to_thread(model.entered.wait, 10)
    return first


def values(vectors: Sequence[Vector]) -> list[float]:
    return [vector[0] for vector in vectors]


def test_what_queued_meanwhile_is_one_batch_and_everybody_gets_their_own(model: Model) -> None:
    async def run() -> list[list[float]]:
        batcher = MicroBatcher("m", model.encode, batch=8)
        first = await busy(model, batcher)
        others = [asyncio.create_task(batcher.submit([str(n), str(n + 100)])) for n in range(1, 6)]
        await asyncio.sleep(0)
        model.gate.set()
        found = [values(await task) for task in (first, *others)]
        await batcher.aclose()
        return found

    assert asyncio.run(run()) == [[0], *([n, n + 100] for n in range(1, 6))]
    assert [len(batch) for batch in model.batches] == [1, 8, 2]


def test_a_lone_caller_does_not_wait_for_company(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """No timer is set: the batch begins when the model is free."""

    async def run() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "call_at", pytest.fail)
        await MicroBatcher("m", model.encode).submit(["1"])

    asyncio.run(run())
    assert [len(batch) for batch in model.batches] == [1]


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(model: Model) -> None:
    async def run() -> OverloadedError:
        batcher = MicroBatcher("m", model.encode, batch=2, queue=3)
        first = await busy(model, batcher)
        waiting = [asyncio.create_task(batcher.submit(["1"])) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError) as refused:
            await batcher.submit(["9"])
        model.gate.set()
        assert [values(await task) for task in (first, *waiting)] == [[0], [1], [1], [1]]
        assert values(await batcher.submit([str(n) for n in range(7)])) == list(range(7))
        return refused.value

    assert asyncio.run(run()).retry_after >= 1


def test_whoever_went_away_is_not_embedded_and_leaves_room(model: Model) -> None:
    async def run() -> None:
        batcher = MicroBatcher("m", model.encode, batch=2, queue=3)
        first = await busy(model, batcher)
        gone = [asyncio.create_task(batcher.submit([f"{n}"])) for n in (7, 8)]
        stays = asyncio.create_task(batcher.submit(["5"]))
        await asyncio.sleep(0)
        for task in gone:
            task.cancel()
        await asyncio.sleep(0)
        model.gate.set()
        assert values(await first) == [0]
        assert values(await stays) == [5]
        assert batcher._waiting == 0

    asyncio.run(run())
    assert model.batches == [["0"], ["5"]]


def test_a_failed_batch_fails_its_callers_and_the_next_one_works(model: Model) -> None:
    async def run() -> None:
        batcher = MicroBatcher("m", model.encode)
        model.failures = 1
        with pytest.raises(EmbeddingFailedError):
            await batcher.submit(["1"])
        assert values(await batcher.submit(["2"])) == [2]
        await batcher.aclose()
        with pytest.raises(OverloadedError):
            await batcher.submit(["3"])

    asyncio.run(run())


def test_closing_serves_who_is_in_the_queue(model: Model) -> None:
    async def run() -> list[float]:
        batcher = MicroBatcher("m", model.encode)
        await busy(model, batcher)
        queued = asyncio.create_task(batcher.submit(["4"]))
        await asyncio.sleep(0)
        closing = asyncio.create_task(batcher.aclose())
        await asyncio.sleep(0)
        model.gate.set()
        await closing
        return values(await queued)

    assert asyncio.run(run()) == [4]


def test_a_broken_model_is_left_alone_for_a_while(model: Model) -> None:
    async def run() -> None:
        guarded = GuardedEmbedder(BatchedEmbedder(model), Breaker("e", BreakerPolicy(min_calls=3)))
        await guarded.warm_up()
        model.failures = 99
        for _ in range(3):
            with pytest.raises(EmbeddingFailedError):
                await guarded.embed(["1"])
        with pytest.raises(BreakerOpenError):
            await guarded.embed(["1"])
        await guarded.aclose()

    model.encode = Texts(model)  # type: ignore[method-assign]
    asyncio.run(run())
    assert len(model.batches) == 4


class Texts:
    """Takes sentences, as the warm-up sends one."""

    def __init__(self, model: Model) -> None:
        self._encode = model.encode

    def __call__(self, texts: Sequence[str]) -> Sequence[Vector]:
        return self._encode([str(len(text)) for text in texts])


def test_texts_are_embedded_once_and_the_oldest_are_forgotten() -> None:
    counted = Counted()

    async def run() -> list[Sequence[Vector]]:
        cached = CachedEmbedder(counted, 2)
        return [await cached.embed(texts) for texts in (["a", "b", "a"], ["b", "a"], ["c"], ["b"], ["c"])]

    found = asyncio.run(run())
    assert counted.asked == [["a", "b"], ["c"], ["b"]]
    assert found[0][0] == found[0][2] == found[1][1]


class Counted(LexicalEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        self.asked.append(list(texts))
        return await super().embed(texts)


def test_letters_alone_tell_likeness_of_letters() -> None:
    one, other, none = asyncio.run(LexicalEmbedder().embed(["loving your enemies", "love thy enemy", "Tyre"]))
    assert math.isclose(sum(value * value for value in one), 1, rel_tol=1e-6)
    assert sum(map(float.__mul__, one, other)) > 0.3 > sum(map(float.__mul__, one, none))


def test_the_real_model_knows_meaning_in_batches_as_alone() -> None:
    if missing := minilm_missing():
        pytest.skip(missing)

    async def run() -> tuple[Sequence[Vector], Sequence[Vector]]:
        embedder = BatchedEmbedder(minilm.MiniLM())
        await embedder.warm_up()
        texts = ["Who was the father of David?", "From which man did David descend?", "How is bread baked?"]
        together = await embedder.embed(texts)
        alone = [(await embedder.embed([text]))[0] for text in texts]
        await embedder.aclose()
        return together, alone

    together, alone = asyncio.run(run())
    for one, other in zip(together, alone, strict=True):
        assert sum(map(float.__mul__, one, other)) == pytest.approx(1, abs=1e-4)
    david, descent, bread = together
    assert sum(map(float.__mul__, david, descent)) > 0.5 > sum(map(float.__mul__, david, bread))


def test_onnx_makes_the_same_vectors(onnx_model: Path) -> None:
    texts = ["Who was the father of David?", "Jesse", "Blessed are the poor in spirit, for theirs is the kingdom."]

    async def run(model: LocalModel) -> Sequence[Vector]:
        embedder = BatchedEmbedder(model)
        await embedder.warm_up()
        vectors = await embedder.embed(texts)
        await embedder.aclose()
        return vectors

    real, other = (asyncio.run(run(model)) for model in (minilm.MiniLM(), OnnxModel(onnx_model)))
    for one, two in zip(real, other, strict=True):
        assert sum(map(float.__mul__, one, two)) == pytest.approx(1, abs=1e-3)
        assert two == pytest.approx(one, abs=1e-3)


def test_nothing_heavy_is_imported_by_a_service_that_does_not_need_it() -> None:
    code = """
import sys
from gwc_assistant.settings import Settings
from gwc_assistant.app import create_app
create_app(Settings(gateway_secret="x" * 16, embedder="lexical"))
heavy = {"torch", "transformers", "sentence_transformers", "onnxruntime", "numpy", "redis"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
