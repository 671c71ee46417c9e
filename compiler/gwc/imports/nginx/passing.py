"""`proxy_pass` and what belongs to it: the service's address, the part of the path that is stripped, and retries."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.masking import without_user
from gwc.imports.nginx.locations import Place
from gwc.imports.nginx.scope import Scope
from gwc.imports.nginx.syntax import Directive
from gwc.imports.nginx.upstreams import Upstreams

_URL = re.compile(r"(https?)://([^/\s]+)(/.*)?\Z")
_STRIPPING = re.compile(r"\^(/[A-Za-z0-9_./~-]*[A-Za-z0-9_~-])(?:/\(\.\*\)|\(/?\.\*\)|\(/\.\*\)|/\?\(\.\*\))\$?\Z")
_PAUSED = ("error", "timeout", "invalid_header", "non_idempotent")


@dataclass
class Passing:
    """`name` is an upstream's, or a host with its port."""

    name: str
    scheme: str
    strip: str
    directive: Directive
    upstreams: Upstreams
    findings: Findings = field(repr=False)

    def write(self, service: Table, scope: Scope) -> None:
        self.upstreams.write(service, self.name, self.scheme, self.directive)
        if self.scheme == "https":
            self._tls(service, scope)

    def _tls(self, service: Table, scope: Scope) -> None:
        verify = scope.one("proxy_ssl_verify")
        if verify is None or verify.first != "on":
            place = verify.span if verify else self.directive.span
            hint = "the certificate must be one that the host trusts; upstream.tls.ca names another trust anchor"
            self.findings.approximate(place, "the service's certificate is verified, which NGINX did not", hint)
        words = {"ca": "proxy_ssl_trusted_certificate", "client_certificate": "proxy_ssl_certificate"}
        for word, directive in words.items():
            if (found := scope.one(directive)) is not None:
                service.put(f"upstream.tls.{word}", {"file": found.first}, found.span)
        if (key := scope.one("proxy_ssl_certificate_key")) is not None:
            service.put("upstream.tls.client_key", {"secret": {"file": key.first}}, key.span)
        if (name := scope.one("proxy_ssl_name")) is not None and not name.first.startswith("$"):
            service.put("upstream.tls.sni", name.first, name.span)

    def retry(self, route: Table, scope: Scope, findings: Findings) -> None:
        causes, tries, limit = (scope.one(f"proxy_next_upstream{suffix}") for suffix in ("", "_tries", "_timeout"))
        if limit is not None and limit.first != "0":
            what = "the time in which another endpoint is tried"
            findings.approximate(limit.span, what, "timeouts.request bounds all tries together")
        if causes is None:
            return
        if causes.first == "off":
            route.put("retries", "none", causes.span)
            return
        when, lost = _causes(causes.words)
        if lost:
            hint = "causes are connect, reset and the statuses 500 to 599"
            findings.left_out(causes.span, f"another try after {', '.join(lost)[:80]}", hint)
        allowed = int(tries.first) - 1 if tries and tries.first.isdigit() and tries.first != "0" else None
        others = self.upstreams.count(self.name) - 1
        attempts = min(others if allowed is None else allowed, 10)
        route.put("retries.attempts", max(attempts, 0), (tries or causes).span)
        route.put("retries.when", when, causes.span)
        if "non_idempotent" in causes.words:
            route.put("retries.unsafe", True, causes.span)


def _causes(words: list[str]) -> tuple[list[str | int], list[str]]:
    when: list[str | int] = ["connect"]
    when += ["reset"] if {"error", "timeout", "invalid_header"} & set(words) else []
    statuses = [int(word[5:]) for word in words if re.fullmatch(r"http_5[0-9]{2}", word)]
    return when + statuses, [word for word in words if word not in _PAUSED and not word.startswith("http_5")]


def passing_of(
    directive: Directive, place: Place, scope: Scope, upstreams: Upstreams, findings: Findings
) -> Passing | None:
    """None where the address is not one that a policy can name; the report says why."""
    text = _resolved(directive.first, scope)
    match = _URL.match(text)
    if match is None or "$" in match[2] or match[2].startswith("unix:"):
        what = "a socket of the file system" if "unix:" in text else "an address that is put together for each request"
        findings.left_out(directive.place(), f"{what} is no endpoint", "write upstream.endpoints by hand")
        return None
    host = without_user(match[2])
    if host != match[2]:
        hint = "let the service read a secret of its own; a URL of a policy holds none"
        findings.secret(directive.place(), "a user and a password in a URL are not copied", hint)
    strip = _strip(place, match[3], directive, scope, findings)
    return Passing(host, match[1], strip, directive, upstreams, findings)


def _resolved(text: str, scope: Scope) -> str:
    """`$backend`, where `set` gives it a text of its own."""
    known = {one.first: one.words[1] for one in scope.every("set") if len(one.words) == 2 and "$" not in one.words[1]}
    for name, value in known.items():
        text = re.sub(re.escape(name) + r"(?![A-Za-z0-9_])|\$\{" + re.escape(name[1:]) + r"\}", lambda _: value, text)  # noqa: B023
    return re.sub(r"\$(request_uri|uri)(\$is_args\$args)?\Z", "", text)


def _strip(place: Place, uri: str | None, directive: Directive, scope: Scope, findings: Findings) -> str:
    """What is taken off the path before the service sees it."""
    rewrite = _stripping_rewrite(scope)
    if uri is None and rewrite is not None and place.path.startswith(f"{rewrite}/"):
        return rewrite
    if uri is None or uri == place.prefix:
        return ""
    before = place.prefix.rstrip("/")
    if uri == "/" and before and "{" not in before and place.path == f"{before}/**":
        return before
    what = f"the service gets {place.path[:80]} where NGINX sent it {without_query(uri)[:80]}"
    findings.approximate(
        directive.place(), what, "let the service serve that path, or set base_path, which is stripped"
    )
    return ""


def _stripping_rewrite(scope: Scope) -> str | None:
    for one in scope.blocks[-1].inner("rewrite"):
        match = _STRIPPING.match(one.first)
        if match and one.words[1:] in (["/$1", "break"], ["$1", "break"]):
            one.seen = True
            return match[1]
    return None


def without_query(uri: str) -> str:
    return uri.partition("?")[0]
