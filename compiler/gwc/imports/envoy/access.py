"""`jwt_authn` and other guards -> who may call a route."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.identity import assume_jwt
from gwc.imports.tree import Word

_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})


@dataclass
class Access:
    platform: Table
    findings: Findings
    _tokens: Word | None = None
    _guards: dict[str, Word] = field(default_factory=dict)

    def tokens(self, config: Word) -> None:
        self._tokens = config
        for name, _, _ in config["providers"].items():
            self._provider(config["providers"][name])

    def _provider(self, provider: Word) -> None:
        issuer, audience = provider["issuer"], tuple(provider["audiences"].texts())
        uri = provider["remote_jwks"]["http_uri"]["uri"]
        provider["remote_jwks"].mark()
        local = provider["local_jwks"].first("inline_string", "inline_bytes")
        if local.there and self._is_private(local.text):
            hint = "publish the public keys alone"
            self.findings.secret(local.span, "a key set with private keys; it is not copied", hint)
        elif provider["local_jwks"].there:
            hint = "put the key set into keys/jwks.json, beside platform.yaml"
            self.findings.left_out(
                provider["local_jwks"].span, "a key set that is written into the configuration", hint
            )
        place = issuer if issuer.there else provider
        assume_jwt(self.platform, place.span, self.findings, issuer=issuer.text, audience=audience, keys=uri.text)
        leeway = provider["clock_skew_seconds"]
        if leeway.number is not None:
            self._of_issuer("leeway", f"{leeway.number:.0f}s", leeway)

    def _of_issuer(self, key: str, value: str, word: Word) -> None:
        identity = self.platform.items.get("identity")
        rows = identity.rows("jwt") if isinstance(identity, Table) else []
        if rows:
            rows[-1].put(key, value, word.span)

    def _is_private(self, text: str) -> bool:
        try:
            keys = json.loads(text)["keys"]
            return any(_PRIVATE & key.keys() for key in keys)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return False

    def guard(self, name: Word, what: str) -> None:
        self._guards[what] = name
        hint = "callers must bring a signed token instead, until you write auth by hand"
        self.findings.approximate(name.span, f"the filter {name.text[:60]} has no counterpart in a policy", hint)

    def apply(self, route: Table, path: str, changes: list[dict[str, Word]]) -> None:
        guard = next((one for what, one in self._guards.items() if not _is_off(what, changes)), None)
        token = self._required(path, changes)
        if guard is not None:
            assume_jwt(self.platform, guard.span, self.findings)
            route.put("auth.any_of", ["jwt"], guard.span, f"was {guard.text[:60]}")
        elif token is not None:
            route.put("auth.any_of", ["jwt"], token.span)
        else:
            route.put("auth", "none", route.span)

    def _required(self, path: str, changes: list[dict[str, Word]]) -> Word | None:
        """Where a token is asked for on `path`; None where nobody asks."""
        config = self._tokens
        if config is None:
            return None
        for changed in reversed(changes):
            own = changed.get("JwtAuthentication")
            if own is not None and own["disabled"].yes:
                return None
            if own is not None and own["requirement_name"].text:
                return own["requirement_name"]
        for rule in config["rules"].each():
            fit = _fit(rule["match"], path)
            rule["match"].mark()
            if not fit:
                continue
            requires = (
                rule["requires"] if rule["requires"].there else config["requirement_map"][rule["requirement_name"].text]
            )
            rule["requirement_name"]
            if not requires.there:
                if fit == "whole":
                    return None
                continue
            self._optional(requires)
            if fit == "part":
                what = f"a token is asked for on all of {path[:80]}, and Envoy asks on a part of it"
                self.findings.approximate(requires.span, what, "write a route of its own for what is public")
            return requires
        return None

    def _optional(self, requires: Word) -> None:
        for key in ("allow_missing", "allow_missing_or_failed", "requires_all"):
            every = [requires[key], *(one[key] for one in requires["requires_any"]["requirements"].each())]
            for word in every:
                if word.there:
                    what = (
                        "every token is one of those that any issuer signs"
                        if key == "requires_all"
                        else ("credentials are optional here, and the policy asks for them")
                    )
                    self.findings.approximate(word.span, what, "auth: none opens a route")
        requires.mark()

    def settle(self) -> None:
        """What rules say of paths that no route has."""
        if self._tokens is not None:
            for rule in self._tokens["rules"].each():
                rule["requires"].mark()
                rule["match"].mark()
            self._tokens["requirement_map"].mark()


def _fit(match: Word, path: str) -> str:
    """Whether a rule is about the whole of a template's paths, a part of them, or none."""
    stem = path.removesuffix("**").partition("{")[0]
    exact, prefix = match["path"].text, match.first("prefix", "path_separated_prefix").text
    if match["safe_regex"].there:
        return "part"
    if exact:
        return "whole" if exact == path else "part" if exact.startswith(stem) and stem != path else ""
    if stem.startswith(prefix) or path == prefix:
        return "whole"
    return "part" if prefix.startswith(stem) and stem != path else ""


def _is_off(what: str, changes: list[dict[str, Word]]) -> bool:
    for changed in reversed(changes):
        if what in changed:
            return changed[what]["disabled"].yes
    return False
