"""Secret files: written only when asked, from the environment and the files of that moment, or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from gwc import observed
from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.output import NewFile
from gwc.cli.transaction import Mode
from gwc.compile import Rendered
from gwc.ir import Secret
from gwc.manifest import SECRETS, is_secret
from gwc.target import SecretOutput

_INDEX = f"{SECRETS}/.gwc"
"""Lists the files beside it that gwc wrote, as the manifest must not."""

_PRIVATE = Mode(private=True)
_IGNORE = NewFile("# Secrets of this machine: never to be committed.\n*\n", _PRIVATE)


def needed(rendered: Sequence[Rendered], directory: Path) -> Iterator[str]:
    """A line for each secret file that a gateway needs and that is not there yet."""
    for one in rendered:
        for output in one.artifact.secrets:
            path = directory / one.name / output.path
            observed.kind(str(path))
            if not path.exists():
                yield f"{one.name} still needs {path} (from {' and '.join(map(describe, output.secrets))})"


def secret_files(rendered: Sequence[Rendered]) -> dict[str, NewFile]:
    """All secret files by their path below the build directory. Raises CommandError naming every secret that lacks."""
    values = _values(rendered)
    files: dict[str, NewFile] = {}
    for one in rendered:
        if one.artifact.secrets:
            own = {f"{one.name}/{output.path}": _render(one.name, output, values) for output in one.artifact.secrets}
            listing = json.dumps(sorted(output.path for output in one.artifact.secrets)) + "\n"
            files |= {
                f"{one.name}/{SECRETS}/.gitignore": _IGNORE,
                f"{one.name}/{_INDEX}": NewFile(listing, _PRIVATE),
            }
            files |= own
    return files


def own_secret_files(directory: Path, target: str) -> frozenset[str]:
    """The paths below `directory` of the secret files that gwc wrote for `target`."""
    index = directory / target / _INDEX
    try:
        listed = json.loads(index.read_text("utf-8"))
    except (OSError, ValueError):
        return frozenset()  # nobody's word that they are ours: they stay
    names = [n for n in listed if isinstance(n, str)] if isinstance(listed, list) else []
    return frozenset(f"{target}/{name}" for name in (*filter(is_secret, names), _INDEX, f"{SECRETS}/.gitignore"))


def describe(secret: Secret) -> str:
    """A secret by its reference, as messages name it."""
    return f"the environment variable {secret.name}" if secret.source == "env" else f"the file {secret.name}"


def _values(rendered: Sequence[Rendered]) -> dict[tuple[str, str], str]:
    wanted = {(s.source, s.name): s for one in rendered for output in one.artifact.secrets for s in output.secrets}
    values = {key: read_secret(secret) for key, secret in wanted.items()}
    missing = [describe(wanted[key]) for key, value in sorted(values.items()) if not value]
    if missing:
        hint = "set it where gwc runs, or compile without --with-secrets and provide the files on the gateway's host"
        raise CommandError(ExitCode.USAGE, f"no value for a secret: {', '.join(missing)}", hint)
    return {key: value for key, value in values.items() if value}


def read_secret(secret: Secret) -> str | None:
    """Its value on this machine; None or nothing where it has none."""
    if secret.source == "env":
        return os.environ.get(secret.name)
    try:
        return Path(secret.name).read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError):
        return None


def _render(target: str, output: SecretOutput, values: dict[tuple[str, str], str]) -> NewFile:
    try:
        return NewFile(output.render(tuple(values[s.source, s.name] for s in output.secrets)), _PRIVATE)
    except ValueError:
        # Its text may quote the value.
        names = " or ".join(map(describe, output.secrets))
        raise CommandError(ExitCode.USAGE, f"{target} cannot hold the value of {names}") from None
