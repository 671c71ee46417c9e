"""Secrets by reference: Kong's env vault reads an environment variable, and nothing else without a vault server."""

from __future__ import annotations

from collections.abc import Iterable

from gwc.ir import Secret
from gwc.target import SecretOutput

SECRETS_FILE = "secrets/kong.secrets.env"


def vault_reference(secret: Secret, variable: str) -> str:
    """Where Kong finds the value: the policy's own variable, or `variable` for what the policy keeps in a file."""
    name = secret.name if secret.source == "env" else variable
    return "{vault://env/" + name.lower().replace("_", "-") + "}"


def secret_outputs(named: Iterable[tuple[str, Secret]]) -> tuple[SecretOutput, ...]:
    """The environment file with the secrets that the policy keeps in files, each under its variable."""
    kept = [(variable, secret) for variable, secret in named if secret.source == "file"]
    if not kept:
        return ()
    names = [variable for variable, _ in kept]
    return (
        SecretOutput(SECRETS_FILE, tuple(secret for _, secret in kept), lambda values: _assignments(names, values)),
    )


def _assignments(names: list[str], values: tuple[str, ...]) -> str:
    return "".join(_assignment(name, value) for name, value in zip(names, values, strict=True))


def _assignment(variable: str, value: str) -> str:
    text = value.rstrip("\r\n")
    if any(ord(char) < 0x20 for char in text):
        raise ValueError(f"{variable}: an environment file takes one line, and the secret has more")
    return f"{variable}={text}\n"
