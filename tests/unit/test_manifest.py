"""The manifest's text is what json prints, and its paths stay where they belong."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwc.manifest import SECRETS, Manifest, is_inside, is_secret

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=4), _VALUES, max_size=4))
def test_its_text_is_what_json_prints(content: dict[str, Any]) -> None:
    assert Manifest(content).text == json.dumps(content, indent=2, sort_keys=True) + "\n"


@given(st.lists(st.sampled_from(["", ".", "..", "a", "b.c", SECRETS, "\0", "..."]), max_size=4).map("/".join))
def test_a_path_stays_inside(path: str) -> None:
    parts = PurePosixPath(path).parts
    inside = bool(parts) and not {"/", "//", ".."} & {*parts} and parts[0] != SECRETS and "\0" not in path
    assert is_inside(path) == inside


@pytest.mark.parametrize(("path", "secret"), [("secrets/a", True), ("secrets/../a", False), ("secrets", False)])
def test_a_secret_lies_below_its_directory(path: str, secret: bool) -> None:
    assert is_secret(path) is secret
