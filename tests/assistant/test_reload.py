"""A new configuration while requests are served: none is dropped, and of the old one nothing answers or stays."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import time
import weakref
from array import array
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from assistant.configured import QUESTION, Asker, Configured, configured_process
from assistant.model_server import Fail, Hang, ModelServer, Say
from assistant.running import SECRET
from gwc_assistant import caches
from gwc_assistant.configuration import SettingsError, reloaded
from gwc_assistant.domain import Question
from gwc_assistant.generations import Generations
from gwc_assistant.llm import ModelError
from gwc_assistant.protocols import Vector
from gwc_assistant.resilience import OverloadedError
from gwc_assistant.settings import RELOADABLE, Settings
from gwc_assistant.wiring import lasting

T = TypeVar("T")


@pytest.fixture
def other_server() -> Iterator[ModelServer]:
    with ModelServer(default=Say(words=("From the ", "other one [1]."))) as server:
        yield server


@pytest.fixture
def configured(settings: Settings, model_server: ModelServer) -> Iterator[Configured]:
    with configured_process(settings.data_dir, llm_url=model_server.url, llm_model="small") as service:
        yield service


def test_no_request_is_dropped_and_who_began_with_the_old_model_ends_with_it(
    configured: Configured, model_server: ModelServer, other_server: ModelServer
) -> None:
    gate = threading.Event()
    model_server.script.append(Say(gate=gate))
    streamed: list[str] = []
    stream = threading.Thread(
        target=lambda: streamed.append(configured.ask("Who was first?", Accept="text/event-stream").text)
    )
    stream.start()
    for _ in range(400):
        if model_server.asked:
            break
        time.sleep(0.02)
    askers = [Asker(configured, name) for name in ("Noah", "Abram", "Sarai", "Lot")]
    try:
        for asker in askers:
            asker.until(3)
        configured.write(llm_url=other_server.url, llm_model="small")
        configured.reload("done")
        before = [len(asker.answers) for asker in askers]
        for asker, count in zip(askers, before, strict=True):
            asker.until(count + 4)
    finally:
        for asker in askers:
            asker.stop.set()
        for asker in askers:
            asker.thread.join(timeout=30)
    gate.set()
    stream.join(timeout=30)
    assert [asker.dropped for asker in askers] == [[], [], [], []]
    for asker, count in zip(askers, before, strict=True):
        assert "other one" not in asker.answers[0]
        assert all("other one" in answer for answer in asker.answers[count + 1 :])
    assert "loved the world" in streamed[0]
    assert "event: usage" in streamed[0]


def test_the_answers_of_one_server_are_not_those_of_another_with_a_model_of_the_same_name(
    configured: Configured, model_server: ModelServer, other_server: ModelServer
) -> None:
    assert [configured.ask().headers["X-Assistant-Cache"] for _ in range(2)] == ["miss", "exact"]
    configured.write(llm_url=other_server.url, llm_model="small")
    configured.reload("done")
    response = configured.ask()
    assert (response.headers["X-Assistant-Cache"], response.json()["answer"]) == ("miss", "From the other one [1].")
    configured.write(llm_url=model_server.url, llm_model="small")
    configured.reload("done")
    assert configured.ask().headers["X-Assistant-Cache"] == "exact"


def test_secrets_rotate_without_a_restart(configured: Configured, tmp_path: Path) -> None:
    new = "the-new-secret-of-today"
    (tmp_path / "secret").write_text(new)
    configured.write(gateway_secret_previous=SECRET)
    configured.reload("done")
    assert [configured.ask(**{"X-Gateway-Secret": one}).status_code for one in (SECRET, new)] == [200, 200]
    configured.write()
    configured.reload("done", new)
    assert [configured.ask(**{"X-Gateway-Secret": one}).status_code for one in (SECRET, new)] == [403, 200]


def test_limits_of_questions_are_those_of_the_file(configured: Configured) -> None:
    configured.write(question_chars=10)
    configured.reload("done")
    assert configured.ask().json()["type"] == "urn:gwc:problem:question-too-long"


def test_what_is_wrong_keeps_the_old_configuration_and_is_told(
    configured: Configured, model_server: ModelServer, tmp_path: Path
) -> None:
    good = {"llm_url": model_server.url, "llm_model": "small"}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({**good, "llm_modle": "other"}, "no such setting; did you mean llm_model"),
        ({**good, "drain_timeout": 5}, "drain_timeout: only a new process can change this"),
        ({**good, "gateway_secret": "another-one-that-is-long"}, "gateway_secret is given twice"),
        ({**good, "breaker_calls": 0}, "breaker_calls: Input should be greater than or equal to 1"),
        ({**good, "embedder": "onnx", "embedder_model": str(tmp_path / "none")}, "No such file"),
        ({**good, "prices": str(tmp_path / "none")}, "no prices can be read"),
        ({"llm_url": "http://127.0.0.1:9/v1", "llm_model": "small"}, "small: connect"),
    ]
    for told, _ in wrong:
        configured.write(**told)
        configured.reload("failed")
        assert configured.ask().status_code == 200
    configured.file.write_text("llm_url: [")
    configured.reload("failed")
    configured.file.unlink()
    configured.reload("failed")
    assert configured.ask("Who was Job?").json()["answer"] == "God so loved the world [1]."
    errors = [line["error"] for line in configured.log() if line["message"].startswith("not reloaded")]
    expected = [*(message for _, message in wrong), "assistant.yaml:1:11", "No such file"]
    assert len(errors) == len(expected)
    assert [(error, message) for error, message in zip(errors, expected, strict=True) if message not in error] == []
    assert "another-one-that-is-long" not in "".join(errors)


def test_a_server_that_refuses_is_told_before_anybody_depends_on_it(
    configured: Configured, other_server: ModelServer
) -> None:
    other_server.default = Fail(401)
    configured.write(llm_url=other_server.url, llm_model="small")
    configured.reload("failed")
    assert configured.ask().json()["model"] == "small"
    assert len(other_server.asked) == 1


def test_told_to_leave_while_it_reloads_it_leaves(configured: Configured, other_server: ModelServer) -> None:
    other_server.default = Hang()
    configured.write(llm_url=other_server.url, llm_model="small")
    configured.process.process.send_signal(signal.SIGHUP)
    for _ in range(400):
        if other_server.asked:
            break
        time.sleep(0.02)
    messages = [line["message"] for line in configured.log()]
    assert not [message for message in messages if "reloaded" in message]  # neither: nobody waited for its end


class Loaded:
    """A model of meaning that can be held up, or fails to load. Each has its own dimension."""

    dimensions = 4

    def __init__(self, identity: str, *, broken: bool = False) -> None:
        self.id, self.broken, self.loads = identity, broken, 0
        self.gate = threading.Event()
        self.gate.set()

    def load(self) -> None:
        self.loads += 1
        if self.broken:
            raise OSError("no weights")

    def encode(self, texts: Sequence[str]) -> Sequence[Vector]:
        assert self.gate.wait(20)
        place = int(self.id[-1])
        return [array("f", (float(number == place) for number in range(4))) for _ in texts]


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[str, Loaded]:
    """By the number of threads that is set, which stands for anything that names a model."""
    made: dict[str, Loaded] = {}
    monkeypatch.setattr(caches, "local_model", lambda settings: made[f"model-{settings.embedder_threads}"])
    return made


def generations(settings: Settings, work: Callable[[Generations], Awaitable[T]]) -> T:
    async def run() -> T:
        made = Generations(lasting(settings), settings)
        await made.warm_up()
        try:
            return await work(made)
        finally:
            await made.aclose()

    return asyncio.run(run())


def changed(**told: Any) -> Callable[[Settings], Settings]:
    return lambda settings: Settings.model_validate(settings.model_dump() | told)


def test_the_old_model_is_let_go_after_the_last_request_that_began_with_it(
    settings: Settings, models: dict[str, Loaded]
) -> None:
    models["model-1"], models["model-2"] = Loaded("model-1"), Loaded("model-2")

    async def work(served: Generations) -> None:
        old = weakref.ref(models["model-1"])
        models["model-1"].gate.clear()
        with served.lease() as parts:
            asked = asyncio.create_task(parts.embedder.embed(["one"]))
            await asyncio.sleep(0)
            await served.reload(changed(embedder_threads=2))
            assert served.current.embedder.id == "model-2"
            models.pop("model-1").gate.set()
            assert list((await asked)[0]) == [0, 1, 0, 0]
            assert list((await parts.embedder.embed(["another"]))[0]) == [0, 1, 0, 0]  # still his until the end
            assert list((await served.current.embedder.embed(["one"]))[0]) == [0, 0, 1, 0]
        embedder = parts.embedder
        await asyncio.gather(*served._closing)
        with pytest.raises(OverloadedError):
            await embedder.embed(["of a thread that is gone"])
        del parts, asked, embedder
        for _ in range(100):
            gc.collect()
            if old() is None:
                break
            await asyncio.sleep(0.02)
        assert old() is None
        assert len(served._living) == 1

    generations(settings, work)


def test_a_model_that_cannot_be_loaded_changes_nothing_and_is_let_go(
    settings: Settings, models: dict[str, Loaded]
) -> None:
    models["model-1"], models["model-2"] = Loaded("model-1"), Loaded("model-2", broken=True)

    async def work(served: Generations) -> None:
        before = served.current
        with pytest.raises(OSError, match="no weights"):
            await served.reload(changed(embedder_threads=2))
        assert served.current is before
        assert list((await before.embedder.embed(["one"]))[0]) == [0, 1, 0, 0]
        broken = weakref.ref(models.pop("model-2"))
        gc.collect()
        assert broken() is None

    generations(settings, work)


def test_what_did_not_change_is_taken_over_with_all_that_it_knows(
    settings: Settings, models: dict[str, Loaded], model_server: ModelServer, other_server: ModelServer
) -> None:
    """Of two models one is changed: the other's breaker stays open, and no weights are loaded again."""
    told = {"llm_url": model_server.url, "llm_model": "small"}
    settings = Settings.model_validate(settings.model_dump() | told)
    models["model-1"] = Loaded("model-1")

    async def work(served: Generations) -> None:
        before = served.current
        await served.reload(changed(fallback_llm_url=other_server.url, fallback_llm_model="large", question_chars=5))
        after = served.current
        assert after.models[0] is before.models[0]
        assert [model.name for model in after.models] == ["small", "large"]
        assert after.embedder is before.embedder
        assert after.cache is before.cache
        assert after.settings.question_chars == 5
        assert (models["model-1"].loads, len(model_server.asked), len(other_server.asked)) == (1, 0, 1)
        await served.reload(changed(fallback_llm_url=None, fallback_llm_model=""))
        await asyncio.gather(*served._closing)
        assert (await anext(_said(served))) == "God so "  # the first model was not closed with the second
        gauge = served.lasting.telemetry.exposition()[0].decode()
        assert 'breaker="llm:small"' in gauge
        del before, after
        await asyncio.sleep(0)
        gc.collect()
        assert 'breaker="llm:large"' not in served.lasting.telemetry.exposition()[0].decode()

    generations(settings, work)


async def _said(served: Generations) -> Any:
    from gwc_assistant.protocols import Delta, Message

    async for part in served.current.models[0].stream([Message("user", "?")]):
        if isinstance(part, Delta):
            yield part.text


def test_another_embedder_knows_no_likeness_of_the_one_before(settings: Settings, models: dict[str, Loaded]) -> None:
    models["model-1"], models["model-2"] = Loaded("model-1"), Loaded("model-2")

    async def work(served: Generations) -> None:
        from assistant.caching.pairs import answer, key

        await served.current.cache.keep(key("Who was David's father?"), (1,), answer())
        assert await served.current.cache.similar(key("Who is the father of David?"), (1,)) is not None
        await served.reload(changed(embedder_threads=2))
        assert await served.current.cache.similar(key("Who is the father of David?"), (1,)) is None
        assert await served.current.cache.exact(key("Who was David's father?")) is not None

    generations(settings, work)


def test_every_new_model_is_asked_before_it_is_needed(settings: Settings, model_server: ModelServer) -> None:
    model_server.default = Fail(503)

    async def work(served: Generations) -> None:
        with pytest.raises(ModelError):
            await served.reload(changed(llm_url=model_server.url, llm_model="small"))
        assert served.current.models == ()
        answered = await served.current.retriever.retrieve(Question("ann", QUESTION, "ASV"))
        assert answered[0].reference == "John 3:16"

    generations(settings, work)


def test_only_what_a_reload_replaces_may_change(settings: Settings) -> None:
    environment = {"GWC_ASSISTANT_GATEWAY_SECRET": SECRET}
    with pytest.raises(SettingsError, match=r"data_dir.*: only a new process can change this"):
        reloaded(settings, environment)
    told = {"DATA_DIR": str(settings.data_dir), "PORT": "0", "DRAIN_DELAY": "0", "MAX_VERSES": "9"}
    new = reloaded(settings, environment | {f"GWC_ASSISTANT_{name}": value for name, value in told.items()})
    assert new.max_verses == 9
    assert Settings.model_fields.keys() >= RELOADABLE
    assert not RELOADABLE & {"host", "port", "data_dir", "user_header", "redis_url"}
