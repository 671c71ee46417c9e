"""Limits and budgets: which bucket became which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gwc.diff.change import Difference, Level, Value
from gwc.diff.leaves import Differences, ordered
from gwc.diff.order import compared
from gwc.ir import Budget, Limit, Service
from gwc.units import Rate, format_rate

Key = tuple[str, str | None]


def limits(old: Sequence[Limit], new: Sequence[Limit]) -> Differences:
    """Of one level. Limits of one key are paired in the order of their rates."""
    for key in sorted({_key(limit) for limit in (*old, *new)}, key=str):
        before, after = ([limit for limit in _ascending(some) if _key(limit) == key] for some in (old, new))
        for was, now in _paired(before, after):
            yield from _limit(was, now)


def _key(limit: Limit) -> Key:
    return limit.key.value, limit.header


def _ascending(some: Sequence[Limit]) -> list[Limit]:
    return sorted(some, key=lambda limit: (limit.shadow, limit.rate.per_second, limit.burst))


def _paired(before: list[Limit], after: list[Limit]) -> Iterator[tuple[Limit | None, Limit | None]]:
    """Equal ones belong together; of the rest the tightest with the tightest."""
    left = [limit for limit in before if not _take(after, limit)]
    for index in range(max(len(left), len(after))):
        yield left[index] if index < len(left) else None, after[index] if index < len(after) else None


def _take(limits: list[Limit], wanted: Limit) -> bool:
    same = next((one for one in limits if _values(one) == _values(wanted)), None)
    if same is not None:
        limits.remove(same)
    return same is not None


def _values(limit: Limit) -> tuple[object, ...]:
    return limit.rate, limit.burst, limit.shadow, limit.cluster


def _limit(old: Limit | None, new: Limit | None) -> Differences:
    if old is None or new is None:
        yield from _alone(old, new)
        return
    field = _field(new)
    if old.rate != new.rate:
        yield Difference(_rates(old.rate, new.rate), f"{field}.rate", _rate(old), _rate(new))
    yield from (replace(found, field=f"{field}.burst") for found in ordered("limits.burst", old, new, "burst"))
    if old.shadow != new.shadow:
        was, now = (Value("shadow" if one.shadow else "enforce", one.provenance["shadow"]) for one in (old, new))
        yield Difference(Level.LOOSENED if new.shadow else Level.TIGHTENED, f"{field}.mode", was, now)
    yield from _scope(field, old, new)


def _alone(old: Limit | None, new: Limit | None) -> Differences:
    limit = old or new
    assert limit is not None
    value = Value(_text(limit), limit.provenance["rate"])
    level = Level.NEUTRAL if limit.shadow else Level.LOOSENED if new is None else Level.TIGHTENED
    yield Difference(level, _field(limit), value if old else None, value if new else None)


def _field(limit: Limit) -> str:
    return f"limits.{limit.key.value}" + (f" ({limit.header})" if limit.header else "")


def _text(limit: Limit) -> str:
    mode = ", mode: shadow" if limit.shadow else ""
    return f"{{rate: {format_rate(limit.rate)}, burst: {limit.burst}{mode}}}"


def _rate(limit: Limit) -> Value:
    return Value(format_rate(limit.rate), limit.provenance["rate"])


def _rates(old: Rate, new: Rate) -> Level:
    before, after = old.per_second, new.per_second
    return Level.NEUTRAL if before == after else compared("limits.rate", before, after)


def _scope(field: str, old: Limit | Budget, new: Limit | Budget) -> Differences:
    if old.cluster != new.cluster:
        was, now = (Value("cluster" if one.cluster else "gateway", one.provenance["cluster"]) for one in (old, new))
        yield Difference(Level.TIGHTENED if new.cluster else Level.LOOSENED, f"{field}.scope", was, now)


def budget(old: Service, new: Service) -> Differences:
    if old.budget is None or new.budget is None:
        if old.budget is not new.budget:
            there = old.budget or new.budget
            assert there is not None
            value = Value(f"{{units: {format_rate(there.units)}}}", there.provenance["units"])
            level = Level.LOOSENED if new.budget is None else Level.TIGHTENED
            yield Difference(level, "budget", value if old.budget else None, value if new.budget else None)
        return
    yield from _budget(old.budget, new.budget)


def _budget(old: Budget, new: Budget) -> Differences:
    if old.units != new.units:
        was, now = (Value(format_rate(one.units), one.provenance["units"]) for one in (old, new))
        yield from (Difference(level, "budget.units", was, now) for level in _windows(old.units, new.units))
    if old.charge != new.charge:
        was_, now_ = (Value(one.charge, one.provenance["charge"]) if one.charge else None for one in (old, new))
        level = Level.LOOSENED if new.charge is None else Level.TIGHTENED
        yield Difference(level, "budget.charge", was_, now_)
    yield from _scope("budget", old, new)


def _windows(old: Rate, new: Rate) -> tuple[Level, ...]:
    """More units at once and fewer in the long run is both tighter and looser."""
    more = [new.tokens > old.tokens, new.per_second > old.per_second]
    less = [new.tokens < old.tokens, new.per_second < old.per_second]
    return tuple(level for level, holds in ((Level.TIGHTENED, any(less)), (Level.LOOSENED, any(more))) if holds)
