"""The examples of the repository with the targets that are really installed, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "gwc", "compile", "--now", "2026-11-23"]


def _compile(output: Path, seed: int, *options: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONHASHSEED": str(seed)}
    command = [*COMMAND, "--policies", "policies", "-o", str(output), *options]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def _tree(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_no_order_of_hashes_reaches_the_output(tmp_path: Path) -> None:
    for seed in (1, 2):
        done = _compile(tmp_path / str(seed), seed)
        assert done.returncode == 0, done.stderr
    assert _tree(tmp_path / "1") == _tree(tmp_path / "2")
    assert {"envoy/envoy.json", "nginx/nginx.conf", "kong/kong.yml", "kong/kong.env"} <= _tree(tmp_path / "1").keys()


def test_the_examples_have_a_production_of_their_own(tmp_path: Path) -> None:
    for name, options in (("here", ()), ("prod", ("--env", "prod"))):
        assert _compile(tmp_path / name, 0, *options).returncode == 0
    assert json.loads((tmp_path / "prod/manifest.json").read_text())["environment"] == "prod"
    assert _tree(tmp_path / "prod")["envoy/envoy.json"] != _tree(tmp_path / "here")["envoy/envoy.json"]


def test_nothing_of_this_machine_is_in_the_output(tmp_path: Path) -> None:
    assert _compile(tmp_path, 0).returncode == 0
    for path, data in _tree(tmp_path).items():
        assert str(ROOT).encode() not in data, path
        assert str(tmp_path).encode() not in data, path
