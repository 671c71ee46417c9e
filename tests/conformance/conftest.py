"""One upstream for all scenarios, and each gateway started once for all of its cases."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conformance.harness import Launched, launched
from conformance.scenario import SCENARIOS
from conformance.upstream import Upstream
from conformance.variants import Variant

_RUNNING_AT_ONCE = 3
Launcher = Callable[[str, Variant], Launched]


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="session")
def launch(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """The gateway of a scenario and a variant; the ones used longest ago are stopped when there are too many."""
    gateways: OrderedDict[tuple[str, str], tuple[Launched, ExitStack]] = OrderedDict()
    failed: dict[tuple[str, str], Exception] = {}

    def start(name: str, variant: Variant) -> Launched:
        key = (name, variant.name)
        if key in failed:
            raise failed[key]
        if key not in gateways:
            while len(gateways) >= _RUNNING_AT_ONCE:
                gateways.popitem(last=False)[1][1].close()
            try:
                gateways[key] = _start(name, variant, upstream, tmp_path_factory.mktemp("gateway"))
            except Exception as error:  # told again for each case, without the wait
                failed[key] = error
                raise
        gateways.move_to_end(key)
        return gateways[key][0]

    yield start
    for _, stack in gateways.values():
        stack.close()


def _start(name: str, variant: Variant, upstream: Upstream, directory: Path) -> tuple[Launched, ExitStack]:
    stack = ExitStack()
    return stack.enter_context(launched(SCENARIOS / f"{name}.yaml", variant, upstream, directory)), stack
