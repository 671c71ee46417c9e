"""Listeners: where the gateway listens, and the virtual hosts of its HTTP connection managers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

from gwc.diagnostics import Span
from gwc.imports.draft import Draft, Table
from gwc.imports.envoy.filters import Filters
from gwc.imports.envoy.protobuf import config_of, kind
from gwc.imports.envoy.routes import Routes
from gwc.imports.findings import Findings
from gwc.imports.hoist import here_alone
from gwc.imports.tree import Word


@dataclass
class Listeners:
    root: Word
    draft: Draft
    findings: Findings
    redirect: Span | None = None
    _secured: int | str | None = None
    routes: Routes = field(init=False)

    def __post_init__(self) -> None:
        clusters = self.root["static_resources"]["clusters"]
        self.routes = Routes(self.draft, clusters, self.findings)
        self._admin(self.root["admin"])

    def services(self) -> Iterator[Table]:
        yield from self.routes.found()

    def _admin(self, admin: Word) -> None:
        at = admin["address"]["socket_address"]
        if not at["address"].text or at["port_value"].number is None:
            return
        if _is_loopback(at["address"].text):
            self.draft.platform.put("listen.admin", _host_port(at), at["port_value"].span)
        else:
            hint = "let a collector on the same host read it"
            self.findings.approximate(at["address"].span, "the admin listener is on loopback alone", hint)

    def add(self, listener: Word) -> None:
        at = listener["address"]["socket_address"]
        if not at["port_value"].number:
            self.findings.left_out(_place(listener), "a listener without a port", "the gateway listens on ports")
            listener.mark()
            return
        at["address"].mark()
        if not (listener["filter_chains"].is_list or listener["default_filter_chain"].there):
            self.findings.left_out(
                _place(listener), "a listener without HTTP", "only HTTP services are behind a gateway"
            )
            listener.mark()
            return
        for chain in listener["filter_chains"].each() or ():
            self._chain(chain, at)
        if listener["default_filter_chain"].there:
            self._chain(listener["default_filter_chain"], at)

    def _chain(self, chain: Word, at: Word) -> None:
        managers = [config_of(one) for one in chain["filters"].each() if _is_manager(one)]
        for one in chain["filters"].each():
            if not _is_manager(one):
                what = f"the network filter {one['name'].text[:60]}"
                self.findings.left_out(_place(one), what, "only HTTP services are behind a gateway of gwc's")
                one.mark()
        if not managers:
            chain.mark()
            return
        names = chain["filter_chain_match"]["server_names"]
        if names.there:
            self.findings.no_matter(names.span, "server_names", "hosts tell servers apart")
        tls = config_of(chain["transport_socket"])
        if not self._listen(at, tls):
            what = "routes of another listener are not imported: they would be open on this one"
            self.findings.left_out(managers[0].span, what, "give them a gateway of their own")
            chain.mark()
            return
        for manager in managers:
            self._manager(manager)

    def _listen(self, at: Word, tls: Word) -> bool:
        """Whether the gateway has this listener: the first plain one, and the first for https."""
        key = "listen.https.port" if tls.there else "listen.http"
        known = self.draft.platform.value(key)
        port = at["port_value"].number or 0
        taken = self._secured if tls.there else known
        if taken is not None and taken != _listen_address(at):
            hint = "a gateway has one plain listener and one for https; run another gateway for another"
            self.findings.left_out(at["port_value"].span, f"a second port, {port:.0f}", hint)
            return False
        if not tls.there:
            self.draft.platform.put("listen.http", _listen_address(at), at["port_value"].span)
        else:
            self._secured = _listen_address(at)
            self._secure(at, tls)
        return True

    def _secure(self, at: Word, tls: Word) -> None:
        common = tls["common_tls_context"]
        pairs = list(common["tls_certificates"].each())
        if common["tls_certificate_sds_secret_configs"].there or not pairs:
            self.findings.left_out(tls.span, "a certificate that comes by SDS", "write listen.https with files")
            return
        certificate, key = pairs[0]["certificate_chain"], pairs[0]["private_key"]
        for word in (key["inline_string"], key["inline_bytes"]):
            if word.there:
                hint = "put it into a file of the gateway's host, and name it: listen.https.key"
                self.findings.secret(word.span, "a private key; it is not copied", hint)
        if not (certificate["filename"].text and key["filename"].text):
            self.findings.left_out(certificate.span, "a certificate that is no file", "write listen.https with files")
            pairs[0].mark()
            return
        put = self.draft.platform.put
        put("listen.https.port", _listen_address(at), at["port_value"].span)
        put("listen.https.certificate", {"file": certificate["filename"].text}, certificate["filename"].span)
        put("listen.https.key", {"secret": {"file": key["filename"].text}}, key["filename"].span)
        newest = common["tls_params"]["tls_minimum_protocol_version"]
        if newest.there:
            put("listen.https.min_version", "TLSv1.3" if newest.text == "TLSv1_3" else "TLSv1.2", newest.span)
        if tls["require_client_certificate"].yes:
            hint = "clients prove themselves by signed tokens or API keys"
            self.findings.left_out(
                tls["require_client_certificate"].span, "certificates of clients are not asked for", hint
            )

    def _manager(self, manager: Word) -> None:
        config = manager["route_config"]
        if manager["rds"].there or manager["scoped_routes"].there:
            what = "routes that come by xDS"
            self.findings.left_out(manager.first("rds", "scoped_routes").span, what, "import from the control plane")
        hops = manager["xff_num_trusted_hops"]
        if hops.number:
            hint = "name the proxies in front: trusted_proxies: [10.0.0.0/8]"
            self.findings.left_out(hops.span, "proxies in front that are counted, not named", hint)
        filters = Filters(manager, self.draft, self.findings)
        for host in config["virtual_hosts"].each():
            if self._redirects(host):
                continue
            self.routes.of(host, config, manager, filters)
        filters.settle()

    def _redirects(self, host: Word) -> bool:
        """A virtual host that only sends clients to https."""
        routes = list(host["routes"].each())
        secure = [one["redirect"]["https_redirect"] for one in routes]
        if host["require_tls"].text == "ALL":
            self.redirect = host["require_tls"].span
        elif routes and all(word.yes for word in secure):
            self.redirect = secure[0].span
        else:
            return False
        if not any(one["route"].there for one in routes):
            host.mark()
            return True
        return False

    def settle(self) -> None:
        self.routes.upstreams.unused()
        platform = self.draft.platform
        if self.redirect is not None and platform.value("listen.https.port") is None:
            hint = "import it together with the listener that has the certificate, or write listen.https by hand"
            self.findings.left_out(self.redirect, "a redirect to https, which is not imported", hint)
        elif self.redirect is not None and platform.value("listen.http") is not None:
            platform.put("listen.https.redirect", True, self.redirect)
        here_alone(platform)


def is_local(listener: Word) -> bool:
    """Whether a listener is for this machine alone."""
    return _is_loopback(listener["address"]["socket_address"]["address"].text)


def _place(word: Word) -> Span:
    return word["name"].span if word["name"].there else word.span


def _is_manager(extension: Word) -> bool:
    return kind(config_of(extension)) == "HttpConnectionManager" or "http_connection_manager" in extension["name"].text


def _is_loopback(text: str) -> bool:
    try:
        return text == "localhost" or ip_address(text).is_loopback
    except ValueError:
        return False


def _host_port(at: Word) -> str:
    host = at["address"].text
    return f"{f'[{host}]' if ':' in host else host}:{at['port_value'].number or 0:.0f}"


def _listen_address(at: Word) -> int | str:
    """A port alone for every address."""
    host = at["address"].text
    if re.fullmatch(r"0\.0\.0\.0|::|", host):
        return int(at["port_value"].number or 0)
    return _host_port(at)
