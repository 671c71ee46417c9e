"""`server` blocks: who is asked for, where the gateway listens, and which of its locations are routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gwc.diagnostics import Span
from gwc.imports.draft import Draft, Table, new_service
from gwc.imports.findings import Findings
from gwc.imports.hoist import hoisted
from gwc.imports.nginx.limits import Zones, add_limits
from gwc.imports.nginx.listen import Listeners
from gwc.imports.nginx.locations import Place, places_of
from gwc.imports.nginx.passing import Passing, passing_of
from gwc.imports.nginx.scope import Scope
from gwc.imports.nginx.settings import apply_settings
from gwc.imports.nginx.syntax import Directive
from gwc.imports.nginx.upstreams import Upstreams
from gwc.imports.values import METHODS, Names, route_name, slug

_SERVES_ITSELF = (
    *("root", "alias", "try_files", "index", "return", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass"),
    *(
        "memcached_pass",
        "stub_status",
        "js_content",
        "content_by_lua_block",
        "internal",
        "rewrite",
        "deny",
        "empty_gif",
    ),
)
_NOBODY = "no policy is needed to refuse: what no route matches is answered 404"


@dataclass
class Servers:
    http: Directive
    draft: Draft
    findings: Findings
    names: Names = field(default_factory=Names)
    _services: dict[tuple[object, ...], Table] = field(default_factory=dict)
    _routes: dict[int, Names] = field(default_factory=dict)
    _said: set[tuple[tuple[str, ...], str]] = field(default_factory=set)
    """Hosts and path of every route."""

    def all(self) -> None:
        scope = Scope((self.http,))
        self.upstreams = Upstreams(self.http, self.findings)
        self.zones = Zones(self.http, self.findings)
        self.listeners = Listeners(self.draft.platform, self.findings)
        _trust(scope, self.draft.platform, self.findings)
        self.listeners.choose(self.http.inner("server"))
        for one in self.http.inner("map"):
            if one.first == "$http_upgrade":
                self.findings.no_matter(one.span, "map $http_upgrade", "websocket: true is all that it takes")
                one.skip()
        for server in self.http.inner("server"):
            server.seen = True
            self._server(server, scope.below(server))
        self.upstreams.unused()
        self.listeners.settle()
        for service in self._services.values():
            hoisted(service)
            self.draft.services.append(service)

    def _server(self, server: Directive, scope: Scope) -> None:
        on = self.listeners.add(server, scope)
        hosts = self._hosts(server)
        if self._redirects(server):
            return
        if not on:
            what = "a server of another listener is not imported: its routes would be open on this one"
            self.findings.left_out(server.span, what, "give it a gateway of its own")
            server.skip()
            return
        if hosts is None:
            hint = "write the hosts that you serve: the language has no patterns, and without hosts it serves all"
            self.findings.left_out(server.span, "a server that is known by a pattern alone is not imported", hint)
            server.skip()
            return
        for location, inner in _locations(server, scope):
            self._location(location, inner, hosts)
        for location, _ in _locations(server, scope):
            if _only_refuses(location):
                self._refusal(location, hosts)

    def _hosts(self, server: Directive) -> list[str] | None:
        """Empty for every host; None where all its names are patterns."""
        named: list[str] = []
        patterns = False
        for directive in server.inner("server_name"):
            directive.seen = True
            for argument in directive.arguments:
                alone = argument.text == "localhost" and len(self.http.inner("server")) == 1
                if alone or argument.text in ("_", "") or argument.text.startswith("$"):
                    continue
                if re.search(r"[*~]", argument.text) or argument.text.startswith("."):
                    hint = "write the hosts that you serve"
                    self.findings.left_out(argument.span, f"the pattern {argument.text[:80]} of hosts", hint)
                    patterns = True
                elif argument.text not in named:
                    named.append(argument.text)
        return None if patterns and not named else named

    def _redirects(self, server: Directive) -> bool:
        """A server that only sends clients to https."""
        locations = server.inner("location")
        returns = [one for block in (server, *locations, *server.inner("if")) for one in block.inner("return")]
        elsewhere = [one for one in returns if one.words and one.words[-1].startswith("https://$")]
        if not elsewhere or any(location.inner("proxy_pass") for location in locations):
            return False
        self.listeners.redirect = elsewhere[0].span
        for location in locations:
            if not location.inner("return"):
                location.seen = True
                self._unproxied(location)
        server.skip()
        return True

    def _location(self, location: Directive, scope: Scope, hosts: list[str]) -> None:
        location.seen = True
        target = location.inner("proxy_pass")
        if not target:
            self._unproxied(location)
            return
        target[-1].seen = True
        found = places_of(location, self.findings)
        if not found:
            location.skip()
            return
        passing = passing_of(target[-1], found[0], scope, self.upstreams, self.findings)
        if passing is None:
            location.skip()
            return
        service = self._service(hosts, passing, found[0].path, location.span, scope)
        for place in found:
            self._route(service, place, passing, location, scope)

    def _unproxied(self, location: Directive) -> None:
        if _only_refuses(location):
            location.skip()
            return
        if location.inner("location") and not location.inner(*_SERVES_ITSELF):
            return
        serving = next(iter(location.inner(*_SERVES_ITSELF)), None)
        what = f"NGINX answers it itself (`{serving.name}`)" if serving else "it forwards to no service"
        hint = "a gateway forwards: put a service behind it, or leave it to the NGINX that you have"
        self.findings.left_out(location.span, f"location {' '.join(location.words)[:80]} is not imported: {what}", hint)
        for one in location.block or []:
            if one.name != "location":
                one.skip()

    def _refusal(self, location: Directive, hosts: list[str]) -> None:
        """What is refused must not be what another route serves."""
        pattern, shown = location.words[-1], " ".join(location.words)[:60]
        stems = [
            path.removesuffix("**") for served, path in self._said if path.endswith("/**") and served == tuple(hosts)
        ]
        if location.first in ("~", "~*"):
            reached = bool(stems)
        else:
            reached = any(pattern.startswith(stem.partition("{")[0]) for stem in stems)
        if reached:
            hint = "let the service refuse it, or name the paths that it serves instead of /**"
            self.findings.left_out(location.span, f"location {shown} refuses what another route now serves", hint)
        else:
            self.findings.no_matter(location.span, f"location {shown}", _NOBODY)

    def _service(self, hosts: list[str], passing: Passing, path: str, span: Span, scope: Scope) -> Table:
        key = (tuple(hosts), passing.name, passing.scheme, passing.strip)
        if key not in self._services:
            service = self._services[key] = new_service(self.names.take(_wanted(passing, path, hosts)), span)
            self._routes[id(service)] = Names()
            if hosts:
                service.put("hosts", hosts, span)
            if passing.strip:
                service.put("base_path", passing.strip, span)
            passing.write(service, scope)
        return self._services[key]

    def _route(self, service: Table, place: Place, passing: Passing, location: Directive, scope: Scope) -> None:
        path = place.path.removeprefix(passing.strip) if passing.strip else place.path
        key: tuple[tuple[str, ...], str] = (tuple(service.value("hosts", ())), place.path)
        if key in self._said:
            if not place.implied:
                self.findings.left_out(location.span, f"another location already has {place.path[:80]}")
            return
        self._said.add(key)
        methods = _methods(location, self.findings)
        route = service.add("routes", Table(location.span))
        route.put("name", self._routes[id(service)].take(route_name(path)), location.span)
        route.put("path", path, location.place(), place.comment)
        route.put("methods", methods, location.span)
        apply_settings(route, scope, self.draft.platform, self.findings)
        passing.retry(route, scope, self.findings)
        add_limits(self.draft.platform, service, route, scope, self.zones, self.findings)


def _wanted(passing: Passing, path: str, hosts: list[str]) -> str:
    """After the upstream, or, where that is an address, after the path or the host."""
    if re.fullmatch(r"[0-9.:]+|\[.*|localhost(:[0-9]+)?", passing.name):
        words = [part for part in path.split("/") if re.fullmatch(r"[A-Za-z0-9_-]+", part)]
        return slug(next(iter([*words, *hosts]), ""), "service")
    return slug(passing.name.partition(":")[0])


def _locations(block: Directive, scope: Scope) -> Iterator[tuple[Directive, Scope]]:
    """Every location, nested ones as well."""
    for location in block.inner("location"):
        inner = scope.below(location)
        yield location, inner
        yield from _locations(location, inner)


def _only_refuses(location: Directive) -> bool:
    """`return 404`, `deny all`, `internal` and the like, and nothing that would answer."""
    refusing = {
        one.name
        for one in location.block or []
        if (one.name == "return" and one.first in ("403", "404", "444", "410") and len(one.arguments) == 1)
        or (one.name == "deny" and one.first == "all")
    }
    rest = {one.name for one in location.block or []} - refusing
    return bool(refusing) and rest <= {"access_log", "log_not_found", "error_log", "internal"}


def _methods(location: Directive, findings: Findings) -> list[str]:
    """All of them, unless `limit_except` says which."""
    for block in location.inner("limit_except"):
        block.skip()
        if [one.name for one in block.block or [] if one.name != "allow"] == ["deny"] and not block.inner("allow"):
            listed = [word.upper() for word in block.words if word.upper() in METHODS]
            return listed + (["HEAD"] if "GET" in listed and "HEAD" not in listed else [])
        findings.approximate(block.span, "methods that some addresses may use: nobody may", "list them in the route")
        return [word.upper() for word in block.words if word.upper() in METHODS]
    return list(METHODS)


def _trust(scope: Scope, platform: Table, findings: Findings) -> None:
    """`set_real_ip_from` names the proxies in front."""
    found = scope.every("set_real_ip_from")
    header = scope.one("real_ip_header")
    if header is not None and header.first.lower() != "x-forwarded-for":
        findings.left_out(header.span, f"clients are read from {header.first[:60]}", "gwc reads X-Forwarded-For alone")
        return
    networks = [one for one in found if re.fullmatch(r"[0-9a-fA-F.:]+(/[0-9]+)?", one.first)]
    for one in found:
        if one not in networks:
            findings.left_out(one.span, f"{one.first[:60]} is no network")
    if networks:
        platform.put("trusted_proxies", [one.first for one in networks], networks[0].span)
