"""`listen` and certificates -> where the platform listens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gwc.diagnostics import Span
from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.nginx.scope import Scope
from gwc.imports.nginx.syntax import Directive

_HOME = "/etc/nginx/"


@dataclass
class Listeners:
    platform: Table
    findings: Findings
    redirect: Span | None = None
    """Of what sends clients from http to https."""

    def add(self, server: Directive, scope: Scope) -> None:
        for directive in server.inner("listen"):
            directive.seen = True
            port = _address(directive.first)
            secure = "ssl" in directive.words[1:] or (port is not None and str(port).rpartition(":")[2] == "443")
            if port is None:
                hint = "the gateway listens on ports"
                self.findings.left_out(directive.span, f"listening on {directive.first[:60]}", hint)
            elif secure:
                self._secure(port, directive, scope)
            else:
                self._plain(port, directive)
        self._rest(scope)

    def _plain(self, port: int | str, directive: Directive) -> None:
        before = self.platform.value("listen.http")
        if before is None:
            self.platform.put("listen.http", port, directive.span)
        elif _number(before) != _number(port):
            hint = "a gateway has one plain listener; run another gateway for another"
            self.findings.left_out(directive.span, f"a second port, {_number(port)}", hint)

    def _secure(self, port: int | str, directive: Directive, scope: Scope) -> None:
        before = self.platform.value("listen.https.port")
        if before is not None and _number(before) != _number(port):
            self.findings.left_out(directive.span, f"a second port for https, {_number(port)}", "a gateway has one")
            return
        certificate, key = scope.one("ssl_certificate"), scope.one("ssl_certificate_key")
        if certificate is None or key is None:
            self.findings.left_out(directive.span, "https without a certificate in reach", "write listen.https by hand")
            return
        self._certificate(port, directive, certificate, key)
        self._versions(scope)

    def _certificate(self, port: int | str, directive: Directive, certificate: Directive, key: Directive) -> None:
        there = self.platform.value("listen.https.certificate")
        if there is not None:
            if there["file"] != _absolute(certificate.first):
                hint = "use one certificate with all names, or a load balancer in front that ends TLS"
                self.findings.left_out(certificate.span, "a second certificate", hint)
            return
        for one in (certificate, key):
            if not one.first.startswith("/"):
                self.findings.assumed(one.span, f"{one.first[:100]} is taken to be below {_HOME}")
        self.platform.put("listen.https.port", port, directive.span)
        self.platform.put("listen.https.certificate", {"file": _absolute(certificate.first)}, certificate.span)
        self.platform.put("listen.https.key", {"secret": {"file": _absolute(key.first)}}, key.span)

    def _versions(self, scope: Scope) -> None:
        versions = scope.one("ssl_protocols")
        if versions is None:
            return
        newest_alone = versions.words == ["TLSv1.3"]
        self.platform.put("listen.https.min_version", "TLSv1.3" if newest_alone else "TLSv1.2", versions.span)
        old = [word for word in versions.words if word in ("TLSv1", "TLSv1.1", "SSLv3", "SSLv2")]
        if old:
            self.findings.approximate(versions.span, f"{', '.join(old)} is broken; the oldest version is TLSv1.2")

    def _rest(self, scope: Scope) -> None:
        """Certificates of servers that do not listen for https themselves."""
        verify = scope.one("ssl_verify_client")
        if verify is not None and verify.first not in ("off",):
            hint = "clients prove themselves by signed tokens or API keys"
            self.findings.left_out(verify.span, "certificates of clients are not asked for", hint)
        scope.one("ssl_client_certificate")

    def settle(self) -> None:
        if self.redirect is None:
            return
        if self.platform.value("listen.https.port") is None:
            hint = "import it together with the server that has the certificate, or write listen.https by hand"
            self.findings.left_out(self.redirect, "a redirect to https, which is not imported", hint)
        else:
            self.platform.put("listen.https.redirect", True, self.redirect)


def _address(text: str) -> int | str | None:
    """A port, or an IP address with one."""
    if match := re.fullmatch(r"(?:\*:|\[::\]:|0\.0\.0\.0:|localhost:)?([0-9]{1,5})", text):
        return f"127.0.0.1:{match[1]}" if text.startswith("localhost") else int(match[1])
    if re.fullmatch(r"([0-9.]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}", text):
        return text
    if re.fullmatch(r"[0-9]+(\.[0-9]+){3}|\[[0-9a-fA-F:]+\]", text):
        return f"{text}:80"
    return None


def _number(port: int | str) -> str:
    return str(port).rpartition(":")[2]


def _absolute(path: str) -> str:
    return path if path.startswith("/") else _HOME + path
