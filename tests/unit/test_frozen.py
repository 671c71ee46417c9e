"""What gwc.frozen makes is what the standard library would have made, class by class and option by option."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import importlib.util
import operator
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import gwc
from gwc import frozen

FOLDER = Path(gwc.__file__).parent
MODULES = sorted(
    str(path.relative_to(FOLDER.parent).with_suffix("")).replace("/", ".").removesuffix(".__init__")
    for path in FOLDER.rglob("*.py")
    if "from gwc.frozen import dataclass" in path.read_text(encoding="utf-8")
)
OPTIONS = ("frozen", "slots", "kw_only", "eq", "repr")


def classes(module: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and dataclasses.is_dataclass(value)
    }


def pairs(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """The classes of a module, and those of the same text where `dataclass` is the standard library's."""
    ours = importlib.import_module(name)
    monkeypatch.setattr(frozen, "dataclass", dataclasses.dataclass)
    monkeypatch.setattr(frozen, "field", dataclasses.field)
    spec = importlib.util.spec_from_file_location(name, str(ours.__file__))
    assert spec is not None and spec.loader is not None
    theirs = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, theirs)
    spec.loader.exec_module(theirs)
    monkeypatch.undo()
    found = classes(ours)
    assert found.keys() == classes(theirs).keys()
    yield from ((cls, vars(theirs)[each]) for each, cls in found.items())


def result(call: Callable[[], Any]) -> Any:
    """What it gives, or the kind of its refusal."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001  whatever it is, the two have to agree
        return type(error).__name__


def settings(cls: Any) -> list[tuple[Any, ...]]:
    return [
        (f.name, f.type, f.init, f.repr, f.compare, f.kw_only, f.default, f.default_factory is dataclasses.MISSING)
        for f in dataclasses.fields(cls)
    ]


def samples(cls: Any) -> list[dict[str, Any]]:
    """Of every field, two values each. Some classes make something of theirs, so these are tuples."""
    names = [f.name for f in dataclasses.fields(cls) if f.init]
    first = {name: (index,) for index, name in enumerate(names)}
    return [first, *({**first, name: (99,)} for name in names)]


def state(one: Any) -> dict[str, Any]:
    return {f.name: getattr(one, f.name, "none") for f in dataclasses.fields(one)}


def behaviour(cls: Any) -> Iterator[Any]:
    """All that can be seen of a class, without the class itself."""
    made = [cls(**values) for values in samples(cls) if not isinstance(result(lambda v=values: cls(**v)), str)]
    yield [state(one) for one in made]
    yield [re.sub(" at 0x[0-9a-f]+", "", repr(one)) for one in made]
    yield cls.__hash__ is None, len({result(lambda one=one: hash(one)) for one in made})
    yield [(state(one) == state(other), one == other) for one, other in product(made, made)]
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        yield [result(partial(compare, a, b)) for a, b in product(made[:3], made[:3])]
    for one in made[:1]:
        yield [result(partial(setattr, one, name, 1)) for name in state(one)]
        yield [result(partial(delattr, one, name)) for name in state(one)]
        yield result(partial(setattr, one, "strange", 1)) is None  # of slots, the standard library's own is confused
    yield [state(dataclasses.replace(one)) for one in made[1:]]
    yield [state(copy.copy(one)) for one in made]
    yield cls.__match_args__


def calls(cls: Any) -> Iterator[Any]:
    """Right and wrong ways to make one."""
    values = samples(cls)[0]
    names, some = list(values), list(values.values())
    for count in range(len(some) + 2):
        given = [*some, "more"][:count]
        yield result(lambda given=given: state(cls(*given)))
        rest = {name: values[name] for name in names[count:]}
        yield result(lambda given=given, rest=rest: state(cls(*given, **rest)))
        yield result(lambda given=given: state(cls(*given, **values)))
    yield result(lambda: cls(**values, strange=1))
    for name in names:
        yield result(lambda name=name: state(cls(**{n: value for n, value in values.items() if n != name})))


@pytest.mark.parametrize("name", MODULES)
def test_each_class_is_what_the_standard_library_makes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for ours, theirs in pairs(name, monkeypatch):
        assert settings(ours) == settings(theirs)
        assert ours.__dataclass_params__.frozen == theirs.__dataclass_params__.frozen
        assert getattr(ours, "__slots__", None) == getattr(theirs, "__slots__", None)
        assert ours.__qualname__ == theirs.__qualname__
        assert list(calls(ours)) == list(calls(theirs))
        for mine, real in zip(behaviour(ours), behaviour(theirs), strict=True):
            assert mine == real


def defined(dataclass: Any, field: Any, options: dict[str, bool]) -> tuple[Any, Any]:
    """A class with every sort of field, and one that inherits from it."""

    @dataclass(**options)
    class Base:
        one: int
        unseen: int = field(repr=False, compare=False)
        two: object = (2,)
        listed: list[int] = field(default_factory=list)
        late: tuple[int, ...] = field(init=False, default=(7,), compare=False)

    @dataclass(**options)
    class Below(Base):
        three: str = "three"

        def __repr__(self) -> str:
            return "its own"

    return Base, Below


@pytest.mark.parametrize("values", list(product((False, True), repeat=len(OPTIONS))))
def test_options_mean_what_they_mean(values: tuple[bool, ...]) -> None:
    options = dict(zip(OPTIONS, values, strict=True))
    for order in (False, True) if options["eq"] else (False,):
        asked = {**options, "order": order}
        ours, theirs = (
            defined(frozen.dataclass, frozen.field, asked),
            defined(dataclasses.dataclass, dataclasses.field, asked),
        )
        for mine, real in zip(ours, theirs, strict=True):
            assert settings(mine) == settings(real)
            assert list(calls(mine)) == list(calls(real))
            assert list(behaviour(mine)) == list(behaviour(real))
            assert mine(one=1, unseen=2).listed is not mine(one=1, unseen=2).listed


@frozen.dataclass(frozen=True, slots=True)
class Kept:
    text: str
    number: int = 3


def test_a_frozen_class_with_slots_is_pickled() -> None:
    assert pickle.loads(pickle.dumps(Kept("a", 4))) == Kept("a", 4)
    assert copy.deepcopy(Kept("a")) == Kept("a")


def test_fields_of_a_real_dataclass_are_not_lost() -> None:
    @dataclasses.dataclass
    class Real:
        one: int

    with pytest.raises(TypeError, match="a dataclass of the standard library's"):
        frozen.dataclass(type("Below", (Real,), {}))


def test_a_real_dataclass_may_inherit_from_ours() -> None:
    @dataclasses.dataclass(frozen=True)
    class Below(frozen.dataclass(frozen=True)(type("Base", (), {"__annotations__": {"one": "int"}}))):  # type: ignore[misc]
        two: int

    assert [f.name for f in dataclasses.fields(Below)] == ["one", "two"]
    assert Below(1, 2) == Below(one=1, two=2)


def test_linting_compiles_no_class() -> None:
    """The counter that the module exists for."""
    code = "import sys; import gwc.cli.linting; sys.exit('dataclasses' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
