"""The service in this process and in others, in front of a scripted model server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from assistant.model_server import ModelServer
    from assistant.postgres import Postgres
    from assistant.running import Running
    from gwc_assistant.settings import Settings


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of a package above it
        return False


_NEEDED = ("fastapi", "genai_prices", "httpx", "opentelemetry.sdk", "prometheus_client", "pythonbible", "uvicorn")
_MISSING = [name for name in _NEEDED if not _installed(name)]

collect_ignore_glob = ["*"] if _MISSING else []
"""Without the extra `assistant` there is no service to test; with it, nothing else is needed."""


@pytest.fixture(scope="session")
def corpus_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The search file, built once: the tests' services find it ready."""
    from gwc_assistant.corpus.build import build

    directory = tmp_path_factory.mktemp("corpus")
    build(directory)
    return directory


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server that is there; a test that ends it starts it again."""
    pytest.importorskip("asyncpg")
    from assistant.postgres import Postgres, postgres_missing

    if missing := postgres_missing():
        pytest.skip(missing)
    server = Postgres().start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger is: each test has one of its own in each database."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger")
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture(scope="session")
def onnx_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the real model as ONNX, and its tokenizer."""
    from assistant.embedders import export, onnx_missing

    if missing := onnx_missing():
        pytest.skip(missing)
    export(directory := tmp_path_factory.mktemp("onnx"))
    return directory


@pytest.fixture
def settings(tmp_path: Path, corpus_directory: Path) -> Settings:
    """Without a model: answers are extractive."""
    from assistant.embedders import DEFAULT
    from assistant.running import SECRET
    from gwc_assistant.settings import Settings

    for file in corpus_directory.iterdir():
        (tmp_path / file.name).symlink_to(file)
    # Vectors of all verses take a real embedder minutes: who tests them makes those of a few.
    told = {"embedder": DEFAULT, "verse_index": "off", "port": 0, "drain_delay": 0}
    return Settings(gateway_secret=SECRET, data_dir=tmp_path, **told)


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    from assistant.model_server import ModelServer

    with ModelServer() as server:
        yield server


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    """Starts services; all of them are ended with the test."""
    from assistant.running import Running

    started: list[Running] = []

    def start(settings: Settings) -> Running:
        started.append(Running(settings))
        return started[-1]

    yield start
    for running in started:
        running.close()
