"""Settings: from the environment, secrets from files too, and no start with what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from assistant.running import SERVICES
from gwc_assistant.configuration import SettingsError, read
from gwc_assistant.settings import Settings

SECRET = {"GWC_ASSISTANT_GATEWAY_SECRET": "long-enough-to-be-one"}


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from-a-file-on-the-host\n")
    settings = read({"GWC_ASSISTANT_GATEWAY_SECRET_FILE": str(file)})
    assert settings.gateway_secrets == (b"from-a-file-on-the-host",)
    assert "from-a-file" not in repr(settings)


def test_two_secrets_while_they_rotate() -> None:
    settings = read(SECRET | {"GWC_ASSISTANT_GATEWAY_SECRET_PREVIOUS": "the-one-of-last-month"})
    assert settings.gateway_secrets == (b"long-enough-to-be-one", b"the-one-of-last-month")


def test_models_in_order() -> None:
    told = {"LLM_URL": "http://a/v1", "LLM_MODEL": "a", "FALLBACK_LLM_URL": "http://b/v1", "FALLBACK_LLM_MODEL": "b"}
    settings = read(SECRET | {f"GWC_ASSISTANT_{name}": value for name, value in told.items()})
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
        read(environment)
    assert "too-short" not in str(raised.value)


def from_file(tmp_path: Path, text: str, **variables: str) -> Settings:
    file = tmp_path / "assistant.yaml"
    file.write_text(text)
    return read(SECRET | variables | {"GWC_ASSISTANT_CONFIG": str(file)})


def test_many_settings_stand_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("of-the-provider\n")
    text = f"llm_url: http://a/v1\nllm_model: a\nllm_api_key_file: {tmp_path / 'key'}\nbulkhead: 3\nunit_usd: 0.001\n"
    settings = from_file(tmp_path, text, GWC_ASSISTANT_VERSION="KJV")
    assert (settings.bulkhead, settings.unit_usd, settings.version) == (3, Decimal("0.001"), "KJV")
    assert settings.endpoints[0].api_key == SecretStr("of-the-provider")
    assert from_file(tmp_path, "# nothing yet\n") == read(SECRET)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bulkhead: 3\nllm_ulr: http://a/v1", "yaml:2:1: llm_ulr: no such setting; did you mean llm_url"),
        ("bulkhead: 3\nbulkhead: 4", "yaml:2:1: bulkhead is given twice: also by .*yaml:1:1"),
        ("version: KJV", "yaml:1:1: version is given twice: also by GWC_ASSISTANT_VERSION"),
        ("bulkhead: 0", "yaml:1:1: bulkhead: Input should be greater"),
        ("bulkhead: [1]", "yaml:1:1: a setting is a name with one value"),
        ("- bulkhead", "yaml:1:1: settings are a mapping"),
        ("bulkhead: {", "yaml:1:12: "),
        ("llm_api_key_file: /nowhere/at/all", "yaml:1:1: No such file"),
        ("config: other.yaml", "yaml:1:1: config: "),
        ("port: !!python/object:os.system {}", "yaml:1:1: a setting is a name with one value"),
        ("port: !!python/name:os.system ''", "yaml:1:7: could not determine a constructor"),
        ("gateway_secret_previous: short", "yaml:1:1: gateway_secret_previous: "),
    ],
)
def test_a_mistake_in_the_file_has_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as raised:
        from_file(tmp_path, text, GWC_ASSISTANT_VERSION="ASV")
    assert "short" not in str(raised.value).replace("too short", "")


def test_check_says_what_is_wrong_before_anything_runs(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GWC_ASSISTANT_")}
    environment |= SECRET | {"PYTHONPATH": str(SERVICES), "GWC_ASSISTANT_DATA_DIR": str(tmp_path / "none")}
    command = [sys.executable, "-m", "gwc_assistant", "check"]
    for told, code, message in (
        ({"GWC_ASSISTANT_EMBEDDER": "lexical"}, 0, ""),
        ({"GWC_ASSISTANT_PRICES": "/nowhere/at/all"}, 2, "no prices can be read"),
    ):
        done = subprocess.run(command, env=environment | told, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (code, "")
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "none").exists()


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
