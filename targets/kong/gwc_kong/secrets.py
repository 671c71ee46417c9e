"""Secrets by reference: Kong's env vault reads an environment variable, and nothing else without a vault server."""

from __future__ import annotations

from gwc.ir import Gateway, Secret
from gwc.target import SecretOutput

SECRETS_FILE = "secrets/kong.secrets.env"


def vault_reference(secret: Secret, variable: str) -> str:
    """Where Kong finds the value: the policy's own variable, or `variable` for what the policy keeps in a file."""
    name = secret.name if secret.source == "env" else variable
    return "{vault://env/" + name.lower().replace("_", "-") + "}"


def secret_outputs(gateway: Gateway, variable: str) -> tuple[SecretOutput, ...]:
    """The environment file with the secrets that the policy keeps in files."""
    proof = gateway.identity.gateway_secret
    if proof is None or proof.secret.source == "env":
        return ()
    return (SecretOutput(SECRETS_FILE, (proof.secret,), lambda values: _assignment(variable, values[0])),)


def _assignment(variable: str, value: str) -> str:
    text = value.rstrip("\r\n")
    if any(ord(char) < 0x20 for char in text):
        raise ValueError(f"{variable}: an environment file takes one line, and the secret has more")
    return f"{variable}={text}\n"
