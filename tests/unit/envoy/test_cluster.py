"""What Envoy's target emits for counts that several gateways share."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gwc.ir import Gateway
from gwc.support import Fidelity
from gwc.target import OutputFile
from gwc_envoy.emit import bootstrap, emit
from gwc_envoy.ratelimit import CONFIG, ENVIRONMENT, START
from gwc_envoy.support import TABLES
from unit.envoy.policies import gateway

_STORE = {"redis": "redis://127.0.0.1:6379", "service": "127.0.0.1:8081"}
_KEYS = {"api_key": {"consumers": [{"name": "ann", "secret": {"env": "KEY_ANN"}}]}}
_SERVICE = {
    "service": "a",
    "auth": {"any_of": ["api_key"]},
    "limits": [
        {"per": "ip", "rate": "300/min", "scope": "cluster"},
        {"per": "service", "rate": "5/s", "scope": "cluster"},
        {"per": "user", "rate": "9/hour"},
    ],
    "budget": {"per": "user", "units": "100/day", "charge": "X-Cost-Units", "scope": "cluster"},
}


def _gateway(store: dict[str, Any] = _STORE) -> Gateway:
    return gateway(_SERVICE, identity=_KEYS, rate_limit_store=store)


def _files(store: dict[str, Any] = _STORE) -> dict[str, OutputFile]:
    return dict(emit(_gateway(store), "default").files)


def test_the_service_counts_what_is_shared_and_nothing_else() -> None:
    output = _files()[CONFIG]
    minute = {"unit": "minute", "requests_per_unit": 300}
    assert json.loads(output.text) == {
        "domain": "gwc",
        "descriptors": [
            {
                "key": "limit",
                "value": "service/a/0",
                "descriptors": [{"key": "masked_remote_address", "rate_limit": minute}],
            },
            {"key": "limit", "value": "service/a/1", "rate_limit": {"unit": "second", "requests_per_unit": 5}},
            {
                "key": "budget",
                "value": "a",
                "descriptors": [{"key": "user", "rate_limit": {"unit": "day", "requests_per_unit": 100}}],
            },
        ],
    }
    assert {output.text.splitlines()[number - 1].split('"')[7]: span.file for number, span in output.lines.items()} == {
        "service/a/0": "a.yaml",
        "service/a/1": "a.yaml",
        "a": "a.yaml",
    }


def test_every_descriptor_that_envoy_names_is_configured() -> None:
    """What the service does not know it does not limit."""
    known = {d["value"] for d in json.loads(_files()[CONFIG].text)["descriptors"]}
    routes = bootstrap(_gateway())["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
    text = json.dumps(routes)
    asked = [name for name in ("service/a/0", "service/a/1") if f'"descriptor_value": "{name}"' in text]
    assert set(asked) | {"a"} == known


def test_failing_open_is_written_only_where_the_policy_says_so() -> None:
    for on_failure, deny in (("deny", True), ("allow", False)):
        text = json.dumps(bootstrap(_gateway({**_STORE, "on_failure": on_failure})))
        assert (f'"failure_mode_deny": {json.dumps(not deny)}' in text) is False
        assert text.count(f'"failure_mode_deny": {json.dumps(deny)}') == 3  # ip, others, budget


@pytest.mark.parametrize(
    ("store", "condition"),
    [
        ({"redis": "redis://127.0.0.1:6379"}, "rate_limit_store.service"),
        ({**_STORE, "redis": "redis://127.0.0.1:6379/2"}, "database 0"),
    ],
)
def test_what_the_service_cannot_do_is_refused_and_not_half_rendered(store: dict[str, Any], condition: str) -> None:
    built = _gateway(store)
    for feature in ("limits.cluster", "budget.cluster"):
        from gwc.features import FEATURES

        promises = [TABLES["default"].of(feature, built, use) for use in FEATURES[feature].uses(built)]
        assert promises
        assert all(p.fidelity is Fidelity.UNSUPPORTED and condition in p.note for p in promises)
    assert not any(name.startswith("ratelimit/") for name in emit(built, "default").files)
    assert 'ratelimit.v3.RateLimit"' not in json.dumps(bootstrap(built)).replace("local_ratelimit", "")


def _start(store: dict[str, Any], folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """The environment that the start script gives to the service."""
    for name, output in _files(store).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(output.text)
        path.chmod(0o755 if output.executable else 0o644)
    clean = {"PATH": os.environ["PATH"], **environ}
    return subprocess.run([folder / START, "env"], capture_output=True, text=True, env=clean, check=False, cwd="/")


def test_the_service_starts_with_its_settings(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    done = _start({**_STORE, "redis": "rediss://redis.internal:6380"}, folder)
    settings = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert (settings["REDIS_URL"], settings["REDIS_TLS"]) == ("redis.internal:6380", "true")
    assert (settings["GRPC_HOST"], settings["GRPC_PORT"]) == ("127.0.0.1", "8081")
    assert settings["RUNTIME_ROOT"] == str(folder / "ratelimit")
    assert "REDIS_AUTH" not in settings


def test_the_password_comes_from_where_the_policy_says(tmp_path: Path) -> None:
    password = "p:a ss$w'0\"rd"
    (tmp_path / "it.is@here").write_text(password + "\n")
    for secret, environ in (({"env": "PASS"}, {"PASS": password}), ({"file": str(tmp_path / "it.is@here")}, {})):
        store = {**_STORE, "password": {"secret": secret}}
        assert not any(password in output.text for output in _files(store).values())
        assert f"REDIS_AUTH=default:{password}\n" in _start(store, tmp_path, **environ).stdout


def test_a_password_that_is_missing_stops_the_service(tmp_path: Path) -> None:
    done = _start({**_STORE, "password": {"secret": {"env": "PASS"}}}, tmp_path)
    assert done.returncode != 0
    assert "PASS" in done.stderr
    assert "REDIS_URL" not in done.stdout
    assert ENVIRONMENT in _files()
