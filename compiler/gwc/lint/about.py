"""What a rule is about, read from its code: in another environment it is asked again only where that has changed.

Every name that a rule's functions mention counts, and every name in whatever they call; so it is about too much rather
than too little. tests/lint/test_about.py holds each rule to it, with a Gateway of which nothing else is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import _lru_cache_wrapper, cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

from gwc.frozen import field_names
from gwc.lint.rule import GatewayRule, Rule

_OWN = "gwc."
_KNOWN = ("gwc.ir", "gwc.origin", "gwc.diagnostics", "gwc.lint.rule", "gwc.lint.context", "gwc.units")
"""Types of the Gateway and of findings: what they do concerns themselves alone."""

WORTH = 20
"""Services. To ask a rule about fewer than these takes less than to read its code."""


def may_differ(services: int, changed: frozenset[str] | None, ask: type[Rule] | Callable[..., object]) -> bool:
    """Whether what was asked of the policies as they are has to be asked again where these names have `changed`."""
    if changed is None or services < WORTH:
        return True
    return not changed.isdisjoint(names(ask) if isinstance(ask, type) else mentioned_by(ask))


@cache
def names(rule: type[Rule]) -> frozenset[str]:
    """All names in the rule's own functions, and in those of gwc's that they lead to."""
    return mentioned_by(*_functions(rule))


@cache
def mentioned_by(*functions: FunctionType) -> frozenset[str]:
    """All names in these functions, and in those of gwc's that they lead to."""
    found: set[str] = set()
    pending, seen = list(functions), set()
    while pending:
        function = pending.pop()
        if function in seen:
            continue
        seen.add(function)
        mentioned = set(_mentioned(function.__code__))
        found |= mentioned
        pending += (one for name in mentioned for one in _leading(function.__globals__.get(name)))
        # Of what a function encloses, only functions: the rest is data, and may be a whole Gateway that it remembers.
        enclosed = (cell.cell_contents for cell in function.__closure__ or ())
        pending += (one for one in enclosed if isinstance(one, FunctionType) and one.__module__.startswith(_OWN))
    return frozenset(found)


def _functions(kind: type) -> Iterator[FunctionType]:
    """Those that a class defines, and those of its bases but the common ones."""
    for base in kind.__mro__:
        if base not in (Rule, GatewayRule) and base.__module__.startswith(_OWN):
            for value in vars(base).values():
                yield from _leading(value)


def _leading(value: Any) -> Iterator[FunctionType]:
    """The functions that a name stands for, alone, in a table, or as a class."""
    if isinstance(value, FunctionType):
        if value.__module__.startswith(_OWN):
            yield value
    elif isinstance(value, property | classmethod | staticmethod | _lru_cache_wrapper):
        yield from _leading(getattr(value, "__wrapped__", None) or getattr(value, "fget", None))
    elif isinstance(value, type):
        if value.__module__.startswith(_OWN) and value.__module__ not in _KNOWN:
            yield from (one for own in vars(value).values() if isinstance(own, FunctionType) for one in _leading(own))
    elif isinstance(value, dict):
        yield from (one for item in value.values() for one in _leading(item))
    elif isinstance(value, tuple | list):
        yield from (one for item in value for one in _leading(item))
    elif type(value).__module__.startswith(_OWN) and not isinstance(value, ModuleType):
        yield from (one for item in _parts(value) for one in _leading(item))


def _parts(value: Any) -> Iterator[Any]:
    """The fields of an object in a table, such as a feature with its function."""
    if type(value).__module__ not in _KNOWN:
        yield from (getattr(value, name) for name in field_names(type(value)))


def _mentioned(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _mentioned(constant)
        elif isinstance(constant, str):
            yield constant
