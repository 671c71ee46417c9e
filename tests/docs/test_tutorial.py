"""The tutorial, taken from its page and done: on a fresh environment, with a real Envoy, in at most ten steps."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from docs.blocks import REPOSITORY, Block, blocks
from docs.session import Step, session, steps
from ports import free_port

PAGE = "docs/tutorial.md"
MOST_STEPS = 10


def tutorial() -> list[Step]:
    every: list[Block] = blocks("console", "yaml")
    return list(steps([block for block in every if block.file == PAGE]))


def test_the_tutorial_takes_ten_steps_at_most() -> None:
    found = tutorial()
    assert len(found) <= MOST_STEPS
    assert all(step.block.note.startswith("session") for step in found)


@pytest.mark.slow
@pytest.mark.live
def test_a_new_user_gets_there(tmp_path: Path) -> None:
    """On this machine's index and ports, and otherwise as the page says."""
    client, service, admin = (str(free_port()) for _ in range(3))
    foreign = ("GWC_", "VIRTUAL_ENV", "PYTHON")
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
        "PATH": os.pathsep.join((str(Path(sys.executable).resolve().parent), "/usr/bin", "/bin")),
        "GWC": str(REPOSITORY),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "COLUMNS": "100",
    }
    changes = {"8080": client, "8000": service, "-t envoy": f"-t envoy --port {client} --admin-port {admin}"}
    with session(tmp_path, environ, changes) as reader:
        for step in tutorial():
            reader.take(step)
        reader.prepare("gwc docs && gwc schema >schema.json && gwc compile")  # what is in the package beside its code
