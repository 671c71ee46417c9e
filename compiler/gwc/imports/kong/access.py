"""Plugins that decide who gets in. One that the language lacks is replaced by a signed token that nobody has yet."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.identity import assume_api_key, assume_jwt
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
    providers: list[str] = []
    for name in ("key-auth", "key-auth-enc"):
        if name in held:
            _key(held[name], platform, consumers, findings)
            providers.append("api_key")
    if "jwt" in held or "openid-connect" in held:
        _token(held, platform, consumers, findings)
        providers.append("jwt")
    guards = [held[name] for name in sorted(_GUARDS & held.keys())]
    place = (guards or [held[name] for name in held if name in _ACCESS] or [Word(None, route.span)])[0]
    for guard in guards:
        hint = "callers must bring a signed token instead, until you write auth by hand"
        what = f"the plugin {guard['name'].text[:60]} has no counterpart in a policy"
        findings.approximate(guard["name"].span, what, hint)
        guard.mark()
    if guards:
        assume_jwt(platform, place["name"].span, findings)
        _closed(route, held, place)
    elif providers:
        route.put("auth.any_of", sorted(set(providers), reverse=True), place["name"].span)
        if len(providers) > 1:
            what = "Kong asks for all of these credentials, a policy for any one of them"
            findings.approximate(place["name"].span, what, "keep the one that you need")
            route.put("auth.any_of", ["jwt"], place["name"].span, "and an API key, in Kong")
    else:
        route.put("auth", "none", route.span)
    return _ACCESS


def _closed(route: Table, held: Mapping[str, Word], place: Word) -> None:
    route.put("auth.any_of", ["jwt"], place["name"].span, f"was {place['name'].text[:40]}")
    groups = held["acl"]["config"]["allow"].texts() if "acl" in held else []
    scopes = [group for group in groups if re.fullmatch(r"[A-Za-z0-9_.:/-]{1,100}", group)]
    if scopes:
        route.put("auth.scopes", scopes, place["name"].span, "groups of acl, of which Kong asked for one")


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
