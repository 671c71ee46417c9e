"""What stands between a command and the shell: every way in which a command can end becomes an exit code."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from gwc.cli.exits import CommandError, ExitCode

P = ParamSpec("P")


def guarded(command: Callable[P, ExitCode]) -> Callable[P, None]:
    """`command` as typer runs it: leaves with the code that `command` returns or that its failure stands for."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        import typer  # which brought us here, or nobody did

        raise typer.Exit(int(outcome(lambda: command(*args, **kwargs))))

    return run


def in_one_go(command: Callable[P, ExitCode]) -> Callable[P, ExitCode]:
    """`command` without the collector of cycles: for one that ends as soon as its work is done.

    All that it makes lives until then, and each look at all of it would cost nearly as much as making it.
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> ExitCode:
        collecting = gc.isenabled()
        gc.disable()
        try:
            return command(*args, **kwargs)
        finally:
            if collecting:
                gc.enable()

    return run


def outcome(command: Callable[[], ExitCode]) -> ExitCode:
    """How `command` ends, whatever happens in it."""
    try:
        code = command()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        silence_stdout()
        return ExitCode.BROKEN_PIPE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except CommandError as error:
        return _failed(error)
    except OSError as error:
        return _failed(_environment(error))
    except Exception as error:  # noqa: BLE001  the last line of defence: a traceback is no message
        return _internal(error)


def silence_stdout() -> None:
    """Let the flush at exit go nowhere: the reader of standard output has left, or its disk is full."""
    try:
        descriptor = sys.stdout.fileno()
    except io.UnsupportedOperation:
        return  # standard output is an object of a program that runs us; its flush cannot fail
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def say(text: str) -> None:
    """A line on standard error, for people."""
    sys.stderr.write(line_for_people(text))


def line_for_people(text: str) -> str:
    """As `say` writes it."""
    from gwc.report.excerpt import printable

    return f"gwc: {printable(text)}\n"


def _environment(error: OSError) -> CommandError:
    """A full disk, no room for a temporary directory: nobody's mistake, and no bug."""
    silence_stdout()  # what it still holds would fail again at exit
    place = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return CommandError(ExitCode.ENVIRONMENT, f"{place}{error.strerror or type(error).__name__}")


def _failed(error: CommandError) -> ExitCode:
    say(f"error: {error.message}")
    if error.hint:
        say(f"hint: {error.hint}")
    return error.code


def _internal(error: Exception) -> ExitCode:
    import traceback

    # The text of an unforeseen exception may hold anything, a secret too: it is shown only on request.
    if os.environ.get("GWC_DEBUG") == "1":
        traceback.print_exception(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    say(f"internal error: {type(error).__name__} at {os.path.basename(frame.filename)}:{frame.lineno} ({frame.name})")
    say("this is a bug in gwc: please report the line above, the output of gwc --version, and the policy")
    say("GWC_DEBUG=1 shows the traceback; look it over before you share it")
    return ExitCode.INTERNAL
