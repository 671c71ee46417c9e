"""Settings: from the environment, secrets from files too, and no start with what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gwc_assistant.settings import SettingsError, from_environment

SECRET = {"GWC_ASSISTANT_GATEWAY_SECRET": "long-enough-to-be-one"}
SERVICES = Path(__file__).parents[2] / "services/assistant"


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from-a-file-on-the-host\n")
    settings = from_environment({"GWC_ASSISTANT_GATEWAY_SECRET_FILE": str(file)})
    assert settings.gateway_secrets == (b"from-a-file-on-the-host",)
    assert "from-a-file" not in repr(settings)


def test_two_secrets_while_they_rotate() -> None:
    settings = from_environment(SECRET | {"GWC_ASSISTANT_GATEWAY_SECRET_PREVIOUS": "the-one-of-last-month"})
    assert settings.gateway_secrets == (b"long-enough-to-be-one", b"the-one-of-last-month")


def test_models_in_order() -> None:
    told = {"LLM_URL": "http://a/v1", "LLM_MODEL": "a", "FALLBACK_LLM_URL": "http://b/v1", "FALLBACK_LLM_MODEL": "b"}
    settings = from_environment(SECRET | {f"GWC_ASSISTANT_{name}": value for name, value in told.items()})
    assert [endpoint.model for endpoint in settings.endpoints] == ["a", "b"]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "GWC_ASSISTANT_GATEWAY_SECRET: Field required"),
        ({"GWC_ASSISTANT_GATEWAY_SECRET": ""}, "GWC_ASSISTANT_GATEWAY_SECRET"),
        ({"GWC_ASSISTANT_GATEWAY_SECRET": "too-short"}, "GWC_ASSISTANT_GATEWAY_SECRET"),
        ({"GWC_ASSISTANT_GATEWAY_SECRET_FILE": "/nowhere/at/all"}, "No such file"),
        (SECRET | {"GWC_ASSISTANT_GATEWAY_SECRET_PREVIOUS": ""}, "GATEWAY_SECRET_PREVIOUS"),
        (SECRET | {"GWC_ASSISTANT_GATEWAY_SECRET_FILE": os.devnull}, "given twice"),
        (SECRET | {"GWC_ASSISTANT_LLM_ULR": "http://a/v1"}, "GWC_ASSISTANT_LLM_ULR"),
        (SECRET | {"GWC_ASSISTANT_LLM_URL": "http://a/v1"}, "llm_url and llm_model go together"),
        (SECRET | {"GWC_ASSISTANT_PORT": "70000"}, "GWC_ASSISTANT_PORT"),
        (SECRET | {"GWC_ASSISTANT_VERSION": "NIV"}, "GWC_ASSISTANT_VERSION"),
    ],
)
def test_what_is_wrong_is_named_and_its_value_is_not(environment: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as raised:
        from_environment(environment)
    assert "too-short" not in str(raised.value)


def test_without_a_secret_the_process_does_not_start() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GWC_ASSISTANT_")}
    done = subprocess.run(
        [sys.executable, "-m", "gwc_assistant"],
        env=environment | {"PYTHONPATH": str(SERVICES)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "gwc_assistant: GWC_ASSISTANT_GATEWAY_SECRET: Field required\n"
