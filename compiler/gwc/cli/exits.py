"""Exit codes, and the one exception with which a command ends early."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The same in every output format. 130 and 141 are the shell's: 128 and the signal's number."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    UNSUPPORTED = 3
    ENVIRONMENT = 4
    CHANGED = 10
    CHANGED_GRAVELY = 11
    INTERNAL = 70
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class CommandError(Exception):
    """Ends a command with `code`; `hint` says what to do instead."""

    def __init__(self, code: ExitCode, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint
