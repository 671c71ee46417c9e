"""Kong's services and routes: hosts, paths, methods, what is stripped, and which plugins hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gwc.diagnostics import Span
from gwc.imports.draft import Draft, Table, new_service
from gwc.imports.findings import Findings
from gwc.imports.kong.consumers import Consumers
from gwc.imports.kong.plugins import Held, apply_plugins
from gwc.imports.kong.upstreams import write_upstream
from gwc.imports.regexes import templates_of
from gwc.imports.tree import Word
from gwc.imports.values import METHODS, Names, duration, route_name, slug
from gwc.policy.paths import parse_path

_OWNERS = ("service", "route", "consumer", "consumer_group")
_NARROW = ("headers", "snis", "sources", "destinations", "expression")


@dataclass
class Entities:
    root: Word
    findings: Findings

    def __post_init__(self) -> None:
        self._routes = _by_reference(self.root["routes"], "service")
        common = [one for one in self.root["plugins"].each() if not any(one[key].there for key in _OWNERS)]
        self._common = [Held(one, "platform") for one in common]
        self._of_service = _by_reference(self.root["plugins"], "service")
        self._of_route = _by_reference(self.root["plugins"], "route")

    def services(self) -> Iterator[Word]:
        for service in self.root["services"].each():
            if service["enabled"].no:
                self.findings.left_out(service["name"].span, "a service that is switched off")
                service.mark()
            elif (spoken := _spoken(service)) not in ("http", "https"):
                place = service.first("url", "protocol").span
                self.findings.left_out(place, f"a service that speaks {spoken[:20]}", "only HTTP is forwarded")
                service.mark()
            else:
                yield service

    def routes(self, service: Word) -> Iterator[Word]:
        """Those within the service, and those beside it that name it."""
        yield from service["routes"].each()
        yield from _referring(self._routes, service)

    def plugins(self, service: Word, route: Word) -> dict[str, Held]:
        """One of each name: that of the route before that of the service before that of all."""
        of_service = (*_referring(self._of_service, service), *service["plugins"].each())
        of_route = (*_referring(self._of_route, route), *route["plugins"].each())
        ranked = (
            *self._common,
            *(Held(one, "service") for one in of_service),
            *(Held(one, "route") for one in of_route),
        )
        return {one.plugin["name"].text: one for one in ranked if one.plugin["enabled"].value is not False}

    def unplaced(self) -> None:
        """Plugins that hold for nobody who is imported."""
        for one in self.root["plugins"].each():
            if one["consumer"].there:
                hint = "limits are the same for all users of a route"
                self.findings.left_out(one["name"].span, f"the plugin {one['name'].text[:60]} of one consumer", hint)
                one.mark()
            if one["enabled"].no:
                self.findings.no_matter(one["name"].span, one["name"].text[:60], "switched off")
                one.mark()


def _spoken(service: Word) -> str:
    scheme, colon, _ = service["url"].text.partition("://")
    return scheme if colon else service["protocol"].text or "http"


def _by_reference(words: Word, key: str) -> dict[str, list[Word]]:
    """Entities by the name or the id that they refer to."""
    found: dict[str, list[Word]] = {}
    for one in words.each():
        reference = one[key]
        if wanted := reference.text or reference["name"].text or reference["id"].text:
            found.setdefault(wanted, []).append(one)
    return found


def _referring(found: dict[str, list[Word]], to: Word) -> list[Word]:
    names = dict.fromkeys(name for name in (to["name"].text, to["id"].text) if name)
    return [one for name in names for one in found.get(name, [])]


@dataclass
class Routes:
    entities: Entities
    draft: Draft
    consumers: Consumers
    findings: Findings
    names: Names = field(default_factory=Names)
    _services: dict[tuple[object, ...], Table] = field(default_factory=dict)
    _routes: dict[int, Names] = field(default_factory=dict)

    def found(self) -> Iterator[Table]:
        yield from self._services.values()

    def orphans(self) -> None:
        services = self.entities.root["services"].each()
        placed = {id(route.node) for service in services for route in self.entities.routes(service)}
        for route in self.entities.root["routes"].each():
            if id(route.node) not in placed:
                self.findings.left_out(_place(route), "a route without a service", "a gateway forwards to one")
                route.mark()
        self.entities.unplaced()

    def of(self, service: Word) -> None:
        routes = list(self.entities.routes(service))
        if not routes:
            self.findings.left_out(_place(service), f"no route leads to the service {service['name'].text[:60]}")
            service.mark()
        for route in routes:
            self._route(service, route)

    def _route(self, service: Word, route: Word) -> None:
        narrow = next((route[key] for key in _NARROW if route[key].there), None)
        hosts = self._hosts(route)
        if narrow is not None or hosts is None or not self._speaks_http(route):
            if narrow is not None:
                hint = "tell routes apart by host, path and method"
                self.findings.left_out(narrow.span, "a route for some requests of its paths is not imported", hint)
            route.mark()
            return
        for path, prefix, comment, place in self._paths(route):
            strip = self._strip(service, route, prefix, path)
            policy = self._policy(service, hosts, strip)
            self._add(policy, service, route, path, strip, comment, place)

    def _hosts(self, route: Word) -> list[str] | None:
        named = []
        for host in route["hosts"].each():
            if "*" in host.text:
                hint = "write the hosts that you serve"
                self.findings.left_out(host.span, f"the pattern {host.text[:80]} of hosts", hint)
            elif (bare := re.sub(r":[0-9]+\Z", "", host.text)) not in named:
                named.append(bare)
        return None if route["hosts"].there and not named and any(route["hosts"].each()) else named

    def _speaks_http(self, route: Word) -> bool:
        protocols = route["protocols"].texts()
        if not protocols or {"http", "https"} & set(protocols):
            if protocols == ["https"]:
                hint = "write listen.https with redirect: true"
                self.findings.approximate(route["protocols"].span, "a route for https alone", hint)
            return True
        what = f"a route for {', '.join(protocols)[:60]}"
        self.findings.left_out(route["protocols"].span, what, "only HTTP services are behind a gateway of gwc's")
        return False

    def _paths(self, route: Word) -> Iterator[tuple[str, str, str, Span]]:
        """Template, the prefix that may be stripped, a comment, and the place."""
        if not route["paths"].there:
            yield "/**", "", "", _place(route)
        for word in route["paths"].each():
            if word.text.startswith("~"):
                yield from self._expression(word)
            elif self._is_path(word):
                prefix = word.text.rstrip("/")
                if word.text.endswith("/"):
                    yield f"{prefix}/**", prefix, "", word.span
                else:
                    yield prefix, prefix, f"Kong also matched {prefix}anything", word.span
                    yield f"{prefix}/**", prefix, "", word.span

    def _is_path(self, word: Word) -> bool:
        try:
            parse_path(word.text.rstrip("/") or "/")
        except ValueError as error:
            self.findings.left_out(word.span, str(error), "write the route by hand")
            return False
        return True

    def _expression(self, word: Word) -> Iterator[tuple[str, str, str, Span]]:
        found = templates_of("^" + word.text[1:].removeprefix("^"))
        if found is None:
            hint = "a template has literal segments, {param} and a trailing /**"
            self.findings.left_out(word.span, f"the expression {word.text[:80]} is no path template", hint)
            return
        if not found.exact:
            what = f"{' and '.join(found.paths)[:120]} instead of the expression {word.text[:80]}"
            self.findings.approximate(word.span, what, "paths are matched by whole segments")
        for path in found.paths:
            yield path, "", "" if found.exact else f"was {word.text[:80]}", word.span

    def _strip(self, service: Word, route: Word, prefix: str, path: str) -> str:
        """The prefix that the service does not see; the report says where Kong did something else."""
        within = _base(service).rstrip("/")
        stripped = not route["strip_path"].no
        if not stripped and not within:
            return ""
        if stripped and prefix == within:
            return ""
        place = route["strip_path"].span if route["strip_path"].there else _place(route)
        if stripped and not within and prefix and path != prefix:
            return prefix
        if stripped and not within and (prefix or path == "/**"):
            return prefix
        hint = "let the service serve that path, or set base_path, which is stripped"
        self.findings.approximate(place, f"the service gets {path[:80]} where Kong sent it another path", hint)
        return ""

    def _policy(self, service: Word, hosts: list[str], strip: str) -> Table:
        key = (service["name"].text, tuple(hosts), strip)
        if key not in self._services:
            name = slug(service["name"].text or service["host"].text, "service")
            policy = self._services[key] = new_service(self.names.take(name), _place(service))
            self._routes[id(policy)] = Names()
            if hosts:
                policy.put("hosts", hosts, _place(service))
            if strip:
                policy.put("base_path", strip, _place(service))
            write_upstream(policy, service, self.entities.root, self.findings)
        return self._services[key]

    def _add(self, policy: Table, service: Word, route: Word, path: str, strip: str, comment: str, place: Span) -> None:
        within = path.removeprefix(strip)
        if within == "":
            self.findings.approximate(place, f"{path[:80]} itself, without a slash behind it, is not matched any more")
            return
        terminated = self.entities.plugins(service, route).get("request-termination")
        if terminated is not None:
            what = "a route that Kong answers itself is not imported"
            self.findings.left_out(terminated.plugin["name"].span, what)
            terminated.plugin.mark()
            return
        table = policy.add("routes", Table(place))
        wanted = slug(route["name"].text, "") if route["name"].there else ""
        table.put("name", self._routes[id(policy)].take(wanted or route_name(within)), place)
        table.put("path", within, place, comment)
        table.put("methods", self._methods(route), place)
        _timeouts(table, service, self.findings)
        levels = {"platform": self.draft.platform, "service": policy, "route": table}
        apply_plugins(levels, self.entities.plugins(service, route), self.consumers, self.findings)

    def _methods(self, route: Word) -> list[str]:
        said = [word.text.upper() for word in route["methods"].each()]
        for word in route["methods"].each():
            if word.text.upper() not in METHODS:
                self.findings.left_out(word.span, f"the method {word.text[:20]} does not pass a gateway of gwc's")
        return [method for method in said if method in METHODS] or list(METHODS)


def _place(entity: Word) -> Span:
    return entity["name"].span if entity["name"].there else entity.span


def _base(service: Word) -> str:
    """The path below which the service's own paths lie."""
    if service["url"].there:
        match = re.match(r"[a-z]+://[^/]*(/[^?#]*)?", service["url"].text)
        return (match[1] or "") if match else ""
    return service["path"].text


def _timeouts(table: Table, service: Word, findings: Findings) -> None:
    for word, names in (("connect_timeout", ("connect",)), ("read_timeout", ("request", "idle"))):
        value = service[word].number
        for name in names if value else ():
            assert value is not None
            table.put(f"timeouts.{name}", duration(value / 1000)[0], service[word].span)
    if service["read_timeout"].there:
        what = "read_timeout is the time between two reads; timeouts.request is that of the whole request"
        findings.approximate(service["read_timeout"].span, what, "raise timeouts.request where answers take longer")
    writing = service["write_timeout"]
    if writing.there and writing.number != service["read_timeout"].number:
        findings.approximate(writing.span, "timeouts.idle holds for both directions")
    tries = service["retries"].number
    if tries is not None:
        table.put("retries", "none", service["retries"].span) if tries < 1 else _tries(table, tries, service)


def _tries(table: Table, tries: float, service: Word) -> None:
    table.put("retries.attempts", min(int(tries), 10), service["retries"].span)
    table.put("retries.when", ["connect", "reset"], service["retries"].span)
