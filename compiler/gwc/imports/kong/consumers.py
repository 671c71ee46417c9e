"""Kong's consumers -> the names of those who have an API key; the keys themselves stay where they are."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gwc.imports.findings import Findings
from gwc.imports.tree import Word
from gwc.imports.values import Names, environment_name, slug

_VAULT = re.compile(r"\{vault://env/([A-Za-z0-9_-]+)\}\Z|\$?\{\{ *env +\\?\"([A-Za-z0-9_]+)\\?\" *\}\}\Z")
"""Kong's own reference to an environment variable, and decK's."""


@dataclass(frozen=True, slots=True)
class Consumers:
    """`keys` are consumers with the environment variable that holds their key; `issuers` those of signed tokens."""

    keys: tuple[tuple[str, str], ...]
    issuers: tuple[str, ...]


def read_consumers(root: Word, findings: Findings) -> Consumers:
    names, keys, issuers = Names(), [], []
    for one in root["consumers"].each():
        name = names.take(slug(one.first("username", "custom_id").text, "consumer"))
        for index, credential in enumerate(one["keyauth_credentials"].each()):
            keys.append((f"{name}-{index + 1}" if index else name, _key(credential["key"], name, index, findings)))
        for secret in one["jwt_secrets"].each():
            issuers.append(secret["key"].text)
            _signing(secret, findings)
            secret.mark()
        _rest(one, findings)
    return Consumers(tuple(keys), tuple(issuer for issuer in issuers if issuer))


def _key(word: Word, name: str, index: int, findings: Findings) -> str:
    if match := _VAULT.match(word.text):
        return environment_name(match[1] or match[2])
    variable = environment_name("KEY", name, str(index + 1) if index else "")
    hint = f"put it into the environment variable {variable} of the gateway"
    findings.secret(word.span, f"the API key of {name} is not copied", hint)
    return variable


def _signing(secret: Word, findings: Findings) -> None:
    if secret["secret"].there:
        hint = "let the issuer sign with RS256 or ES256, and publish its keys"
        findings.secret(secret["secret"].span, "a secret that tokens are signed with is not copied", hint)
    if secret["rsa_public_key"].there:
        hint = "put it into keys/jwks.json as a JSON Web Key"
        findings.left_out(secret["rsa_public_key"].span, "a public key in PEM", hint)


def _rest(one: Word, findings: Findings) -> None:
    for key, value, span in one.items():
        if key.endswith("_credentials") and key != "keyauth_credentials":
            hint = "callers bring a signed token or an API key"
            for credential in value.each():
                secret = credential.first("password", "secret")
                findings.secret(secret.span if secret.there else span, f"`{key[:60]}` are not imported", hint)
            one[key].mark()
        elif key == "plugins":
            findings.left_out(span, "plugins of one consumer", "limits are the same for all users of a route")
            one[key].mark()
