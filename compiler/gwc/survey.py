"""What targets do not keep exactly of a Gateway, and where: found service by service, then summed up.

What is found of a service follows from the platform and that service alone, as a part of an output does
(`gwc.parts.alone`), and from what `Case.across` tells of all services in words. So it can be kept for as long as these
are the same. Of the platform itself, which has few uses, it is found each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from gwc.cache import digest
from gwc.diagnostics import Diagnostic, Related, Severity, Span
from gwc.features import FEATURES, PLATFORM, Feature, Use
from gwc.found import MOST_SHOWN, Files, Key, Packer, Place, Sum, places, summed
from gwc.ir import Gateway, Level, Origin
from gwc.parts import alone
from gwc.support import EXACT, Conditional, Fidelity, Support, SupportTable, numbers, supports

Recall = Callable[[str, str], bytes | None]
"""What was found of a service, by its name, if that was found from all that is so now, these words among it."""

_PLATFORM, _SERVICE, _ROUTE = _LEVELS = range(3)
"""Whose use it is. In the uses of a Gateway, each level comes before the next."""


@dataclass(frozen=True, slots=True)
class Inexact:
    """A feature in use that a target does not keep exactly, under one of its promises.

    `subjects` says how many use it: the platform, services, routes. `shown` are the first places that somebody wrote,
    not more than a diagnostic names, or the first one of all, and `subject` is what has the first of them.
    """

    feature: str
    support: Support
    subjects: int
    subject: str
    shown: tuple[Span, ...]
    files: Files
    """All places, for who asked for them."""


@dataclass(frozen=True)
class Survey:
    """`given` is a hash of what was promised, and of what was told of all services. `services`: what was found of each,
    by its name."""

    tables: tuple[SupportTable, ...]
    given: str
    platform: bytes
    services: Mapping[str, bytes]

    def inexact(self, table: SupportTable, *, placed: bool = False) -> Iterator[Inexact]:
        """In the order of the features, and of the uses of each; with all places if it is to be `placed`."""
        number = self.tables.index(table)
        found = places(self._packs(), number) if placed else {}
        for feature, name in enumerate(FEATURES):
            for promise, sums in self._promised(number, feature):
                support = supports(table.entries[name])[promise]
                yield _inexact(name, support, sums, found.get((feature, promise), {}))

    def _promised(self, table: int, feature: int) -> Iterable[tuple[int, list[Sum]]]:
        """Each promise with its sums, one a level. A level comes before the next, for that is the order of uses."""
        found: dict[int, list[Sum]] = {}
        for level in _LEVELS:
            for promise, one in self._sums.get((table, feature, level), ()):
                found.setdefault(promise, []).append(one)
        return found.items()

    @cached_property
    def _sums(self) -> dict[tuple[int, int, int], list[tuple[int, Sum]]]:
        found: dict[tuple[int, int, int], list[tuple[int, Sum]]] = {}
        for (table, feature, promise, level), one in summed(self._packs()).items():
            found.setdefault((table, feature, level), []).append((promise, one))
        return found

    def _packs(self) -> Iterator[bytes]:
        yield self.platform
        yield from self.services.values()


def _inexact(feature: str, support: Support, sums: Sequence[Sum], files: Files) -> Inexact:
    shown: dict[Place, str] = {}
    for one in sums:
        for place, subject in one.shown.items():
            shown.setdefault(place, subject)
    found = list(shown.items())[:MOST_SHOWN] or [sums[0].first]
    subjects = sum(one.subjects for one in sums)
    return Inexact(feature, support, subjects, found[0][1], tuple(Span(*place) for place, _ in found), files)


def survey(gateway: Gateway, tables: Sequence[SupportTable], recall: Recall | None = None) -> Survey:
    """What is recalled of a service is not looked for."""
    dateless = replace(gateway, now=date.min)  # no output depends on the day of the run, nor does a promise of it
    search = _Search(dateless, tables)
    platform, services = search.of_platform(), dict[str, bytes]()
    for service in dateless.services:
        known = None if recall is None else recall(service.name, search.given)
        services[service.name] = search.of_service(alone(dateless, service)) if known is None else known
    return Survey(tuple(tables), search.given, platform, services)


class _Search:
    """Looks at uses that one of the tables may not keep exactly, and at no others."""

    def __init__(self, gateway: Gateway, tables: Sequence[SupportTable]) -> None:
        self._gateway = gateway
        self.given = digest(*(table.words(gateway) for table in tables))
        self._asked: list[tuple[int, Feature, list[tuple[int, _Entry]]]] = []
        for number, (name, feature) in enumerate(FEATURES.items()):
            below = [(i, table.entries[name]) for i, table in enumerate(tables) if table.entries[name] != EXACT]
            if below:
                self._asked.append((number, feature, [(i, _Entry(entry, gateway)) for i, entry in below]))

    def of_service(self, one: Gateway) -> bytes:
        """`one` has no other."""
        return self._packed(one, one, {_SERVICE, _ROUTE})

    def of_platform(self) -> bytes:
        """Its uses are found where there is no service. What holds of them may depend on all."""
        return self._packed(replace(self._gateway, services=()), self._gateway, {_PLATFORM})

    def _packed(self, where: Gateway, asked: Gateway, levels: Set[int]) -> bytes:
        packer = Packer()
        for number, feature, entries in self._asked:
            for level, uses in _by_level(feature.uses(where)).items():
                if level in levels:
                    places_ = _Places()
                    for table, entry in entries:
                        for promise, some in entry.promised(uses, asked):
                            places_.pack(packer, (table, number, promise, level), some)
        return packer.packed()


def _by_level(uses: Iterable[Use]) -> dict[int, list[Use]]:
    found: dict[int, list[Use]] = {}
    for use in uses:
        level = _ROUTE if "/" in use.subject else _PLATFORM if use.subject == PLATFORM else _SERVICE
        found.setdefault(level, []).append(use)
    return found


class _Entry:
    """What a table promises of a feature, to be asked in gateways that have one of the services of `whole`, or all."""

    def __init__(self, entry: Support | Conditional, whole: Gateway) -> None:
        self._entry = entry.told(whole) if isinstance(entry, Conditional) else entry
        self._numbers = numbers(entry)

    def promised(self, uses: Sequence[Use], asked: Gateway) -> Iterable[tuple[int, Sequence[Use]]]:
        """The uses under each promise that is not exact, by its number."""
        left = self._entry.after(asked, uses[0]) if isinstance(self._entry, Conditional) else self._entry
        if isinstance(left, Support):
            return () if left.fidelity is Fidelity.EXACT else ((self._numbers[id(left)], uses),)
        found: dict[int, list[Use]] = {}
        for use in uses:
            if (support := left.of(asked, use)).fidelity is not Fidelity.EXACT:
                found.setdefault(self._numbers[id(support)], []).append(use)
        return found.items()


class _Places:
    """Where uses are written. Several tables ask, and many uses have one origin: each is sought once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Origin, Span]] = {}

    def pack(self, packer: Packer, key: Key, uses: Sequence[Use]) -> None:
        found = [(use.subject, *self._of(use.origin)) for use in uses]
        shown: dict[Span, str] = {}
        for subject, origin, span in found:
            if span not in shown and origin.level is not Level.DEFAULT:
                shown[span] = subject
                if len(shown) == MOST_SHOWN:
                    break
        first, subject = next(iter(shown.items()), (found[0][2], found[0][0]))
        packer.add(key, len({use.subject for use in uses}), subject, [*shown], first, {span for _, _, span in found})

    def _of(self, origin: Origin) -> tuple[Origin, Span]:
        """An origin is known by its identity, and so it is held for as long."""
        if (known := self._known.get(id(origin))) is None:
            known = self._known[id(origin)] = (origin, origin.span)
        return known


def check(gateway: Gateway, table: SupportTable) -> Iterator[Diagnostic]:
    """What `table` cannot do exactly for this Gateway and nobody accepted."""
    return objections(gateway, survey(gateway, [table]), table)


def objections(gateway: Gateway, found: Survey, table: SupportTable) -> Iterator[Diagnostic]:
    """One diagnostic a feature and promise, however many lines and routes use it: it is one decision to take."""
    accepted = accepted_by(gateway, table)
    return (_diagnostic(table, one) for one in found.inexact(table) if one.feature not in accepted)


def accepted_by(gateway: Gateway, table: SupportTable) -> frozenset[str]:
    """The features of which the platform takes knowingly what the target makes of them."""
    options = gateway.targets.get(table.target)
    return frozenset(options.accept) if options else frozenset()


def _diagnostic(table: SupportTable, one: Inexact) -> Diagnostic:
    unsupported = one.support.fidelity is Fidelity.UNSUPPORTED
    verb = "cannot express" if unsupported else "only approximates"
    first, *others = one.shown
    named = one.subject if one.subjects == 1 else f"{one.subject} and {one.subjects - 1} more"
    return Diagnostic(
        first,
        "GWC601" if unsupported else "GWC602",
        Severity.ERROR if unsupported else Severity.WARNING,
        f"{table.target} ({table.profile}) {verb} {one.feature} for {named}: {one.support.note}",
        f"change the policy, or take it knowingly: targets.{table.target}.accept: [{one.feature}]",
        tuple(Related(span, "and here") for span in others),
    )
