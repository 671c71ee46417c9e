"""Sections that were settled before: routes and services whose policies say the same mean the same.

What a section comes to follows from what the levels say of it and from a little of the route, which together are its
key here. Where it was written does not, so that is settled anew for whoever asks. A section with a fault is never kept:
each route that has the fault is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from gwc.ir import Headers, Node, Origin, Origins
from gwc.resolve.sections import RouteContext

if TYPE_CHECKING:
    from gwc.resolve.service import ServiceContext

N = TypeVar("N", bound=Node | None)
T = TypeVar("T")


class Memory:
    """Of all services of one gateway, whose platform says the same to each of them."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], Any] = {}
        self._service: tuple[object, dict[str, str]] = (None, {})

    def of(self, context: ServiceContext, index: int, about: RouteContext) -> Settled:
        """What is remembered of one route; nothing where its policy is only known as nodes."""
        data = context.place.document.known
        if data is None:
            return Settled(self._kept, about, None, {})
        if self._service[0] is not data:
            self._service = (data, {name: repr(data.get(name)) for name in _NAMES})
        return Settled(self._kept, about, self._service[1], data["routes"][index])


_NAMES = ("auth", "timeouts", "retries", "max_body", "cors", "headers", "cache")


class Settled:
    """`above` is what the service says of each section, as text; None: nothing is to be remembered."""

    __slots__ = ("_about", "_above", "_kept", "_own")

    def __init__(
        self, kept: dict[tuple[object, ...], Any], about: RouteContext, above: dict[str, str] | None, own: Any
    ) -> None:
        self._kept, self._about, self._above, self._own = kept, about, above, own

    def node(self, name: str, settle: Callable[[], N], *further: object) -> N:
        """What `settle` gives, or gave for the same settings, `further` ones among them."""
        found, new = self._found(name, settle, further)
        return found if new or found is None else _elsewhere(found, settle)

    def pair(self, name: str, settle: Callable[[], tuple[T, Origin]]) -> tuple[T, Origin]:
        """The same for a value with its origin."""
        (value, origin), new = self._found(name, settle, ())
        if new:
            return value, origin
        again = Origin.sought(lambda: settle()[1].level, lambda: settle()[1].span)
        return _elsewhere(value, lambda: settle()[0]) if isinstance(value, Node) else value, again

    def _found(self, name: str, settle: Callable[[], T], further: tuple[object, ...]) -> tuple[T, bool]:
        if self._above is None:
            return settle(), True
        about, own = self._about, self._own.get(name)
        key = (
            name,
            self._above[name],
            None if own is None else repr(own),
            about.methods,
            about.passes_through,
            further,
        )
        if (kept := self._kept.get(key)) is not None:
            return kept[0], False
        before = about.report.count
        value = settle()
        if about.report.count == before:
            self._kept[key] = (value,)
        return value, True


def _elsewhere(node: Any, settle: Callable[[], Any]) -> Any:
    """The same values; their places are those of `settle`."""
    copy = _copied(node, lambda: settle().provenance)
    if isinstance(node, Headers):
        vars(copy)["request"] = _copied(node.request, lambda: settle().request.provenance)
        vars(copy)["response"] = _copied(node.response, lambda: settle().response.provenance)
    return copy


def _copied(node: Any, provenance: Callable[[], Any]) -> Any:
    copy = object.__new__(type(node))
    vars(copy).update(vars(node))
    vars(copy)["provenance"] = Origins(provenance)
    return copy
