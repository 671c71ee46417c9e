"""Tests on a real gateway, as far as this machine and the policies allow."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.job import Job
from gwc.compile import render
from gwc.diagnostics import Diagnostic, Severity
from gwc.discovery import InstalledTarget, load_targets
from gwc.ir import Gateway
from gwc.support import SupportTable
from gwc.target import EngineMissingError, profile_of
from gwc.testing.plan import PlannedTest
from gwc.testing.verdicts import Verdict

SIDE_BY_SIDE = 4
"""Gateways at once: most of a test is waiting."""
NOT_INEXACT = "GWC153"


def run_on_engine(
    name: str, tests: Sequence[PlannedTest], gateway: Gateway, max_wait: float, job: Job
) -> list[Verdict]:
    """A gateway for each test. Findings of the compiler go into the job's report, and nothing runs then. Raises
    CommandError where the engine, or what signs tokens, is missing."""
    if find_spec("cryptography") is None:
        hint = "pip install cryptography"
        raise CommandError(ExitCode.ENVIRONMENT, "tests on an engine need `cryptography` to sign tokens", hint)
    from gwc.testing.agreeing import Bound, Comparison
    from gwc.testing.on_engine import Engine
    from gwc.testing.stage import Clients, Ports, props, staged

    installed = load_targets([name])[0]
    target, profile = installed.target, profile_of(installed.target, gateway)
    made = props(gateway)
    shown = staged(gateway, made, Ports(1, 2, {service.name: 3 for service in gateway.services}), Clients())
    if not _renders(shown, installed, job):
        return []
    table = target.support(profile)
    job.report.extend(_needless(name, tests, shown, table))
    if job.report.failed:
        return []
    try:
        engine = Engine(target, profile, target.engine.find(profile), gateway, made)
    except EngineMissingError as missing:
        raise CommandError(ExitCode.ENVIRONMENT, str(missing)) from missing
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return list(pool.map(lambda test: Comparison(engine, table, test, Bound(max_wait)).run(), tests))


def _renders(gateway: Gateway, installed: InstalledTarget, job: Job) -> bool:
    from gwc.diagnostics import Report

    report = Report()
    rendered = render(gateway, [installed], report)
    job.report.extend(one for one in report.diagnostics if one.severity is Severity.ERROR)
    return rendered is not None


def _needless(name: str, tests: Sequence[PlannedTest], gateway: Gateway, table: SupportTable) -> list[Diagnostic]:
    """A test may stay away from a gateway for a feature only that the gateway does not keep exactly."""
    from gwc.testing.agreeing import inexact_features

    inexact = inexact_features(gateway, table)
    return [
        Diagnostic(
            test.place((*test.path, "not_on", name)), NOT_INEXACT, Severity.ERROR,
            f"{name} keeps {feature} exactly here", "let the test run there, too",
        )
        for test in tests
        if (feature := test.case.not_on.get(name)) is not None and feature not in inexact
    ]  # fmt: skip
