"""The service in this process and in others, in front of a scripted model server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("pythonbible")

from assistant.model_server import ModelServer
from assistant.running import SECRET, Running
from gwc_assistant.corpus.build import build
from gwc_assistant.settings import Settings


@pytest.fixture(scope="session")
def corpus_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The search file, built once: the tests' services find it ready."""
    directory = tmp_path_factory.mktemp("corpus")
    build(directory)
    return directory


@pytest.fixture
def settings(tmp_path: Path, corpus_directory: Path) -> Settings:
    """Without a model: answers are extractive."""
    for file in corpus_directory.iterdir():
        (tmp_path / file.name).symlink_to(file)
    return Settings(gateway_secret=SECRET, data_dir=tmp_path, port=0, drain_delay=0)


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    """Starts services; all of them are ended with the test."""
    started: list[Running] = []

    def start(settings: Settings) -> Running:
        started.append(Running(settings))
        return started[-1]

    yield start
    for running in started:
        running.close()
