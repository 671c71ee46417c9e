"""`upstream` blocks -> the endpoints of a service, their weights, breaker and cap."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.nginx.scope import seconds
from gwc.imports.nginx.syntax import Directive
from gwc.imports.values import duration

_RESOLVED = "host names are resolved again when their records expire"
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?\Z")


@dataclass(slots=True)
class Upstreams:
    http: Directive
    findings: Findings
    _used: set[str] = field(default_factory=set)

    def _named(self, name: str) -> Directive | None:
        return next((one for one in self.http.inner("upstream") if one.first == name), None)

    def count(self, name: str) -> int:
        found = self._named(name)
        return len(_serving(found)) if found else 1

    def write(self, service: Table, name: str, scheme: str, directive: Directive) -> None:
        found = self._named(name)
        if found is None:
            service.put("upstream", f"{scheme}://{_address(name) or name}", directive.place())
            return
        if name not in self._used:
            self._used.add(name)
            found.seen = True
            self._said(found)
        upstream = service.items["upstream"] = Table(found.span)
        for server in _serving(found):
            row = upstream.add("endpoints", Table(server.span))
            row.put("url", f"{scheme}://{_address(server.first) or server.first}", server.place())
            weight = _option(server, "weight")
            if weight.isdigit() and (weight != "1" or (len(_serving(found)) > 1 and _weighted(found))):
                row.put("weight", int(weight), server.span)
            elif _weighted(found):
                row.put("weight", 1, server.span)
        self._breaker(upstream, found)
        self._cap(upstream, found)
        self._health(upstream, found)

    def _said(self, found: Directive) -> None:
        for server in found.inner("server"):
            server.seen = True
            if "down" in server.words:
                self.findings.left_out(server.span, "an endpoint that is down", "add it when it is up")
            elif "backup" in server.words:
                hint = "endpoints share by weight; one with a small weight is asked rarely"
                self.findings.left_out(server.span, "an endpoint that waits for the others to fail", hint)
            elif server.first.startswith("unix:"):
                self.findings.left_out(
                    server.span, "a socket of the file system is no endpoint", "let it listen on a port"
                )
            for word in ("slow_start", "resolve", "service", "route", "drain"):
                if any(part.partition("=")[0] == word for part in server.words[1:]):
                    self.findings.no_matter(
                        server.span, word, "host names are resolved again when their records expire"
                    )

    def _breaker(self, upstream: Table, found: Directive) -> None:
        server = next(
            (one for one in _serving(found) if _option(one, "max_fails") or _option(one, "fail_timeout")), None
        )
        failures = _option(server, "max_fails") if server else ""
        if server is None or failures == "0":
            return
        pause = seconds(_option(server, "fail_timeout") or "10s") or 10
        upstream.put("breaker.failures", int(failures) if failures.isdigit() else 1, server.span, "in a row")
        upstream.put("breaker.open", duration(pause)[0], server.span)
        what = "max_fails counts failures within fail_timeout, a breaker those in a row"
        self.findings.approximate(server.span, what)

    def _cap(self, upstream: Table, found: Directive) -> None:
        caps = [_option(one, "max_conns") for one in _serving(found)]
        if all(cap.isdigit() and cap != "0" for cap in caps) and caps:
            upstream.put("concurrency", sum(map(int, caps)), found.span, "over all endpoints")
            what = "max_conns of each endpoint are one cap over all of them"
            self.findings.approximate(_serving(found)[0].span, what)
        elif any(cap.isdigit() and cap != "0" for cap in caps):
            self.findings.left_out(found.span, "a cap on some of the endpoints", "write upstream.concurrency")

    def _health(self, upstream: Table, found: Directive) -> None:
        """NGINX Plus asks endpoints by itself."""
        check = next(iter(found.inner("health_check")), None)
        if check is not None:
            check.seen = True
            upstream.put("health.path", _option(check, "uri") or "/", check.span)
            upstream.put("health.every", duration(seconds(_option(check, "interval") or "5s") or 5)[0], check.span)

    def unused(self) -> None:
        for one in self.http.inner("upstream"):
            if one.first not in self._used:
                self.findings.left_out(one.span, f"no location forwards to the upstream {one.first[:60]}")
                one.skip()


def _serving(found: Directive) -> list[Directive]:
    return [
        one
        for one in found.inner("server")
        if not {"down", "backup"} & set(one.words) and not one.first.startswith("unix:")
    ]


def _weighted(found: Directive) -> bool:
    return any(_option(one, "weight") not in ("", "1") for one in _serving(found))


def _option(server: Directive, name: str) -> str:
    return next((word.partition("=")[2] for word in server.words if word.startswith(f"{name}=")), "")


def _address(text: str) -> str | None:
    """Host and port as they are; None for what is neither."""
    return text if _ADDRESS.match(text) else None
