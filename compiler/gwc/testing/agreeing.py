"""A test on an engine, and its verdict: what could be waited for, what holds, and whether the model agrees."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from gwc.features import FEATURES
from gwc.ir import Gateway
from gwc.support import Fidelity, SupportTable
from gwc.testing.judge import faults, summary
from gwc.testing.on_engine import Engine, Happened, Pace, run_steps
from gwc.testing.on_model import ModelRun
from gwc.testing.plan import PlannedStep, PlannedTest
from gwc.testing.run import model_steps
from gwc.testing.seen import Seen, SeenStep
from gwc.testing.verdicts import Verdict

TRIES = 3
"""Of a test whose requests came so late that the model, too, says something else."""
_LATE = "this machine was too slow: requests came later than the test says, and the model agrees with what followed"


@dataclass(frozen=True, slots=True)
class Bound:
    """`most` seconds of waiting in one test."""

    most: float
    option: str = "--max-wait"


class Comparison:
    """One test on one engine."""

    def __init__(self, engine: Engine, table: SupportTable, test: PlannedTest, bound: Bound) -> None:
        self._engine, self._table, self._test, self._bound = engine, table, test, bound
        self.verdict = Verdict(test, engine.target.name)
        self._ideal = model_steps(test, engine.gateway, self.verdict)

    def run(self) -> Verdict:
        began = time.perf_counter()
        if len(self._ideal) == len(self._test.steps) and not self._excused():
            self._run()
        self.verdict.seconds = time.perf_counter() - began
        return self.verdict

    def _excused(self) -> bool:
        feature = self._test.case.not_on.get(self._engine.target.name)
        if feature is not None:
            self.verdict.not_run(None, f"not_on says that it does not keep {feature} exactly")
        return feature is not None

    def _run(self) -> None:
        steps = list(takewhile(lambda step: not self._impossible(step)[0], self._test.steps))
        left_out = self._test.steps[len(steps) :]
        if left_out:
            why, hint = self._impossible(left_out[0])
            behind = f"; {len(left_out) - 1} more behind it" if len(left_out) > 1 else ""
            self.verdict.not_run(left_out[0], f"{why}{behind}", hint)
        if not steps:
            return
        for left in reversed(range(TRIES)):
            happened = self._played(steps)
            late = happened is not None and self._late(happened)
            if happened is None or not late or left == 0:
                break
        if happened is not None:
            self._judge(steps, happened, late)

    def _impossible(self, step: PlannedStep) -> tuple[str, str]:
        """Why the step cannot be run here, and what to do; empty where it can."""
        ends = max(seen.begun + seen.took for one in self._ideal[: step.number] for seen in one.seen)
        if ends > self._bound.most:
            hint = f"{self._bound.option} {ends + 1:.0f}s would wait; the model needs no time"
            return f"it ends {ends:g} s after the test begins, {self._bound.option} is {self._bound.most:g}s", hint
        if any(not ask.https for ask in step.asks) and _redirects(self._engine.gateway):
            return "plain HTTP is only redirected, and certificates are not part of a test", "the model answers it"
        return "", ""

    def _played(self, steps: Sequence[PlannedStep]) -> Happened | None:
        try:
            return run_steps(self._engine, self._test, steps, Pace(self._alignment(len(steps)), self._bound.most))
        except OSError as error:
            hint = "other addresses than the usual client's need Linux, whose whole 127.0.0.0/8 is loopback"
            self.verdict.not_run(
                None, f"this machine has not what it needs ({error.strerror or type(error).__name__})", hint
            )
        except RuntimeError as error:
            self.verdict.broken(str(error))
        return None

    def _alignment(self, number: int) -> float:
        """Windows of a budget that turn during the first steps would part what happens from what is expected."""
        seen = [seen for one in self._ideal[:number] for seen in one.seen]
        span, asked = max(one.begun + one.took for one in seen) + 5.0, {one.service for one in seen}
        periods = [
            float(one.budget.units.period)
            for one in self._engine.gateway.services
            if one.name in asked and one.budget is not None
        ]
        turning = [p for p in periods if p <= self._bound.most or p - time.time() % p < span]
        return max(turning, default=0.0)

    def _late(self, happened: Happened) -> bool:
        """Whether the model says what the engine said, once it is asked at the moments at which the engine was: when a
        request was sent, or when its answer was there, or between. The first begins the clocks of the buckets."""
        pairs = zip(happened.steps, self._ideal, strict=False)
        parted = [step for step, ideal in pairs if _cores(step) != _cores(ideal)]
        if not parted:
            return False
        first = min(seen.begun for step in happened.steps for seen in step.seen)
        early = self._replayed(happened, lambda seen, _: seen.begun)
        late = self._replayed(happened, lambda seen, ideal: seen.begun + _longer(seen, ideal, first))
        return all(_between(_cores(step), _cores(early[step.number]), _cores(late[step.number])) for step in parted)

    def _replayed(self, happened: Happened, moment: Callable[[Seen, Seen], float]) -> dict[int, SeenStep]:
        """By the steps' numbers, asked in the order of `moment`, of what the engine and what the model saw."""
        model = ModelRun(self._engine.gateway, {}, happened.started)
        plans = {step.number: step for step in self._test.steps}
        sent = sorted(
            (moment(seen, self._ideal[step.number - 1].seen[index]), step.number, index)
            for step in happened.steps
            for index, seen in enumerate(step.seen)
        )
        steps = {step.number: SeenStep(step.number, list(step.seen)) for step in happened.steps}
        for at, number, index in sent:
            plan = plans[number]
            steps[number].seen[index] = model.ask(plan.asks[index], plan.answers, at)
        return steps

    def _judge(self, steps: Sequence[PlannedStep], happened: Happened, late: bool) -> None:
        for step, seen, ideal in zip(steps, happened.steps, self._ideal, strict=False):
            found = list(faults(step, seen, self._test.service, modelled=False))
            parted = _cores(seen) != _cores(ideal)
            if unlogged := sum(one.service is None and one.status != 0 for one in seen.seen):
                self.verdict.not_run(step, f"the gateway's log has no line about {unlogged} of its requests")
                continue
            if not found and _roomy(step):
                parted = False
            if late and parted:
                self.verdict.not_run(step, _LATE)
                continue
            if parted:
                self._disagree(step, seen, ideal)
            for fault in found if not parted else ():
                self.verdict.failed(step, fault)
            self.verdict.seen.extend(seen.seen)
            self.verdict.ran += 1

    def _disagree(self, step: PlannedStep, seen: SeenStep, ideal: SeenStep) -> None:
        first = ideal.seen[0]
        subjects = {"the platform", first.service, f"{first.service}/{first.route}"}
        inexact = ", ".join(sorted(inexact_features(self._engine.gateway, self._table, subjects)))
        name = self._engine.target.name
        note = f"{name} does not keep exactly: {inexact}; gwc support -t {name} says what holds" if inexact else ""
        self.verdict.disagrees(step, summary(ideal.seen), summary(seen.seen), note)


def _cores(step: SeenStep) -> Counter[tuple[object, ...]]:
    return Counter(seen.core for seen in step.seen)


def _roomy(step: PlannedStep) -> bool:
    """Whether the test leaves it to the machine how many there are of a status."""
    return any(low != high for low, high in (step.expect.statuses or {}).values())


def _longer(seen: Seen, ideal: Seen, first: float) -> float:
    """How much longer a request was under way than it had to be; nothing for the first of all."""
    return 0.0 if seen.begun == first else max(0.0, seen.took - ideal.took)


def _between(found: Counter[tuple[object, ...]], one: Counter[tuple[object, ...]], other: Counter[Any]) -> bool:
    """Each kind of answer as often as on one of two sides, or between."""
    kinds = {*found, *one, *other}
    return all(min(one[kind], other[kind]) <= found[kind] <= max(one[kind], other[kind]) for kind in kinds)


def inexact_features(gateway: Gateway, table: SupportTable, subjects: set[str | None] | None = None) -> set[str]:
    """Those in use, by all or by some, that the target does not keep exactly."""
    return {
        name
        for name, feature in FEATURES.items()
        for use in feature.uses(gateway)
        if (subjects is None or use.subject in subjects) and table.of(name, gateway, use).fidelity is not Fidelity.EXACT
    }


def _redirects(gateway: Gateway) -> bool:
    return gateway.listen.https is not None and gateway.listen.https.redirect
