"""A Kong service's address, or the upstream that it names -> the endpoints of a policy."""

from __future__ import annotations

import re

from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.masking import without_user
from gwc.imports.tree import Word
from gwc.imports.values import duration

_OPEN = 10.0
"""Seconds; Kong itself closes a circuit only by active checks."""


def write_upstream(policy: Table, service: Word, root: Word, findings: Findings) -> None:
    scheme, host, port, place = _address(service, findings)
    upstream = next((one for one in root["upstreams"].each() if one["name"].text == host and host), None)
    if scheme == "https" and not service["tls_verify"].yes:
        word = service["tls_verify"]
        hint = "the certificate must be one that the host trusts; upstream.tls.ca names another trust anchor"
        findings.approximate(word.span if word.there else place.span, "the service's certificate is verified", hint)
    if upstream is None:
        policy.put("upstream", f"{scheme}://{host}:{port}", place.span)
        return
    table = policy.items["upstream"] = Table(upstream.span)
    _endpoints(table, scheme, upstream, root, findings)
    _checks(table, upstream["healthchecks"], findings)
    _rest(upstream, findings)


def _address(service: Word, findings: Findings) -> tuple[str, str, int, Word]:
    url = service["url"]
    if url.there:
        match = re.match(r"([a-z0-9]+)://([^/?#]+)", url.text)
        scheme, authority = (match[1], match[2]) if match else ("http", "")
        if without_user(authority) != authority:
            hint = "let the service read a secret of its own; a URL of a policy holds none"
            findings.secret(url.span, "a user and a password in a URL are not copied", hint)
        host, _, port = (
            without_user(authority).rpartition(":")
            if re.search(r":[0-9]+\Z", authority)
            else (without_user(authority), "", "")
        )
        return scheme, host, int(port) if port else 443 if scheme == "https" else 80, url
    scheme = service["protocol"].text or "http"
    return (
        scheme,
        service["host"].text,
        int(service["port"].number or (443 if scheme == "https" else 80)),
        service["host"],
    )


def _endpoints(table: Table, scheme: str, upstream: Word, root: Word, findings: Findings) -> None:
    beside = [one for one in root["targets"].each() if one["upstream"].first("name").text == upstream["name"].text]
    targets = [*upstream["targets"].each(), *beside]
    weights = {one["weight"].number for one in targets}
    for target in targets:
        weight = target["weight"].number
        if weight == 0:
            findings.left_out(target["target"].span, "an endpoint with weight 0", "add it when it is to get traffic")
            continue
        text = target["target"].text
        row = table.add("endpoints", Table(target.span))
        row.put("url", f"{scheme}://{text if re.search(r':[0-9]+$', text) else f'{text}:8000'}", target["target"].span)
        if len(weights) > 1:
            row.put("weight", int(weight or 100), target["target"].span)


def _checks(table: Table, checks: Word, findings: Findings) -> None:
    active, passive = checks["active"], checks["passive"]
    every = active.at("healthy.interval").number
    if every:
        table.put("health.path", active["http_path"].text or "/", active["http_path"].span)
        table.put("health.every", duration(every)[0], active.at("healthy.interval").span)
    counts = [passive["unhealthy"][name] for name in ("http_failures", "tcp_failures", "timeouts")]
    failures = [word for word in counts if word.number]
    if failures:
        least = min(failures, key=lambda word: word.number or 0)
        pause = active.at("unhealthy.interval").number or _OPEN
        table.put("breaker.failures", int(least.number or 1), least.span)
        table.put("breaker.open", duration(pause)[0], least.span, "Kong waits for its active check instead")
        what = "one breaker counts failures of every kind in a row"
        findings.approximate(least.span, what)


def _rest(upstream: Word, findings: Findings) -> None:
    algorithm = upstream["algorithm"]
    if algorithm.there and algorithm.text != "round-robin":
        findings.left_out(algorithm.span, f"sharing by {algorithm.text[:40]}", "endpoints share by weight")
