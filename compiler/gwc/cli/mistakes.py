"""Mistakes in what a command was given: errors of the stages below, as the CommandErrors that people read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gwc.cli.exits import CommandError, ExitCode
from gwc.source import SourceError
from gwc.suggest import UnknownNameError, did_you_mean


@contextmanager
def told(hint: str = "name the policies with --policies") -> Iterator[None]:
    """Raises CommandError for a path that cannot be read, with `hint`, and for a name that nobody knows."""
    try:
        yield
    except SourceError as error:
        raise CommandError(ExitCode.USAGE, str(error), hint) from error
    except UnknownNameError as error:
        raise CommandError(ExitCode.USAGE, str(error), _suggestion(error.name, error.known)) from error


def check_targets(names: Sequence[str]) -> None:
    """Mistyped names of `-t` fail before any work is done, and before any target is imported."""
    from gwc.discovery import check_names

    with told():
        check_names(names)


def _suggestion(name: str, known: Sequence[str]) -> str:
    """The closest of `known`, and all of them."""
    if not known:
        return "there are none"
    return " ".join(part for part in (did_you_mean(name, known), f"known: {', '.join(known)}") if part)
