"""What credentials rest on (GWC418 to GWC419)."""

from __future__ import annotations

from gwc.ir import Gateway
from gwc.lint.rule import Finding, Findings, GatewayRule, Rule

LEAST_BITS = 2048


class WeakKey(GatewayRule):
    """A key that can be computed from what everybody sees.

    ## What it does
    Looks for RSA keys of fewer than 2,048 bits in the key sets that policies name.

    ## Why is this bad?
    The public key is public. From a short one the private key can be computed, and with that anybody signs tokens for
    any user.

    ## Example
    ```yaml
    # policies/platform.yaml
    identity: {jwt: {issuer: "https://id.example.com/", audience: [shop], jwks: {file: keys-512.json}}}
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    identity: {jwt: {issuer: "https://id.example.com/", audience: [shop], jwks: {file: keys.json}}}
    ```

    ## References
    - [RFC 7518, 3.3: a key of size 2048 bits or larger](https://www.rfc-editor.org/rfc/rfc7518#section-3.3)
    """

    code, name = "GWC418", "weak-key"

    def check(self, gateway: Gateway) -> Findings:
        import json

        for provider in gateway.identity.jwt:
            for key in json.loads(provider.jwks)["keys"] if provider.jwks else ():
                bits = _bits(key.get("n", "")) if key["kty"] == "RSA" else LEAST_BITS
                if bits < LEAST_BITS:
                    named = f"the key `{key['kid']}`" if "kid" in key else "a key"
                    yield Finding(
                        provider.provenance["jwks"].span,
                        "",
                        f"{named} of {provider.issuer} has about {bits} bits",
                        f"sign with an RSA key of {LEAST_BITS} bits or more, or with ES256",
                    )


def _bits(modulus: str) -> int:
    """Of a number in base64url: six bits a character, and the padding rounded off."""
    return len(modulus.rstrip("=")) * 6 // 8 * 8


RULES: tuple[type[Rule], ...] = (WeakKey,)
