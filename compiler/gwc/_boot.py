"""Start-up. Standard library only, so that `gwc --version` costs little more than a bare Python."""

import gc
import os
import sys


def main() -> int:
    """Answer `--version` at once; hand everything else to the typer application."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        _answer_version()
    if sys.argv[1:2] in (["lint"], ["compile"]):
        _answer_again()
    from gwc.cli import run

    in_one_go = sys.argv[1:2] in (["lint"], ["compile"], ["diff"], ["verify"])
    if in_one_go:
        gc.disable()  # what such a command makes lives until it ends: see gwc.cli.guard
    code = run(sys.argv[1:])
    if in_one_go:
        _end(code)
    return code


def _end(code: int) -> None:
    """End the process without taking apart what it made, object by object: of many policies these are millions."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return  # a stream that is closed: the interpreter knows how to end then
    os._exit(code)


def _answer_again() -> None:
    """Print what the same run said before and end the process, where nothing has changed since."""
    from gwc.cli import again

    if (code := again.answered(sys.argv[1:])) is not None:
        os._exit(code)


def _answer_version() -> None:
    """Print the version and end the process."""
    from gwc import __version__

    try:
        sys.stdout.write(f"gwc {__version__}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(141)
    os._exit(0)  # the interpreter's tear-down has nothing to do here, and would be a tenth of the whole time
