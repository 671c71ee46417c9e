"""The settings of routes as text: both sides have one order of fields."""

from __future__ import annotations

import re
from pathlib import Path

import gwc_nginx
from gwc_nginx.fields import LINES, OWN, SHARED, read, written

READER = Path(gwc_nginx.__file__).parent / "njs/settings.js"
GROUPS = {"auth": "auth.", "cors": "cors.", "cache": "cache.", "admission": "", "trying": ""}


def found_by_the_reader(*functions: str) -> dict[int, str]:
    """The names that settings.js gives to fields."""
    bodies = dict(re.findall(r"function (\w+)\(f\) \{(.*?)^\}", READER.read_text(encoding="utf-8"), re.S | re.M))
    pairs = [
        (int(index), f"{GROUPS[function]}{name}")
        for function in functions
        for name, index in re.findall(r"(\w+): (?:f\[\d+\] \? )?(?:Number\()?f\[(\d+)\](?! \?)", bodies[function])
    ]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_the_reader_has_the_writer_s_order() -> None:
    wanted = {index: name.removeprefix("response.") for index, name in enumerate(LINES["admission"])}
    assert found_by_the_reader("admission", "auth", "cors", "cache") == wanted
    assert found_by_the_reader("trying") == dict(enumerate(LINES["tries"]))


def test_nothing_stands_for_null_false_and_an_empty_list() -> None:
    told = {
        "strip": 0,
        "tries": False,
        "timeout": None,
        "firstByte": 5,
        "auth.scopes": [],
        "response.remove": ["A", "b"],
    }
    assert written(SHARED, told) == "0\t\t\t5\t\t\tA b"
    assert written(OWN, {"place": "a/b"}) == "a/b" + "\t" * 7


def test_what_is_written_is_read() -> None:
    shared = written(SHARED, {"strip": 3, "cache.user": True})
    text = written(OWN, {"place": "a/b", "cost": 0}) + "\t" + shared + "\nc/d\t2"
    assert read(text) == {
        "admission": {"place": "a/b", "cost": "0", "strip": "3", "cache.user": "1"},
        "tries": {"lane": "c/d", "attempts": "2"},
    }
