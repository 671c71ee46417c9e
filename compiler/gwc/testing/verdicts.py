"""What became of a test on one engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from gwc.diagnostics import Diagnostic, Severity
from gwc.testing.judge import Fault
from gwc.testing.plan import PlannedStep, PlannedTest
from gwc.testing.seen import Seen

MODEL = "model"
EXPECTATION, DISAGREEMENT, NOT_RUN, BROKEN = "GWC160", "GWC161", "GWC162", "GWC163"


class State(StrEnum):
    """PARTLY: what could run passed, and some steps could not."""

    PASSED = "passed"
    FAILED = "failed"
    PARTLY = "partly"
    SKIPPED = "skipped"


@dataclass(slots=True)
class Verdict:
    """`found` are failures as errors, and what could not run as warnings. `seconds` is how long it took."""

    test: PlannedTest
    engine: str
    found: list[Diagnostic] = field(default_factory=list)
    ran: int = 0
    seconds: float = 0.0
    seen: list[Seen] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.test.case.name

    @property
    def state(self) -> State:
        if any(one.severity is Severity.ERROR for one in self.found):
            return State.FAILED
        if not self.found:
            return State.PASSED
        return State.PARTLY if self.ran else State.SKIPPED

    def failed(self, step: PlannedStep, fault: Fault) -> None:
        """An expectation that does not hold, or one that nobody can judge here."""
        place = self.test.place(fault.path)
        if fault.unknowable:
            message = f"{self._at(step)}: {fault.message}"
            self.found.append(Diagnostic(place, NOT_RUN, Severity.WARNING, message, "an engine can: --engine envoy"))
            return
        message = f"{self._at(step)}: {fault.message}"
        self.found.append(Diagnostic(place, EXPECTATION, Severity.ERROR, message, f"{self.engine} says {fault.seen}"))

    def disagrees(self, step: PlannedStep, model: str, engine: str, note: str) -> None:
        place = self.test.place((*step.path, "request"))
        message = f"{self._at(step)}: the model says {model}, {self.engine} says {engine}"
        self.found.append(Diagnostic(place, DISAGREEMENT, Severity.ERROR, message, note))

    def broken(self, why: str) -> None:
        """The gateway did not even start."""
        place = self.test.place((*self.test.path, "name"))
        self.found.append(Diagnostic(place, BROKEN, Severity.ERROR, f"{self._head()}: {why}"))

    def not_run(self, step: PlannedStep | None, why: str, hint: str = "") -> None:
        path = step.path if step is not None else self.test.path
        place = self.test.place((*path, "request" if step is not None else "name"))
        message = f"{self._at(step) if step else self._head()}: not run on {self.engine}: {why}"
        self.found.append(Diagnostic(place, NOT_RUN, Severity.WARNING, message, hint))

    def _head(self) -> str:
        return f"{self.engine}: {self.name}"

    def _at(self, step: PlannedStep) -> str:
        several = f", step {step.number}" if len(self.test.steps) > 1 else ""
        return f"{self._head()}{several}: {step.request}"
