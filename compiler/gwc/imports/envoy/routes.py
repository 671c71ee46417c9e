"""Virtual hosts and routes: hosts, paths, methods, where they lead, and what they rewrite."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gwc.diagnostics import Span
from gwc.imports.draft import Draft, Table, new_service
from gwc.imports.envoy.clusters import Clusters
from gwc.imports.envoy.filters import Filters
from gwc.imports.envoy.protobuf import exact_texts
from gwc.imports.envoy.settings import apply_settings
from gwc.imports.findings import Findings
from gwc.imports.regexes import templates_of
from gwc.imports.tree import Word
from gwc.imports.values import METHODS, Names, route_name, slug
from gwc.lint.code.routes import covers, shape
from gwc.policy.paths import parse_path

_STRIPPING = re.compile(r"\^(/[A-Za-z0-9_./~-]*[A-Za-z0-9_~-])(/?)\(\.\*\)\$?\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """`prefix` is what prefix_rewrite replaces; empty where it replaces a whole path, or nothing."""

    path: str
    prefix: str
    span: Span
    comment: str = ""


@dataclass
class Routes:
    draft: Draft
    clusters: Word
    findings: Findings
    names: Names = field(default_factory=Names)
    _services: dict[tuple[object, ...], Table] = field(default_factory=dict)
    _routes: dict[int, Names] = field(default_factory=dict)
    _earlier: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    """Per set of hosts: the shapes that earlier routes match whatever the method is."""

    def __post_init__(self) -> None:
        self.upstreams = Clusters(self.clusters, self.findings)

    def found(self) -> Iterator[Table]:
        yield from self._services.values()

    def of(self, host: Word, config: Word, manager: Word, filters: Filters) -> None:
        hosts = self._hosts(host)
        if hosts is None:
            self.findings.left_out(host["domains"].span, "a virtual host of patterns alone is not imported")
            host.mark()
            return
        for route in host["routes"].each():
            self._route(route, hosts, (manager, config, host, route), filters)

    def _hosts(self, host: Word) -> list[str] | None:
        named = []
        every = False
        for domain in host["domains"].each():
            bare = re.sub(r":([0-9]+|\*)\Z", "", domain.text)
            if bare in ("*", ""):
                every = True
            elif "*" in bare:
                hint = "write the hosts that you serve"
                self.findings.left_out(domain.span, f"the pattern {bare[:80]} of hosts", hint)
            elif bare not in named:
                named.append(bare)
        return [] if every else named or None

    def _route(self, route: Word, hosts: list[str], levels: tuple[Word, ...], filters: Filters) -> None:
        action, match = route["route"], route["match"]
        methods = self._methods(match)
        if not action.there:
            self._answered(route)
            return
        places = self._places(match) if methods else []
        if not places or not self._known(action):
            route.mark()
            return
        for place in places:
            strip = self._strip(action, place)
            service = self._service(action, hosts, strip, place)
            self._add(service, place, strip, methods, levels, filters)

    def _answered(self, route: Word) -> None:
        answer, redirect = route["direct_response"], route["redirect"]
        if answer["status"].number == 404:
            why = "no policy is needed: what no route matches is answered 404"
            self.findings.no_matter(answer["status"].span, "direct_response", why)
        else:
            what = "a redirect" if redirect.there else "an answer of Envoy's own" if answer.there else "no cluster"
            place = redirect if redirect.there else answer if answer.there else route
            self.findings.left_out(place.span, f"{what} is not imported", "a gateway forwards; let a service answer")
        route.mark()

    def _known(self, action: Word) -> bool:
        if action["cluster_header"].there:
            hint = "tell routes apart by host, path and method"
            self.findings.left_out(action["cluster_header"].span, "a cluster that a header names", hint)
            return False
        missing = [name for name in self._targets(action) if not self.upstreams.has(name)]
        if missing or not self._targets(action):
            place = action.first("cluster", "weighted_clusters")
            what = f"the cluster {missing[0][:60] if missing else ''} is not here, or has no endpoints"
            self.findings.left_out(place.span, what, "write the service's policy by hand")
            return False
        return True

    def _targets(self, action: Word) -> dict[str, int]:
        """Clusters with their weights."""
        if action["cluster"].text:
            return {action["cluster"].text: 1}
        weighted = list(action["weighted_clusters"]["clusters"].each())
        return {one["name"].text: int(one["weight"].number or 0) for one in weighted if one["weight"].number}

    def _methods(self, match: Word) -> list[str]:
        """Those of a matcher of `:method`; none for a route that other headers narrow."""
        methods = list(METHODS)
        for matcher in match["headers"].each():
            allowed = exact_texts(matcher["string_match"] if matcher["string_match"].there else matcher)
            if matcher["name"].text != ":method" or allowed is None or matcher["invert_match"].yes:
                hint = "tell routes apart by host, path and method"
                what = "a route for some requests of its paths is not imported"
                self.findings.left_out(matcher["name"].span, what, hint)
                return []
            methods = [method for method in METHODS if method in allowed]
        for key in ("query_parameters", "grpc", "runtime_fraction", "tls_context", "connect_matcher"):
            if match[key].there:
                self.findings.left_out(match[key].span, "a route for some requests of its paths is not imported")
                return []
        return methods

    def _places(self, match: Word) -> list[Place]:
        found = list(self._matched(match))
        for place in found:
            try:
                parse_path(place.path)
            except ValueError as error:
                self.findings.left_out(place.span, str(error), "write the route by hand")
                return []
        if match["case_sensitive"].no:
            self.findings.approximate(match["case_sensitive"].span, "case matters in paths")
        return found

    def _matched(self, match: Word) -> Iterator[Place]:
        for key in ("path", "prefix", "path_separated_prefix", "safe_regex"):
            word = match[key]
            if not word.there:
                continue
            text = word["regex"].text if key == "safe_regex" else word.text
            if key == "path":
                yield Place(text, text, word.span)
            elif key == "safe_regex":
                yield from self._expression(text, word["regex"].span)
            elif text.endswith("/"):
                yield Place(f"{text}**", text.rstrip("/"), word.span)
            else:
                note = f"Envoy also matched {text}anything" if key == "prefix" else ""
                yield Place(text, text, word.span, note)
                yield Place(f"{text}/**", text, word.span)
            return
        what = "a path that is matched in another way"
        self.findings.left_out(match.span, what, "a template has literal segments, {param} and a trailing /**")

    def _expression(self, text: str, span: Span) -> Iterator[Place]:
        found = templates_of(text, whole=True)
        if found is None:
            hint = "a template has literal segments, {param} and a trailing /**"
            self.findings.left_out(span, f"the expression {text[:80]} is no path template", hint)
            return
        if not found.exact:
            what = f"{' and '.join(found.paths)[:120]} instead of the expression {text[:80]}"
            self.findings.approximate(span, what, "paths are matched by whole segments")
        for path in found.paths:
            yield Place(path, "", span, "" if found.exact else f"was {text[:80]}")

    def _strip(self, action: Word, place: Place) -> str:
        """What the service does not see of the path; the report says where Envoy did something else."""
        rewrite, regex = action["prefix_rewrite"], action["regex_rewrite"]
        below = bool(place.prefix) and place.path == f"{place.prefix}/**"
        if rewrite.there and (
            rewrite.text.rstrip("/") == place.prefix or (place.path == "/**" and rewrite.text == "/")
        ):
            return ""
        if rewrite.there and rewrite.text == "/" and (below or place.path == place.prefix):
            return place.prefix
        pattern, to = regex["pattern"]["regex"].text, regex["substitution"].text
        match = _STRIPPING.match(pattern)
        if match and to in (r"/\1", r"\1") and place.path.startswith(f"{match[1]}/"):
            return match[1]
        if rewrite.there or regex.there:
            hint = "let the service serve that path, or set base_path, which is stripped"
            span = (rewrite if rewrite.there else regex).span
            self.findings.approximate(span, f"the service gets {place.path[:80]} where Envoy sent another path", hint)
        return ""

    def _service(self, action: Word, hosts: list[str], strip: str, place: Place) -> Table:
        targets = self._targets(action)
        key = (tuple(sorted(targets.items())), tuple(hosts), strip)
        if key not in self._services:
            name = slug(next(iter(targets)), "service")
            service = self._services[key] = new_service(self.names.take(name), place.span)
            self._routes[id(service)] = Names()
            if hosts:
                service.put("hosts", hosts, place.span)
            if strip:
                service.put("base_path", strip, place.span)
            self.upstreams.write(service, targets)
        return self._services[key]

    def _add(
        self,
        service: Table,
        place: Place,
        strip: str,
        methods: list[str],
        levels: tuple[Word, ...],
        filters: Filters,
    ) -> None:
        within = place.path.removeprefix(strip)
        route = levels[-1]
        if within == "":
            what = f"{place.path[:80]} itself, without a slash behind it, is not matched any more"
            self.findings.approximate(place.span, what)
            return
        earlier = self._earlier.setdefault(tuple(service.value("hosts", ())), [])
        if any(covers(one, shape(place.path)) or one == shape(place.path) for one in earlier):
            hint = "Envoy takes the first route that matches, a policy the most specific one, on every listener alike"
            self.findings.left_out(place.span, f"{place.path[:80]}: an earlier route already matches all of it", hint)
            route.mark()
            self.upstreams.common(route["route"]).mark()
            return
        if methods == list(METHODS):
            earlier.append(shape(place.path))
        table = service.add("routes", Table(place.span))
        wanted = slug(route["name"].text, "") if route["name"].there else ""
        table.put("name", self._routes[id(service)].take(wanted or route_name(within)), place.span)
        table.put("path", within, place.span, place.comment)
        table.put("methods", methods, place.span)
        apply_settings(table, levels, self.upstreams.common(route["route"]), self.findings)
        filters.apply(service, table, levels, place.path)
