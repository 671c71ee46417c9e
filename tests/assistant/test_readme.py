"""The README: its commands run, its lines are counted, its code is Python, its settings and types are the code's."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from assistant.running import SECRET, Process
from gwc_assistant import problems
from gwc_assistant.settings import Settings
from ports import free_port

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "services/assistant/README.md").read_text(encoding="utf-8")


def inside() -> dict[str, int]:
    """Lines of code by concern, blank ones left out."""
    sections = re.findall(r"^### ([^\n]+)\n```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    for _, code in sections:
        ast.parse(code)
    return {name.lower(): sum(bool(line.strip()) for line in code.splitlines()) for name, code in sections}


@dataclass(frozen=True)
class Place:
    """Where a concern is in the policies, as the README has it: keys and names of routes, in lines of a file."""

    file: str
    keys: str
    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1


_PLACE = re.compile(r"`([\w.]+)` (\w+\.yaml):(\d+)(?:-(\d+))?")


def there() -> dict[str, list[Place]]:
    """By concern."""
    return {
        row[0].lower(): [Place(file, keys, int(first), int(last or first)) for keys, file, first, last in named]
        for row in table()
        if (named := _PLACE.findall(row[2]))
    }


def place_of(file: str, keys: str) -> Place:
    """Where it really is."""
    text = (REPOSITORY / "policies" / file).read_text(encoding="utf-8")
    node = yaml.compose(text)
    for key in keys.split("."):
        if isinstance(node, yaml.SequenceNode):
            (node,) = (item for item in node.value if any(value.value == key for _, value in item.value))
        else:
            ((name, node),) = ((name, value) for name, value in node.value if name.value == key)
    lines = text[name.start_mark.index : node.end_mark.index].splitlines()
    said = max(number for number, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#"))
    return Place(file, keys, name.start_mark.line + 1, name.start_mark.line + 1 + said)


def table() -> list[list[str]]:
    return rows(README.partition("<!-- table -->")[2])


def rows(text: str) -> list[list[str]]:
    """Of the first table, without its head."""
    lines = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)[0].splitlines()  # type: ignore[index]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def told(column: int) -> dict[str, int]:
    return {row[0].lower(): int(row[column]) for row in table()}


def with_all(counted: Mapping[str, int]) -> dict[str, int]:
    return {**counted, "all": sum(counted.values())}


def test_the_lines_are_counted() -> None:
    assert told(1) == with_all(inside())
    assert told(3) == with_all({concern: sum(place.count for place in places) for concern, places in there().items()})


def test_each_concern_lives_where_it_is_said_to() -> None:
    named = [place for places in there().values() for place in places]
    assert named == [place_of(place.file, place.keys) for place in named]
    assert there().keys() == inside().keys()


def test_settings_that_it_names_exist() -> None:
    named = set(re.findall(r"`([A-Z][A-Z_]+[A-Z])`", README))
    fields = {field.upper() for field in Settings.model_fields}
    other = {"SIGTERM", "SIGHUP", "GWC_ASSISTANT_CONFIG"}
    assert {name.removeprefix("GWC_ASSISTANT_") for name in named - other} <= fields
    assert {"GATEWAY_SECRET", "DRAIN_DELAY", "LLM_URL"} <= named


def test_each_setting_is_explained_once_and_a_default_that_it_gives_is_the_codes() -> None:
    listed = [(re.findall(r"`(\w+)`", row[0]), row[1]) for row in rows(README.partition("\n## Settings\n")[2])]
    names = [name for several, _ in listed for name in several]
    assert len(names) == len(set(names))
    given = {
        name.lower(): default
        for several, text in listed
        if re.fullmatch(r"`.+`|[\d., ]+", text)
        for name, default in zip(several, text.replace("`", "").split(", "), strict=True)
    }
    assert Settings.model_validate({"gateway_secret": SECRET, **given}) == Settings(gateway_secret=SECRET)
    assert len(given) >= 8


@contextmanager
def started(command: str, environment: Mapping[str, str], directory: Path) -> Iterator[Process]:
    """In a group of its own, which a shell and what it started leave together."""
    shell = ["bash", "-c", command]
    group = subprocess.Popen(shell, cwd=directory, env=environment, start_new_session=True, text=True)
    try:
        yield Process(int(environment["GWC_ASSISTANT_PORT"]), group)
    finally:
        os.killpg(group.pid, signal.SIGKILL)
        group.wait(timeout=20)


def test_its_first_commands_start_the_service_and_ask_it(settings: Settings, tmp_path: Path) -> None:
    """All but the installation, which whoever runs this has behind him."""
    if shutil.which("curl") is None:
        pytest.skip("no curl is installed")
    _, start, ask = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert start.startswith("pip install '.[assistant]' ")
    told = {"GWC_ASSISTANT_PORT": str(free_port()), "GWC_ASSISTANT_DATA_DIR": str(settings.data_dir)}
    told["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with started(start.partition("\n")[2], os.environ | told, tmp_path) as service:
        service.until_ready()
        command = ["bash", "-c", ask.replace("http://127.0.0.1:8000", service.url)]
        answer = subprocess.check_output(command, cwd=tmp_path, timeout=60)
    assert json.loads(answer)["citations"][0]["reference"] == "John 3:16"


def test_every_type_is_in_it() -> None:
    kinds = [kind for kind in vars(problems).values() if isinstance(kind, problems.Kind)]
    assert [kind.type for kind in kinds if f"`{kind.type}`" not in README and kind.status != 400] == []
