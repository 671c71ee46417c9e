"""`listen` and certificates -> where the platform listens."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address

from gwc.diagnostics import Span
from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.hoist import here_alone
from gwc.imports.nginx.scope import Scope
from gwc.imports.nginx.syntax import Directive

_HOME = "/etc/nginx/"


@dataclass
class Listeners:
    platform: Table
    findings: Findings
    redirect: Span | None = None
    """Of what sends clients from http to https."""
    _chosen: dict[bool, int | str] = field(default_factory=dict)

    def choose(self, servers: list[Directive]) -> None:
        """The one plain address and the one for https: those of most servers, public ones first."""
        found: dict[bool, list[int | str]] = {False: [], True: []}
        for server in servers:
            addresses = [_spoken(one) for one in server.inner("listen")] or [(False, 80)]
            for secure, port in dict.fromkeys(addresses):
                if port is not None:
                    found[secure].append(port)
        self._chosen = {
            kind: max(ports, key=lambda port: (_reach(port), ports.count(port)))
            for kind, ports in found.items()
            if ports
        }

    def add(self, server: Directive, scope: Scope) -> bool:
        """Whether the server is on a listener that the gateway has."""
        listens = server.inner("listen")
        on = [self._listen(directive, scope) for directive in listens]
        if not listens and self._chosen.get(False) == 80:
            self.platform.put("listen.http", 80, server.span, "NGINX's default")
            on = [True]
        self._rest(scope)
        return any(on)

    def _listen(self, directive: Directive, scope: Scope) -> bool:
        directive.seen = True
        secure, port = _spoken(directive)
        if port is None or self._chosen.get(secure) != port:
            hint = "a gateway has one plain listener and one for https; run another gateway for another"
            self.findings.left_out(directive.span, f"listening on {directive.first[:60]}", hint)
            return False
        if secure:
            self._secure(port, directive, scope)
        else:
            self.platform.put("listen.http", port, directive.span)
        return True

    def _secure(self, port: int | str, directive: Directive, scope: Scope) -> None:
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
        if self.redirect is not None and self.platform.value("listen.https.port") is None:
            hint = "import it together with the server that has the certificate, or write listen.https by hand"
            self.findings.left_out(self.redirect, "a redirect to https, which is not imported", hint)
        elif self.redirect is not None:
            self.platform.put("listen.https.redirect", True, self.redirect)
        here_alone(self.platform)


def _spoken(directive: Directive) -> tuple[bool, int | str | None]:
    """Whether TLS is spoken there, and the port or address; None for a socket of the file system."""
    port = _address(directive.first)
    return "ssl" in directive.words[1:] or (port is not None and _number(port) == "443"), port


def _reach(port: int | str) -> int:
    """Every address before one of them, and this machine alone last."""
    if isinstance(port, int):
        return 2
    return 0 if ip_address(port.rpartition(":")[0].strip("[]")).is_loopback else 1


def _address(text: str) -> int | str | None:
    """A port, or an IP address with one."""
    if match := re.fullmatch(r"(?:\*:|\[::\]:|0\.0\.0\.0:|localhost:)?([0-9]{1,5})", text):
        return f"127.0.0.1:{match[1]}" if text.startswith("localhost") else int(match[1])
    whole = text if re.search(r"[0-9\]]:[0-9]{1,5}\Z", text) else f"{text}:80"
    try:
        ip_address(whole.rpartition(":")[0].strip("[]"))
    except ValueError:
        return None
    return whole


def _number(port: int | str) -> str:
    return str(port).rpartition(":")[2]


def _absolute(path: str) -> str:
    return path if path.startswith("/") else _HOME + path
