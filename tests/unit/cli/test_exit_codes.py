"""Each exit code of the command line is reached, and the same in every format."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gwc.cli.exits import ExitCode

from .conftest import Gwc, Project
from .fakes import FakeTarget

Change = Callable[[Project, dict[str, FakeTarget]], None]


def _clean(project: Project, targets: dict[str, FakeTarget]) -> None:
    pass


def _mistake(project: Project, targets: dict[str, FakeTarget]) -> None:
    project.replace("shop.yaml", "owner:", "ownr:")


def _unreadable(project: Project, targets: dict[str, FakeTarget]) -> None:
    for file in (project.path / "policies").iterdir():
        file.unlink()


def _unsupported(project: Project, targets: dict[str, FakeTarget]) -> None:
    project.replace("shop.yaml", "auth: none", "auth: none\ncors: {origins: ['https://app.example.com']}")


def _engine_missing(project: Project, targets: dict[str, FakeTarget]) -> None:
    targets["alpha"].engine.installed = False


def _bug(project: Project, targets: dict[str, FakeTarget]) -> None:
    targets["alpha"].fault = ZeroDivisionError()


WAYS: dict[ExitCode, Change] = {
    ExitCode.OK: _clean,
    ExitCode.FINDINGS: _mistake,
    ExitCode.USAGE: _unreadable,
    ExitCode.UNSUPPORTED: _unsupported,
    ExitCode.ENVIRONMENT: _engine_missing,
    ExitCode.INTERNAL: _bug,
}


def test_every_code_has_a_way() -> None:
    by_signal = {ExitCode.INTERRUPTED, ExitCode.BROKEN_PIPE}  # reached in test_usage.py, by a process of its own
    by_change = {ExitCode.CHANGED, ExitCode.CHANGED_GRAVELY}  # of `gwc diff` alone: tests/diff/test_command.py
    assert set(WAYS) | by_signal | by_change == set(ExitCode)


@pytest.mark.parametrize("code", WAYS)
@pytest.mark.parametrize("output", ["text", "json"])
def test_code(gwc: Gwc, project: Project, targets: dict[str, FakeTarget], code: ExitCode, output: str) -> None:
    WAYS[code](project, targets)
    result = gwc("verify", "--now=2026-11-23", "--format", output)
    assert result.code == code
    assert "Traceback" not in result.err


def test_a_mixture_of_mistakes_and_unsupported_features_is_a_mistake(
    gwc: Gwc, project: Project, targets: dict[str, FakeTarget]
) -> None:
    _unsupported(project, targets)
    project.write("platform.yaml", (project.path / "policies/platform.yaml").read_text() + "targets: {alhpa: {}}\n")
    assert gwc("compile", "--now=2026-11-23").code == 1


def test_input_and_output_that_fail_unforeseen_are_the_environments_fault(
    gwc: Gwc, project: Project, targets: dict[str, FakeTarget]
) -> None:
    targets["alpha"].fault = OSError(28, "No space left on device", "/var/tmp/x")
    result = gwc("compile", "--now=2026-11-23")
    assert (result.code, result.err) == (4, "gwc: error: /var/tmp/x: No space left on device\n")
