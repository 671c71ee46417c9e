"""One snapshot a file, with the ending of what it holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode


class _Text(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT


class _Json(_Text):
    file_extension = "json"


class _Conf(_Text):
    file_extension = "conf"


class _Yaml(_Text):
    file_extension = "yml"


class _Rules(_Text):
    file_extension = "yaml"


class _Env(_Text):
    file_extension = "env"


class _Lua(_Text):
    file_extension = "lua"


_EXTENSIONS = {one.file_extension: one for one in (_Json, _Conf, _Yaml, _Rules, _Env, _Lua)}


@pytest.fixture
def golden(snapshot: SnapshotAssertion) -> Callable[[str], SnapshotAssertion]:
    """The snapshot of the file at a path of the output."""

    def of(path: str) -> SnapshotAssertion:
        stem, _, ending = path.replace("/", "_").rpartition(".")
        return snapshot.use_extension(_EXTENSIONS[ending])(name=stem)

    return of
