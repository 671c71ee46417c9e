"""Clusters -> endpoints, health checks, breakers, caps and TLS to the service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gwc.imports.draft import Table
from gwc.imports.envoy.protobuf import config_of, seconds, time
from gwc.imports.findings import Findings
from gwc.imports.tree import Word

_EJECTION, _FAILURES = "30s", 5
"""Envoy's own where outlier detection does not say."""
_BALANCED = ("", "ROUND_ROBIN")


@dataclass
class Clusters:
    clusters: Word
    findings: Findings
    _written: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._by_name = {one["name"].text: one for one in reversed(list(self.clusters.each()))}

    def _named(self, name: str) -> Word | None:
        return self._by_name.get(name)

    def has(self, name: str) -> bool:
        found = self._named(name)
        return found is not None and bool(_endpoints(found))

    def common(self, action: Word) -> Word:
        """The cluster whose settings a route shares; the first of several."""
        name = action["cluster"].text or next(
            (one["name"].text for one in action["weighted_clusters"]["clusters"].each()), ""
        )
        return self._named(name) or Word(None, action.span)

    def write(self, service: Table, targets: Mapping[str, int]) -> None:
        found = {name: cluster for name in targets if (cluster := self._named(name)) is not None}
        first = next(iter(found.values()))
        upstream = service.items["upstream"] = Table(first["name"].span)
        if len(found) > 1:
            what = "several clusters are the endpoints of one service; the first one's settings hold"
            self.findings.approximate(first["name"].span, what, "give each a policy of its own, if they are not alike")
        for name, cluster in found.items():
            self._endpoints(upstream, cluster, targets[name] if len(found) > 1 else None)
            if cluster is not first and name not in self._written:
                cluster.mark()  # said to be like the first
        self._written |= found.keys()
        self._tls(upstream, first)
        self._cap(upstream, first)
        self._breaker(upstream, first["outlier_detection"])
        self._health(upstream, first)
        if first["lb_policy"].text not in _BALANCED:
            self.findings.left_out(
                first["lb_policy"].span, f"sharing by {first['lb_policy'].text[:40]}", "endpoints share by weight"
            )

    def unused(self) -> None:
        for cluster in self.clusters.each():
            if cluster["name"].text not in self._written:
                why = "no route leads there; for key sets and collectors gwc's output has clusters of its own"
                self.findings.no_matter(cluster["name"].span, f"cluster {cluster['name'].text[:60]}", why)
                cluster.mark()

    def _endpoints(self, upstream: Table, cluster: Word, share: int | None) -> None:
        scheme = "https" if cluster["transport_socket"].there else "http"
        endpoints = _endpoints(cluster)
        weighted = any(one["load_balancing_weight"].number for one in endpoints)
        for one in endpoints:
            at = one["endpoint"]["address"]["socket_address"]
            host, port = at["address"], at["port_value"].number or 0
            shown = f"[{host.text}]" if ":" in host.text else host.text
            row = upstream.add("endpoints", Table(host.span))
            row.put("url", f"{scheme}://{shown}:{port:.0f}", host.span)
            weight = int(one["load_balancing_weight"].number or 1)
            if share is not None:
                row.put("weight", min(max(share * weight, 1), 10_000), host.span)
            elif weighted:
                row.put("weight", weight, host.span)

    def _tls(self, upstream: Table, cluster: Word) -> None:
        socket = cluster["transport_socket"]
        if not socket.there:
            return
        tls = config_of(socket)
        common = tls["common_tls_context"]
        if tls["sni"].text:
            upstream.put("tls.sni", tls["sni"].text, tls["sni"].span)
        trusted = common["validation_context"]["trusted_ca"]["filename"]
        if trusted.text:
            upstream.put("tls.ca", {"file": trusted.text}, trusted.span)
        else:
            hint = "the certificate must be one that the host trusts; upstream.tls.ca names another trust anchor"
            self.findings.approximate(
                socket["name"].span, "the service's certificate is verified, which Envoy did not", hint
            )
        for pair in common["tls_certificates"].each():
            certificate, key = pair["certificate_chain"]["filename"], pair["private_key"]["filename"]
            if certificate.text and key.text:
                upstream.put("tls.client_certificate", {"file": certificate.text}, certificate.span)
                upstream.put("tls.client_key", {"secret": {"file": key.text}}, key.span)
            else:
                place = pair["private_key"].first("inline_string", "inline_bytes")
                hint = "put it into a file of the gateway's host, and name it: upstream.tls.client_key"
                self.findings.secret(place.span, "a private key; it is not copied", hint)
                pair.mark()

    def _cap(self, upstream: Table, cluster: Word) -> None:
        for threshold in cluster["circuit_breakers"]["thresholds"].each():
            if threshold["priority"].text in ("", "DEFAULT") and threshold["max_requests"].number:
                word = threshold["max_requests"]
                upstream.put("concurrency", int(word.number or 1), word.span)

    def _breaker(self, upstream: Table, outlier: Word) -> None:
        if not outlier.there:
            return
        counts = [outlier[name] for name in ("consecutive_5xx", "consecutive_gateway_failure")]
        said = [word for word in counts if word.number]
        least = min(said, key=lambda word: word.number or 0) if said else outlier
        upstream.put("breaker.failures", int(least.number or _FAILURES), least.span)
        pause = outlier["base_ejection_time"]
        upstream.put("breaker.open", time(pause) or _EJECTION, (pause if pause.there else outlier).span)
        what = "an ejection grows with each time, a breaker is open for the same time always"
        self.findings.approximate((pause if pause.there else least).span, what)

    def _health(self, upstream: Table, cluster: Word) -> None:
        for check in cluster["health_checks"].each():
            path = check["http_health_check"]["path"]
            if path.text and seconds(check["interval"]):
                upstream.put("health.path", path.text, path.span)
                upstream.put("health.every", time(check["interval"]), check["interval"].span)
                for key in ("timeout", "http_health_check"):
                    check[key].mark()
            else:
                self.findings.left_out(check.span, "a check that asks for no path", "write upstream.health")
                check.mark()


def _endpoints(cluster: Word) -> list[Word]:
    """Those with an address and a port."""
    every = [one for group in cluster["load_assignment"]["endpoints"].each() for one in group["lb_endpoints"].each()]
    found = []
    for one in every:
        at = one["endpoint"]["address"]["socket_address"]
        if re.fullmatch(r"[A-Za-z0-9_.:-]+", at["address"].text) and at["port_value"].number:
            found.append(one)
    return found
