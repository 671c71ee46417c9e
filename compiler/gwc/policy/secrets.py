"""Secrets and files: named, never held."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from gwc.policy.types import COMBINATION, AbsolutePath, EnvironmentVariable, Maybe, Model, SecretFile, fault


class SecretSource(Model):
    """Where the gateway's host keeps a secret: an environment variable or a file, exactly one of them."""

    env: Maybe[EnvironmentVariable] = None
    file: Maybe[SecretFile] = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise fault(
                COMBINATION, "name the secret by exactly one of `env` and `file`", "write {env: NAME} or {file: /path}"
            )
        return self


class SecretReference(Model):
    secret: SecretSource


class FileReference(Model):
    """A file on the gateway's host."""

    file: AbsolutePath
