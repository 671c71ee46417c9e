"""The demo is the first thing that anybody runs: it has to work, and the README quotes it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.blocks import REPOSITORY, blocks
from gwc.discovery import load_targets
from gwc.target import EngineMissingError

_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")


@pytest.mark.live
def test_the_demo_succeeds_and_prints_what_the_readme_quotes() -> None:
    envoy = load_targets(["envoy"])[0].target
    try:
        envoy.engine.find("default")
    except EngineMissingError as missing:
        pytest.skip(str(missing))
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run(
        [sys.executable, "scripts/demo.py"], cwd=REPOSITORY, env=environ, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stdout + run.stderr
    printed = _ID.sub("<id>", run.stdout)
    quotes = [block for block in blocks("text") if block.note == "excerpt: scripts/demo"]
    assert quotes
    assert [str(quote) for quote in quotes if _ID.sub("<id>", quote.text) not in printed] == []
