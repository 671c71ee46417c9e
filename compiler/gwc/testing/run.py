"""Tests -> verdicts, on the model. Engines are in `gwc.testing.on_engine`, which costs more to import."""

from __future__ import annotations

import time
from collections.abc import Sequence

from gwc.diagnostics import Report, Severity
from gwc.ir import Gateway
from gwc.testing.checks import TIME, check_service, check_tests
from gwc.testing.judge import faults
from gwc.testing.load import LoadedTests
from gwc.testing.on_model import ModelRun, OutOfOrderError
from gwc.testing.plan import PlannedTest, planned
from gwc.testing.seen import SeenStep
from gwc.testing.verdicts import MODEL, Verdict


def plan_tests(
    loaded: Sequence[LoadedTests], gateway: Gateway, targets: Sequence[str], report: Report
) -> list[PlannedTest]:
    """Every test of every file, once all that they name is there; faults go into `report`."""
    for one in loaded:
        unknown = list(check_service(one, gateway))
        report.extend(unknown or check_tests(one, gateway, targets))
    return [] if report.failed else [test for one in loaded for test in planned(one, gateway)]


def on_model(test: PlannedTest, gateway: Gateway) -> Verdict:
    verdict, began = Verdict(test, MODEL), time.perf_counter()
    happened = model_steps(test, gateway, verdict)
    for step, seen in zip(test.steps, happened, strict=False):
        judge(verdict, test, step.number, seen)
    verdict.seconds = time.perf_counter() - began
    return verdict


def model_steps(test: PlannedTest, gateway: Gateway, verdict: Verdict) -> list[SeenStep]:
    """What the model makes of the test, as far as its times are in order."""
    happened: list[SeenStep] = []
    try:
        happened.extend(ModelRun(gateway, {}).steps(test))
    except OutOfOrderError as late:
        place = test.place((*late.step.path, "at"))
        report = Report()
        report.error(TIME, place, f"{test.case.name}: {late}", hint="write the steps in the order of their times")
        verdict.found.extend(report.diagnostics)
    return happened


def judge(verdict: Verdict, test: PlannedTest, number: int, happened: SeenStep) -> None:
    """Adds what is wrong with a step to the verdict."""
    step = test.steps[number - 1]
    found = list(faults(step, happened, test.service, modelled=verdict.engine == MODEL))
    for fault in found:
        verdict.failed(step, fault)
    verdict.seen.extend(happened.seen)
    verdict.ran += not any(fault.unknowable for fault in found)


def failing(verdicts: Sequence[Verdict]) -> bool:
    return any(one.severity is Severity.ERROR for verdict in verdicts for one in verdict.found)
