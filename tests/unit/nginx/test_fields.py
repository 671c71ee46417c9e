"""The text of what tries: both sides have one order of fields."""

from __future__ import annotations

import re
from pathlib import Path

import gwc_nginx
from gwc_nginx.fields import FIELDS, read, written

READER = Path(gwc_nginx.__file__).parent / "njs/settings.js"


def test_the_reader_has_the_writer_s_order() -> None:
    named = re.findall(r"(\w+): (?:f\[\d+\] \? )?(?:Number\()?f\[(\d+)\](?! \?)", READER.read_text(encoding="utf-8"))
    assert [(name, int(index)) for name, index in named] == [(name, index) for index, name in enumerate(FIELDS)]


def test_what_is_written_is_read() -> None:
    told = dict.fromkeys(FIELDS[1:], None) | {"attempts": 0, "connect": True, "reset": False, "statuses": [502, 503]}
    assert written(told) == "0\t1\t\t\t502 503"
    assert read("a/b\t" + written(told)) == {"lane": "a/b", "attempts": "0", "connect": "1", "statuses": "502 503"}
