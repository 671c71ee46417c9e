"""`jwt_authn` and other guards -> who may call a route."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from gwc.imports.draft import Draft, Table
from gwc.imports.findings import Findings
from gwc.imports.identity import KEY_FILE, assume_jwt, close
from gwc.imports.tree import Word
from gwc.imports.values import slug

_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})


@dataclass
class Access:
    draft: Draft
    findings: Findings
    _tokens: Word | None = None
    _guards: dict[str, Word] = field(default_factory=dict)

    @property
    def platform(self) -> Table:
        return self.draft.platform

    def tokens(self, config: Word) -> None:
        self._tokens = config
        for name, _, _ in config["providers"].items():
            self._provider(name, config["providers"][name])

    def _provider(self, name: str, provider: Word) -> None:
        issuer, audience = provider["issuer"], tuple(provider["audiences"].texts())
        uri = provider["remote_jwks"]["http_uri"]["uri"]
        provider["remote_jwks"].mark()
        file = self._file(name, provider["local_jwks"])
        place = issuer if issuer.there else provider
        assume_jwt(
            self.platform, place.span, self.findings, issuer=issuer.text, audience=audience, keys=uri.text, file=file
        )
        leeway = provider["clock_skew_seconds"]
        if leeway.number is not None:
            self._of_issuer("leeway", f"{leeway.number:.0f}s", leeway)

    def _file(self, name: str, local: Word) -> str:
        """The file beside the policies that holds a key set of the configuration; empty where there is none."""
        inline = local["inline_string"]
        if inline.there and _are_public(inline.text):
            file = KEY_FILE if KEY_FILE not in self.draft.files else f"keys/{slug(name, 'issuer')}.json"
            self.draft.files[file] = inline.text.strip() + "\n"
            return file
        if inline.there:
            hint = "publish the public keys alone, in keys/jwks.json beside platform.yaml"
            self.findings.secret(inline.span, "a key set that may hold private keys; it is not copied", hint)
        elif local.there:
            hint = "put the key set into keys/jwks.json, beside platform.yaml"
            self.findings.left_out(local.span, "a key set that is in another file", hint)
            local.mark()
        return ""

    def _of_issuer(self, key: str, value: str, word: Word) -> None:
        identity = self.platform.items.get("identity")
        rows = identity.rows("jwt") if isinstance(identity, Table) else []
        if rows:
            rows[-1].put(key, value, word.span)

    def guard(self, name: Word, what: str) -> None:
        self._guards[what] = name
        hint = "nobody gets in until you write auth by hand"
        self.findings.approximate(name.span, f"the filter {name.text[:60]} has no counterpart in a policy", hint)

    def apply(self, route: Table, path: str, changes: list[dict[str, Word]]) -> None:
        guard = next((one for what, one in self._guards.items() if not _is_off(what, changes)), None)
        token = self._required(path, changes)
        if guard is not None:
            close(route, self.platform, guard.text, guard.span, self.findings)
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


def _are_public(text: str) -> bool:
    """A key set of which nothing is private."""
    try:
        keys = json.loads(text)["keys"]
        return bool(keys) and not any(_PRIVATE & key.keys() for key in keys)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


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
