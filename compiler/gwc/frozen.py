"""`dataclass` and `field`, for the classes that `gwc lint` of one file needs: the same to whoever uses them, without
the code that the standard library writes and compiles for each class in each process, a third of such a run.

Type checkers see the standard library's own. So do `dataclasses.fields`, `replace` and `is_dataclass`, for which the
real description is made when somebody asks. tests/unit/test_frozen.py holds each class against its real twin.
"""

from __future__ import annotations

import operator

TYPE_CHECKING = False
if TYPE_CHECKING:  # without typing and dataclasses, which are dearer than all classes together
    from collections.abc import Callable, Mapping
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from typing import Any
else:

    def dataclass(cls=None, /, **options):
        """The decorator, with or without options: `frozen`, `slots`, `kw_only`, `eq`, `order` and `repr`."""
        return _made(cls, options) if cls is not None else lambda found: _made(found, options)

    def field(**how):
        return _Field(how)


def field_names(kind: type) -> tuple[str, ...]:
    """Of a class that is a dataclass, here or elsewhere, in their order; none of another one."""
    known: Mapping[str, object] = getattr(kind, _OWN, None) or getattr(kind, _FIELDS, {})
    return tuple(known)


_REQUIRED: Any = object()
_FIELDS, _PARAMS, _OWN = "__dataclass_fields__", "__dataclass_params__", "__frozen_fields__"
_OPTIONS = {"frozen": False, "slots": False, "kw_only": False, "eq": True, "order": False, "repr": True}
_ORDER = (operator.lt, operator.le, operator.gt, operator.ge)
_put = object.__setattr__


class _Field:
    """What the standard library's `field` was, or would have been, asked for; and what follows."""

    __slots__ = ("compare", "default", "factory", "how", "init", "kw_only", "name", "repr", "type")
    name: str
    type: str
    kw_only: bool

    def __init__(self, how: Mapping[str, Any]) -> None:
        self.how = how
        self.default, self.factory = how.get("default", _REQUIRED), how.get("default_factory")
        self.init, self.repr, self.compare = (how.get(name, True) for name in ("init", "repr", "compare"))

    @property
    def optional(self) -> bool:
        return self.default is not _REQUIRED or self.factory is not None

    def otherwise(self) -> Any:
        """The value where none is given."""
        return self.default if self.factory is None else self.factory()


def _made(cls: Any, options: dict[str, bool]) -> Any:
    asked = {**_OPTIONS, **options}
    own = _own_fields(cls, asked["kw_only"])
    known = {name: one for base in reversed(cls.__mro__[1:]) for name, one in _known(base).items()} | own
    space = _methods(cls, known, asked)
    for name, one in own.items():
        if one.default is not _REQUIRED and not asked["slots"]:
            space[name] = one.default
        elif name in vars(cls) and not asked["slots"]:
            delattr(cls, name)  # a factory, which is no default of the class
    if asked["slots"]:
        return _with_slots(cls, own, space)
    for name, value in space.items():
        setattr(cls, name, value)
    return cls


def _known(base: type) -> Mapping[str, _Field]:
    if _FIELDS in vars(base) and _OWN not in vars(base):
        raise TypeError(f"{base.__qualname__} is a dataclass of the standard library's")
    found: Mapping[str, _Field] = vars(base).get(_OWN, {})
    return found


def _own_fields(cls: Any, kw_only: bool) -> dict[str, _Field]:
    found = {}
    for name, annotation in vars(cls).get("__annotations__", {}).items():
        if annotation.startswith("ClassVar"):
            continue
        said = vars(cls).get(name, _REQUIRED)
        one = said if type(said) is _Field else _Field({} if said is _REQUIRED else {"default": said})
        one.name, one.type, one.kw_only = name, annotation, kw_only
        found[name] = one
    return found


def _with_slots(cls: Any, own: Mapping[str, _Field], space: Mapping[str, Any]) -> Any:
    """The class anew: slots are laid out when a class is made."""
    kept = {name: value for name, value in vars(cls).items() if name not in (*own, "__dict__", "__weakref__")}
    made = type(cls)(cls.__name__, cls.__bases__, {**kept, **space, "__slots__": tuple(own)})
    made.__qualname__ = cls.__qualname__
    return made


def _methods(cls: Any, known: Mapping[str, _Field], asked: Mapping[str, bool]) -> dict[str, Any]:
    """What the class does not define itself."""
    names = [one.name for one in known.values() if one.compare]
    compared = operator.attrgetter(*names) if names else lambda _: ()
    positional = tuple(one.name for one in known.values() if one.init and not one.kw_only)
    made = {"__init__": _init(known, positional, vars(cls).get("__post_init__")), "__match_args__": positional}
    made |= {"__repr__": _shown} if asked["repr"] else {}
    made |= {"__eq__": _by(operator.eq, compared), "__hash__": None} if asked["eq"] else {}
    if asked["eq"] and asked["frozen"]:
        made["__hash__"] = lambda self: hash(compared(self))
    own = {name for name, value in vars(cls).items() if value is not None}  # to define __eq__ makes __hash__ None
    made = {name: value for name, value in made.items() if name not in own}
    made |= {f"__{one.__name__}__": _by(one, compared) for one in _ORDER} if asked["order"] else {}
    made |= {"__setattr__": _no_change, "__delattr__": _no_removal} if asked["frozen"] else {}
    made |= {"__getstate__": _state, "__setstate__": _restore} if asked["frozen"] and asked["slots"] else {}
    return {**made, _OWN: known, _FIELDS: _Described(_FIELDS, asked), _PARAMS: _Described(_PARAMS, asked)}


def _init(known: Mapping[str, _Field], positional: tuple[str, ...], after: Any) -> Callable[..., None]:
    taken = {one.name: None for one in known.values() if one.init}
    late = [one for one in known.values() if not one.init and one.optional]
    count, whole = len(taken), len(positional) if len(positional) == len(taken) else -1

    def init(self: Any, *args: Any, **given: Any) -> None:
        if len(args) == whole and not given:
            for name, value in zip(positional, args):  # noqa: B905  as many as there are
                _put(self, name, value)
        else:
            if args or len(given) != count:
                given = _bound(type(self).__qualname__, known, positional, args, given)
            try:
                for name in taken:
                    _put(self, name, given[name])
            except KeyError:  # as many as there are, and not the same
                _bound(type(self).__qualname__, known, positional, args, given)
                raise
        for one in late:
            _put(self, one.name, one.otherwise())
        if after is not None:
            after(self)

    return init


def _bound(
    title: str, known: Mapping[str, _Field], positional: tuple[str, ...], args: tuple[Any, ...], given: dict[str, Any]
) -> dict[str, Any]:
    """All values by name. Raises TypeError, as a call of a function does."""
    if len(args) > len(positional):
        raise TypeError(f"{title}() takes {len(positional)} positional arguments, and {len(args)} are given")
    named = dict(zip(positional, args))  # noqa: B905  of the first arguments
    if twice := named.keys() & given.keys():
        raise TypeError(f"{title}() got multiple values for argument {min(twice)!r}")
    if strange := given.keys() - {one.name for one in known.values() if one.init}:
        raise TypeError(f"{title}() got an unexpected keyword argument {min(strange)!r}")
    named |= given
    if missing := [one.name for one in known.values() if one.init and not one.optional and one.name not in named]:
        raise TypeError(f"{title}() is missing arguments: {', '.join(missing)}")
    return {name: named[name] if name in named else one.otherwise() for name, one in known.items() if one.init}


def _by(compare: Callable[[Any, Any], Any], compared: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Two of one class, by their fields in order."""
    return lambda self, other: (
        compare(compared(self), compared(other)) if other.__class__ is self.__class__ else NotImplemented
    )


def _shown(self: Any) -> str:
    shown = (f"{one.name}={getattr(self, one.name)!r}" for one in getattr(self, _OWN).values() if one.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _no_change(_: object, name: str, __: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _no_removal(_: object, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in getattr(self, _OWN)]


def _restore(self: Any, state: list[Any]) -> None:
    for name, value in zip(getattr(self, _OWN), state, strict=True):
        _put(self, name, value)


class _Described:
    """What the standard library's functions look for at a class, made when they do."""

    __slots__ = ("_asked", "_name")

    def __init__(self, name: str, asked: Mapping[str, bool]) -> None:
        self._name, self._asked = name, asked

    def __get__(self, _: object, cls: type) -> Any:
        import dataclasses

        own = next(base for base in cls.__mro__ if vars(base).get(self._name) is self)
        known: Mapping[str, _Field] = getattr(own, _OWN)
        described = [
            (one.name, one.type, dataclasses.field(**{"kw_only": one.kw_only, **one.how})) for one in known.values()
        ]
        # Without methods, which would have to be written: they are the class's own.
        twin = dataclasses.make_dataclass(
            own.__name__,
            described,
            init=False,
            repr=False,
            eq=False,
            match_args=False,
            frozen=self._asked["frozen"],
        )
        found = getattr(twin, self._name)
        type.__setattr__(own, self._name, found)
        return found
