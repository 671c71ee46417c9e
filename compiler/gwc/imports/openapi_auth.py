"""Security schemes of an OpenAPI description -> who may call a route, and what the platform must know for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from gwc.diagnostics import Span
from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.identity import assume_api_key, assume_jwt, closing_scope
from gwc.imports.tree import Word

_NOT_HAD = "the language has signed tokens and API keys; nobody gets in until you write auth by hand"


@dataclass(frozen=True)
class Needed:
    """`providers` empty: public. `closed`: by a scope that nobody has, for what the language lacks."""

    providers: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    closed: bool = False


@dataclass
class Security:
    root: Word
    platform: Table
    findings: Findings
    _said: set[Span] = field(default_factory=set)
    _inherited: tuple[str, ...] = ()

    def of_service(self, service: Table) -> None:
        """What holds for operations that say nothing of their own."""
        word = self.root["security"]
        needed = self._needed(word) if word.there else Needed(())
        if not word.there:
            hint = "write auth: {any_of: [jwt]} where that is wrong"
            self.findings.assumed(
                self.root.span, "the description asks for no credentials: its routes are public", hint
            )
        self._inherited = needed.scopes
        _put(service, needed, word.span)

    def key(self, operation: Word) -> object:
        word = operation["security"]
        return self._needed(word) if word.node is not None else None

    def of_route(self, route: Table, operation: Word) -> None:
        word = operation["security"]
        if word.node is not None:
            _put(route, self._needed(word), word.span, self._inherited)

    def _needed(self, word: Word) -> Needed:
        word.mark()
        alternatives = [self._alternative(one) for one in word.each()]
        if not alternatives:
            return Needed(())
        if any(not one.providers for one in alternatives):
            if len(alternatives) == 1:
                return alternatives[0]
            self._once(word.span, "credentials are optional here, and the policy asks for them", "auth: none opens it")
            alternatives = [one for one in alternatives if one.providers]
        if any(not one.closed for one in alternatives):
            alternatives = [one for one in alternatives if not one.closed]
        providers = tuple(dict.fromkeys(provider for one in alternatives for provider in one.providers))
        scopes = tuple(dict.fromkeys(scope for one in alternatives for scope in one.scopes))
        if len({one.scopes for one in alternatives}) > 1:
            self._once(word.span, "alternatives with different scopes: the policy asks for all of them")
        return Needed(providers, scopes if "jwt" in providers else ())

    def _alternative(self, requirement: Word) -> Needed:
        schemes = [(name, scopes, span) for name, scopes, span in requirement.items()]
        if len(schemes) > 1:
            hint = "the policy asks for one; a service behind it can check the other"
            self._once(requirement.span, "several credentials are needed together", hint)
        found = [self._scheme(name, scopes, span) for name, scopes, span in schemes]
        closed = next((one for one in found if one.closed), None)
        first = next((one for one in found if "jwt" in one.providers), found[0] if found else Needed(()))
        return closed or first

    def _scheme(self, name: str, scopes: Word, span: Span) -> Needed:
        scheme = self.root.at("components.securitySchemes")[name]
        kind, where = scheme["type"].text, scheme["in"].text
        if kind == "apiKey" and where == "header":
            assume_api_key(self.platform, scheme["name"].text, scheme["name"].span, self.findings)
            return Needed(("api_key",))
        bearer = kind == "http" and scheme["scheme"].text.lower() == "bearer"
        if not (bearer or kind in ("oauth2", "openIdConnect")):
            what = f"{kind or 'an undeclared scheme'}{f' in {where}' if where else ''}"[:60]
            self._once(scheme.span if scheme.there else span, f"credentials of the kind {what}", _NOT_HAD)
            assume_jwt(self.platform, scheme.span if scheme.there else span, self.findings)
            return Needed(("jwt",), (closing_scope(kind or name),), closed=True)
        url = scheme["openIdConnectUrl"].text
        issuer = url.removesuffix("/.well-known/openid-configuration") if url != "" else ""
        assume_jwt(self.platform, scheme.span if scheme.there else span, self.findings, issuer=issuer)
        return Needed(("jwt",), tuple(scopes.texts()) if kind in ("oauth2", "openIdConnect") else ())

    def _once(self, span: Span, what: str, instead: str = "") -> None:
        if span not in self._said:
            self._said.add(span)
            self.findings.approximate(span, what, instead)


def _put(table: Table, needed: Needed, span: Span, inherited: tuple[str, ...] = ()) -> None:
    if not needed.providers:
        table.put("auth", "none", span)
        return
    table.put("auth.any_of", list(needed.providers), span)
    if needed.scopes or inherited:
        table.put("auth.scopes", list(needed.scopes), span)
