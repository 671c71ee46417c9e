"""Plugins that decide who gets in. One that the language lacks is replaced by a signed token that nobody has yet."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.identity import assume_api_key, assume_jwt, close
from gwc.imports.kong.consumers import Consumers
from gwc.imports.tree import Word

_GUARDS = frozenset({
    *("basic-auth", "hmac-auth", "ldap-auth", "ldap-auth-advanced", "oauth2", "oauth2-introspection", "mtls-auth"),
    *("session", "ip-restriction", "acl", "vault-auth", "jwe-decrypt", "opa", "header-cert-auth", "saml"),
    *("authz-openfga", "jwt-signer", "upstream-oauth"),
})  # fmt: skip
_ACCESS = _GUARDS | {"key-auth", "key-auth-enc", "jwt", "openid-connect"}


def add_auth(
    route: Table, held: Mapping[str, Word], platform: Table, consumers: Consumers, findings: Findings
) -> frozenset[str]:
    """Writes `auth`; the plugins that it has dealt with."""
    asked = _credentials(held, platform, consumers, findings)
    guards = [held[name] for name in sorted(_GUARDS & held.keys())]
    for guard in guards:
        what = f"the plugin {guard['name'].text[:60]} has no counterpart in a policy"
        findings.approximate(guard["name"].span, what, "nobody gets in until you write auth by hand")
        guard.mark()
    if guards:
        _closed(route, guards, platform, findings)
    elif asked:
        _open(route, asked, findings)
    else:
        route.put("auth", "none", route.span)
    return _ACCESS


def _credentials(
    held: Mapping[str, Word], platform: Table, consumers: Consumers, findings: Findings
) -> dict[str, Word]:
    """The language's credentials that Kong asks for, with the plugin that does."""
    asked = {}
    for name in ("openid-connect", "jwt"):
        if name in held:
            _token(held, platform, consumers, findings)
            asked["jwt"] = held[name]
    for name in ("key-auth", "key-auth-enc"):
        if name in held:
            _key(held[name], platform, consumers, findings)
            asked["api_key"] = held[name]
    return asked


def _open(route: Table, asked: Mapping[str, Word], findings: Findings) -> None:
    provider, plugin = next(iter(asked.items()))
    place = plugin["name"].span
    if len(asked) > 1:
        what = "Kong asks for all of these credentials, a policy for any one of them: the API key is not asked for"
        findings.approximate(place, what, "let the service check the other")
    route.put("auth.any_of", [provider], place)


def _closed(route: Table, guards: list[Word], platform: Table, findings: Findings) -> None:
    """Groups of `acl` are scopes that an issuer can grant; for every other guard there is no such thing."""
    first = guards[0]
    close(route, platform, first["name"].text, first["name"].span, findings)
    groups = first["config"]["allow"].texts()
    scopes = [group for group in groups if re.fullmatch(r"[A-Za-z0-9_.:/-]{1,100}", group)]
    if scopes and [guard["name"].text for guard in guards] == ["acl"]:
        route.put("auth.scopes", scopes, first["name"].span, "groups of acl, of which Kong asked for one")


def _key(plugin: Word, platform: Table, consumers: Consumers, findings: Findings) -> None:
    config = plugin["config"]
    names = config["key_names"].texts() or ["apikey"]
    if len(names) > 1:
        findings.left_out(config["key_names"].span, f"API keys in {', '.join(names[1:])[:60]}", "there is one header")
    if config["key_in_query"].value is not False or config["key_in_body"].yes:
        what = "API keys are read from a header alone"
        findings.approximate(plugin["name"].span, what, "a key in a URL ends up in logs")
    if config["anonymous"].there:
        findings.approximate(config["anonymous"].span, "callers without a key are refused", "auth: none opens a route")
    header = "-".join(part.capitalize() for part in names[0].replace("_", "-").split("-"))
    assume_api_key(platform, header, plugin["name"].span, findings, keys=consumers.keys)


def _token(held: Mapping[str, Word], platform: Table, consumers: Consumers, findings: Findings) -> None:
    plugin = held.get("openid-connect") or held["jwt"]
    config = plugin["config"]
    issuer = config["issuer"].text.removesuffix("/.well-known/openid-configuration")
    audience = tuple(config.first("audience_required", "audience").texts())
    if issuer:
        assume_jwt(platform, config["issuer"].span, findings, issuer=issuer, audience=audience)
        return
    for known in consumers.issuers or ("",):
        assume_jwt(platform, plugin["name"].span, findings, issuer=known if known.startswith("http") else "")
