"""Zones of requests and connections -> limits, each on the level where it is written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.nginx.scope import Scope
from gwc.imports.nginx.syntax import Directive
from gwc.imports.values import rate

_IP = frozenset({"$binary_remote_addr", "$remote_addr"})
_ALL = frozenset({"$server_name", "$host", "$http_host", "$server_addr", "$server_port", "$scheme", "$uri"})


@dataclass
class Zones:
    http: Directive
    findings: Findings
    written: set[tuple[int, int]] = field(default_factory=set)
    """Directives of outer levels whose limit stands already."""
    _tied: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for one in self.http.inner("limit_req_zone", "limit_conn_zone"):
            one.seen = True

    def named(self, kind: str, name: str) -> Directive | None:
        for one in self.http.inner(kind):
            if any(word.partition("=")[2].partition(":")[0] == name for word in one.words if word.startswith("zone=")):
                return one
        return None

    def shared(self, name: str, use: Directive) -> None:
        """A bucket that several places share is several buckets in the end."""
        if name in self._tied:
            hint = "write the limit on the service or on the platform, if the sum has to hold"
            self.findings.approximate(
                use.span, f"the zone {name[:60]} is shared; each place has a bucket of its own", hint
            )
        self._tied.add(name)


def add_limits(platform: Table, service: Table, route: Table, scope: Scope, zones: Zones, findings: Findings) -> None:
    shadow = scope.on("limit_req_dry_run")
    delaying = scope.one("limit_req_status")
    if delaying is not None and delaying.first != "429":
        findings.approximate(delaying.span, f"a refusal is answered 429, not {delaying.first[:10]}")
    holding = scope.every("limit_req")
    outer = [one for block in scope.blocks for one in block.inner("limit_req") if one not in holding]
    if outer and holding:
        what = "in NGINX this takes the place of the limits around it; in a policy limits of all levels add up"
        findings.approximate(holding[0].span, what, "give the stricter route a service of its own, if that is too much")
    for use in holding:
        _add(use, _level(use, platform, service, route, scope), zones, findings, shadow=shadow)
    for use in scope.every("limit_conn"):
        _cap(use, platform if scope.level(use) == 0 else service, zones, findings)


def _level(use: Directive, platform: Table, service: Table, route: Table, scope: Scope) -> tuple[Table, int]:
    depth = scope.level(use)
    table = (platform, service)[depth] if depth < 2 else route
    return table, id(table) if depth else 0


def _add(use: Directive, where: tuple[Table, int], zones: Zones, findings: Findings, *, shadow: bool) -> None:
    table, level = where
    if (mark := (id(use), level)) in zones.written:
        return
    zones.written.add(mark)
    name = _option(use, "zone")
    zone = zones.named("limit_req_zone", name)
    if zone is None:
        findings.left_out(use.span, f"the zone {name[:60]} is declared nowhere")
        return
    row = _limit(zone, use, findings)
    if row is None:
        return
    zones.shared(name, use)
    if shadow:
        row.put("mode", "shadow", use.span)
    table.add("limits", row)


def _limit(zone: Directive, use: Directive, findings: Findings) -> Table | None:
    key = _key(zone, findings)
    match = re.fullmatch(r"([0-9]+)r/([sm])", _option(zone, "rate"))
    if key is None or match is None or match[1] == "0":
        if match is None:
            findings.left_out(zone.span, "the rate of a zone cannot be read", "write it as rate=10r/s")
        return None
    row = Table(use.span)
    row.put("per", key, zone.place())
    row.put("rate", rate(int(match[1]), 1 if match[2] == "s" else 60)[0], zone.span)
    burst = _option(use, "burst")
    row.put("burst", (int(burst) if burst.isdigit() else 0) + 1, use.span)
    if burst and "nodelay" not in use.words:
        what = "NGINX lets what is over the rate wait; a limit lets the burst through at once, and refuses the rest"
        findings.approximate(use.span, what)
    return row


def _key(zone: Directive, findings: Findings) -> str | dict[str, str] | None:
    key = zone.first
    if key in _IP:
        return "ip"
    if match := re.fullmatch(r"\$http_([a-z0-9_]+)", key):
        return {"header": "-".join(part.capitalize() for part in match[1].split("_"))}
    if key in _ALL or "$" not in key:
        return "service"
    hint = "limits are per ip, user, service or {header: NAME}"
    findings.left_out(zone.place(), f"requests counted by {key[:60]}", hint)
    return None


def _cap(use: Directive, table: Table, zones: Zones, findings: Findings) -> None:
    zone = zones.named("limit_conn_zone", use.first)
    number = use.words[1] if len(use.words) == 2 else ""
    if zone is None or not number.isdigit() or zone.first in _IP or (zone.first not in _ALL and "$" in zone.first):
        hint = "concurrency caps the requests in flight to a service; limits per ip bound what one client asks"
        findings.left_out(use.span, "connections counted for each client", hint)
        return
    path = "concurrency" if table.value("kind") == "Platform" else "upstream.concurrency"
    upstream = table.items.get("upstream")
    if path.startswith("upstream") and not isinstance(upstream, Table):
        url = table.value("upstream")
        table.items["upstream"] = Table(use.span)
        endpoints = table.items["upstream"]
        assert isinstance(endpoints, Table)
        endpoints.add("endpoints", Table(use.span)).put("url", url, use.span)
    table.put(path, int(number), use.span)


def _option(use: Directive, name: str) -> str:
    return next((word.partition("=")[2].partition(":")[0] for word in use.words if word.startswith(f"{name}=")), "")
