"""One upstream for all scenarios, and each gateway started once for all of its cases."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conformance.harness import Launched, Service, launched
from conformance.pki import make_pki, server_context
from conformance.scenario import SCENARIOS
from conformance.upstream import Upstream
from conformance.variants import Variant, variants

_RUNNING_AT_ONCE = 3
VERDICT = "conformance"
"""The property of a test's report that says how the gateway was held to the case."""
SECOND = "second look"
"""The property of a test's report that says that a case was run again, and why."""
Launcher = Callable[[str, Variant], Launched]


def on_each_gateway(group: str = "") -> pytest.MarkDecorator:
    """Parametrizes a test with every variant. Tests of one group share a process, and so the gateway of a variant."""
    names = [(v, [pytest.mark.xdist_group(f"{group}-{v.name}")] if group else []) for v in variants()]
    return pytest.mark.parametrize("variant", [pytest.param(v, id=v.name, marks=marks) for v, marks in names])


def skip_where_missing(variant: Variant) -> None:
    if reason := variant.missing():
        pytest.skip(f"{variant.name} does not run here: {reason}")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    pki = tmp_path_factory.mktemp("pki")
    make_pki(pki)
    tls = {
        "TLS": server_context(pki, "service"),
        "MTLS": server_context(pki, "service", ask_client=True),
        "ROGUE": server_context(pki, "rogue"),
    }
    with Upstream(tls) as running:
        yield Service(running, pki)


@pytest.fixture(scope="session")
def launch(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """The gateway of a scenario and a variant; the ones used longest ago are stopped when there are too many."""
    gateways: OrderedDict[tuple[str, str], tuple[Launched, ExitStack]] = OrderedDict()
    failed: dict[tuple[str, str], Exception] = {}

    def start(name: str, variant: Variant) -> Launched:
        key = (name, variant.name)
        if key in failed:
            pytest.fail(f"the gateway did not start, as the first case shows: {failed[key]}", pytrace=False)
        if key not in gateways:
            while len(gateways) >= _RUNNING_AT_ONCE:
                gateways.popitem(last=False)[1][1].close()
            try:
                gateways[key] = _start(name, variant, service, tmp_path_factory.mktemp("gateway"))
            except Exception as error:  # told again for each case, without the wait
                failed[key] = error
                raise
        gateways.move_to_end(key)
        return gateways[key][0]

    yield start
    for _, stack in gateways.values():
        stack.close()


@pytest.fixture
def alone(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """A gateway for one case that the others did nothing to, for a second look where the machine did not keep time."""
    with ExitStack() as stack:

        def start(name: str, variant: Variant) -> Launched:
            started, others = _start(name, variant, service, tmp_path_factory.mktemp("gateway"))
            stack.push(others)
            return started

        yield start


def _start(name: str, variant: Variant, service: Service, directory: Path) -> tuple[Launched, ExitStack]:
    stack = ExitStack()
    return stack.enter_context(launched(SCENARIOS / f"{name}.yaml", variant, service, directory)), stack


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A passing test may have shown a refusal or a deviation: how many did, and why."""
    reports = terminalreporter.getreports("passed")
    properties = [dict(report.user_properties) for report in reports]
    said = Counter(tuple(found[VERDICT]) for found in properties if VERDICT in found)
    if said:
        terminalreporter.section("conformance: passing cases")
    for (variant, verdict), count in sorted(said.items()):
        terminalreporter.write_line(f"{variant:24} {count:5} {verdict}")
    for report in reports:
        if (why := dict(report.user_properties).get(SECOND)) is not None:
            terminalreporter.write_line(f"passed only when run again ({why}): {report.nodeid}")
