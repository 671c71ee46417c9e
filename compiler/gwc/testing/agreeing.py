"""A test on an engine, and its verdict: what could be waited for, what holds, and whether the model agrees."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from gwc.features import FEATURES
from gwc.ir import Gateway
from gwc.support import Fidelity, SupportTable
from gwc.testing.judge import faults
from gwc.testing.on_engine import Engine, Happened, run_steps
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
        steps = [step for step in self._test.steps if not self._impossible(step)]
        for step in self._test.steps[len(steps) :]:
            self.verdict.not_run(step, *self._impossible(step))
        if not steps:
            return
        for left in reversed(range(TRIES)):
            happened = self._played(steps)
            late = happened is not None and self._late(happened)
            if happened is None or not late or left == 0:
                break
        if happened is not None:
            self._judge(steps, happened, late)

    def _impossible(self, step: PlannedStep) -> tuple[str, str] | tuple[()]:
        """Why the step cannot be run here; those behind one that waits too long cannot either."""
        ends = max(seen.begun + seen.took for one in self._ideal[: step.number] for seen in one.seen)
        if ends > self._bound.most:
            hint = f"{self._bound.option} {ends + 1:.0f}s would wait; the model needs no time"
            return f"it ends {ends:g} s after the test begins, {self._bound.option} is {self._bound.most:g}s", hint
        if any(not ask.https for ask in step.asks) and _redirects(self._engine.gateway):
            return "plain HTTP is only redirected, and certificates are not part of a test", "the model answers it"
        return ()

    def _played(self, steps: Sequence[PlannedStep]) -> Happened | None:
        try:
            return run_steps(self._engine, self._test, steps, self._alignment())
        except OSError as error:
            hint = "other addresses than the usual client's need Linux, whose whole 127.0.0.0/8 is loopback"
            self.verdict.not_run(None, f"this machine has not what it needs ({error.strerror or 'timeout'})", hint)
        except RuntimeError as error:
            self.verdict.not_run(None, str(error))
        return None

    def _alignment(self) -> float:
        """Windows of a budget that turn during the test would part what happens from what is expected."""
        span = max(seen.begun + seen.took for one in self._ideal for seen in one.seen) + 5.0
        asked = {seen.service for one in self._ideal for seen in one.seen}
        periods = [
            float(one.budget.units.period)
            for one in self._engine.gateway.services
            if one.name in asked and one.budget is not None
        ]
        turning = [p for p in periods if p <= self._bound.most or p - time.time() % p < span]
        return max(turning, default=0.0)

    def _late(self, happened: Happened) -> bool:
        """Whether the model, asked at the moments at which the engine was, says what the engine said."""
        parted = [
            step for step, ideal in zip(happened.steps, self._ideal, strict=False) if _cores(step) != _cores(ideal)
        ]
        if not parted:
            return False
        replayed = {step.number: step for step in self._replayed(happened)}
        return all(_cores(step) == _cores(replayed[step.number]) for step in parted)

    def _replayed(self, happened: Happened) -> list[SeenStep]:
        """In the order in which requests were really sent."""
        model = ModelRun(self._engine.gateway, {}, happened.started)
        plans = {step.number: step for step in self._test.steps}
        sent = sorted(
            ((seen.begun, step.number, index) for step in happened.steps for index, seen in enumerate(step.seen)),
        )
        steps = {step.number: SeenStep(step.number, list(step.seen)) for step in happened.steps}
        for begun, number, index in sent:
            plan = plans[number]
            steps[number].seen[index] = model.ask(plan.asks[index], plan.answers, begun)
        return list(steps.values())

    def _judge(self, steps: Sequence[PlannedStep], happened: Happened, late: bool) -> None:
        for step, seen, ideal in zip(steps, happened.steps, self._ideal, strict=False):
            found = list(faults(step, seen, self._test.service, modelled=False))
            parted = _cores(seen) != _cores(ideal)
            if late and parted:
                self.verdict.not_run(step, _LATE)
                continue
            for fault in found:
                self.verdict.failed(step, fault)
            if parted:
                self._disagree(step, seen, ideal)
            self.verdict.seen.extend(seen.seen)
            self.verdict.ran += 1

    def _disagree(self, step: PlannedStep, seen: SeenStep, ideal: SeenStep) -> None:
        model, engine = _first_parted(ideal, seen)
        subjects = {"the platform", model.service, f"{model.service}/{model.route}"}
        inexact = ", ".join(sorted(inexact_features(self._engine.gateway, self._table, subjects)))
        name = self._engine.target.name
        note = f"{name} does not keep exactly: {inexact}; gwc support -t {name} says what holds" if inexact else ""
        self.verdict.disagrees(step, model, engine, note)


def _cores(step: SeenStep) -> Counter[tuple[object, ...]]:
    return Counter(seen.core for seen in step.seen)


def _first_parted(model: SeenStep, engine: SeenStep) -> tuple[Seen, Seen]:
    """Of each side one that the other lacks."""
    more, less = _cores(model) - _cores(engine), _cores(engine) - _cores(model)
    mine = next((seen for seen in model.seen if seen.core in more), model.seen[0])
    other = next((seen for seen in engine.seen if seen.core in less), engine.seen[0])
    return mine, other


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
