"""The README's side by side: its figures are counted, its code is Python, its settings and types exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from gwc_assistant import problems
from gwc_assistant.settings import Settings

README = (Path(__file__).parents[2] / "services/assistant/README.md").read_text(encoding="utf-8")


def inside() -> dict[str, int]:
    """Lines of code by concern, blank ones left out."""
    sections = re.findall(r"^### ([^\n]+)\n```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    for _, code in sections:
        ast.parse(code)
    return {name.lower(): sum(bool(line.strip()) for line in code.splitlines()) for name, code in sections}


def told() -> dict[str, int]:
    table = README.partition("<!-- table -->")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.strip().splitlines()[2:]]
    return {row[0].lower(): int(row[1]) for row in rows}


def test_the_lines_are_counted() -> None:
    counted = inside()
    assert told() == counted | {"all": sum(counted.values())}


def test_settings_that_it_names_exist() -> None:
    named = set(re.findall(r"`([A-Z][A-Z_]+[A-Z])`", README))
    fields = {field.upper() for field in Settings.model_fields}
    assert {name.removeprefix("GWC_ASSISTANT_") for name in named if name != "SIGTERM"} <= fields | {"BASE_PATH"}
    assert {"GATEWAY_SECRET", "DRAIN_DELAY", "LLM_URL"} <= named


def test_every_type_is_in_it() -> None:
    kinds = [kind for kind in vars(problems).values() if isinstance(kind, problems.Kind)]
    assert [kind.type for kind in kinds if f"`{kind.type}`" not in README and kind.status != 400] == []
