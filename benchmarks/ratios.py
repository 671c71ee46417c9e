"""From samples to the tables of the page: medians of rounds, and ratios of neighbours in one round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Sample:
    """One point of one round. `cpu` is the server's processor time, in seconds."""

    requests: int
    seconds: float
    cpu: float


Rounds = Sequence[Sample]


@dataclass(frozen=True, slots=True)
class Spread:
    """Of one figure over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))

    def shown(self, form: str) -> str:
        return f"{self.median:{form}} ({self.low:{form}} to {self.high:{form}})"


def rate(sample: Sample) -> float:
    """Requests a second."""
    return sample.requests / sample.seconds


def cost(sample: Sample) -> float:
    """Processor seconds for 1,000 requests."""
    return sample.cpu / sample.requests * 1000


def busy(sample: Sample) -> float:
    """The share of one core that the server used: well below 1, something else held it back."""
    return sample.cpu / sample.seconds


def figure(of: Callable[[Sample], float], rounds: Rounds) -> Spread:
    return Spread.of([of(sample) for sample in rounds])


def ratio(of: Callable[[Sample], float], rounds: Rounds, base: Rounds) -> Spread:
    """Round by round, so that what slows the machine for a while slows both. Raises ValueError for uneven rounds."""
    return Spread.of([of(sample) / of(neighbour) for sample, neighbour in zip(rounds, base, strict=True)])


def served(measured: Mapping[str, Rounds], base: str, what: str) -> str:
    """Who serves how many (of `what`) and at what cost, also as multiples of what `base` does."""
    head = ("server", f"{what} a second", f"rate, {base} = 1", "CPU s per 1,000", f"CPU, {base} = 1", "core in use")
    rows = [
        (
            name,
            figure(rate, rounds).shown(",.0f"),
            ratio(rate, rounds, measured[base]).shown(".2f"),
            figure(cost, rounds).shown(".3f"),
            ratio(cost, rounds, measured[base]).shown(".2f"),
            f"{figure(busy, rounds).median:.0%}",
        )
        for name, rounds in measured.items()
    ]
    return markdown(head, rows)


def admissions(free: Mapping[str, Rounds], limited: Mapping[str, Rounds]) -> str:
    """What the limit adds to a request that passes."""
    head = (
        *("server", "requests a second without", "with", "with / without"),
        *("CPU s per 1,000 without", "with", "CPU with / without", "core in use"),
    )
    rows = [
        (
            name,
            figure(rate, rounds).shown(",.0f"),
            figure(rate, limited[name]).shown(",.0f"),
            ratio(rate, limited[name], rounds).shown(".2f"),
            figure(cost, rounds).shown(".3f"),
            figure(cost, limited[name]).shown(".3f"),
            ratio(cost, limited[name], rounds).shown(".2f"),
            f"{figure(busy, limited[name]).median:.0%}",
        )
        for name, rounds in free.items()
    ]
    return markdown(head, rows)


FULL = 0.9  # of a core


def held_back(tables: Mapping[str, Mapping[str, Rounds]]) -> list[str]:
    """A warning when a server could not use its core: its rate is then no property of its own."""
    lowest = min(figure(busy, rounds).median for servers in tables.values() for rounds in servers.values())
    if lowest >= FULL:
        return []
    return [
        f"Other work took part of the servers' core, which left one of them {lowest:.0%} of it: the rates and their "
        "ratios are of that moment. Compare the processor time."
    ]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell: the same text reads well in a terminal and on the page."""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(f"{c:{w}}" for c, w in zip(line, widths, strict=True)) + " |" for line in lines)
