"""Reads settings: `GWC_ASSISTANT_<NAME>`, `GWC_ASSISTANT_<NAME>_FILE` with a path to the value, and one file for many.

`GWC_ASSISTANT_CONFIG` names that file: YAML, a mapping of names in lower case. It is what may change while the service
runs, together with the files of single values.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import yaml
from pydantic import ValidationError

from gwc_assistant.settings import RELOADABLE, Settings

PREFIX = "GWC_ASSISTANT_"
CONFIG = f"{PREFIX}CONFIG"


class SettingsError(Exception):
    """Settings that the service cannot run with. The message names places and settings, and never a value."""


@dataclass(frozen=True, slots=True)
class _Given:
    """`where` is a variable, or a line of the file, for whoever has to mend it."""

    where: str
    field: str
    value: object


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises SettingsError. An unknown name is an error: mostly it is one that was misspelt."""
    given: dict[str, _Given] = {}
    for one in (*_variables(environment), *_lines(environment.get(CONFIG))):
        if (other := given.get(one.field)) is not None:
            raise SettingsError(f"{one.where}: {one.field} is given twice: also by {other.where}")
        given[one.field] = one
    try:
        return Settings.model_validate({field: one.value for field, one in given.items()})
    except ValidationError as error:
        raise SettingsError("; ".join(_told(e["loc"], e["msg"], given) for e in error.errors())) from None


def reloaded(now: Settings, environment: Mapping[str, str] = os.environ) -> Settings:
    """What is set by now. Raises SettingsError, also for a change of what only a new process can change."""
    new = read(environment)
    fixed = [name for name in type(new).model_fields if getattr(now, name) != getattr(new, name)]
    if fixed := [name for name in fixed if name not in RELOADABLE]:
        raise SettingsError(f"{', '.join(fixed)}: only a new process can change this")
    return new


def _variables(environment: Mapping[str, str]) -> Iterator[_Given]:
    for name, value in environment.items():
        if name.startswith(PREFIX) and name != CONFIG:
            yield _from_file(_Given(name, name.removeprefix(PREFIX).lower(), value))


def _lines(path: str | None) -> Iterator[_Given]:
    """The entries of the file, each with its place."""
    if path is None:
        return
    for key, value in _mapping(Path(path)):
        where = f"{path}:{key.start_mark.line + 1}:{key.start_mark.column + 1}"
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            raise SettingsError(f"{where}: a setting is a name with one value")
        yield _from_file(_Given(where, key.value, _value(path, value)))


def _mapping(path: Path) -> list[tuple[yaml.Node, yaml.Node]]:
    try:
        document = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _no_yaml(str(path), error) from None
    if document is None:
        return []
    if not isinstance(document, yaml.MappingNode):
        raise SettingsError(f"{path}:1:1: settings are a mapping of names to values")
    return list(document.value)


def _value(path: str, node: yaml.Node) -> object:
    try:
        return yaml.SafeLoader("").construct_object(node)
    except yaml.YAMLError as error:
        raise _no_yaml(path, error) from None


def _no_yaml(path: str, error: Exception) -> SettingsError:
    mark = getattr(error, "problem_mark", None)
    where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
    return SettingsError(f"{where}: {getattr(error, 'problem', None) or 'is no YAML'}")


def _from_file(one: _Given) -> _Given:
    """`..._file` names a file with the value."""
    if not one.field.endswith("_file"):
        return one
    try:
        value = Path(str(one.value)).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{one.where}: {error.strerror or 'cannot be read'}") from None
    return _Given(one.where, one.field.removesuffix("_file"), value)


def _told(where: tuple[int | str, ...], message: str, given: Mapping[str, _Given]) -> str:
    name = "_".join(str(part) for part in where)
    if not name:
        return message
    if name not in Settings.model_fields and (near := get_close_matches(name, Settings.model_fields, 1)):
        message = f"no such setting; did you mean {near[0]}?"
    place = given[name].where if name in given else f"{PREFIX}{name.upper()}"
    return f"{place}: {message}" if place.startswith(PREFIX) else f"{place}: {name}: {message}"
