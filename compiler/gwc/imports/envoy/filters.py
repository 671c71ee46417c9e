"""HTTP filters, and what virtual hosts and routes change of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gwc.imports.draft import Draft, Table
from gwc.imports.envoy.access import Access
from gwc.imports.envoy.limits import add_limits
from gwc.imports.envoy.protobuf import config_of, kind
from gwc.imports.envoy.words import FILTERS
from gwc.imports.findings import Findings
from gwc.imports.tree import Word
from gwc.imports.values import size

_GUARDS = frozenset({"RBAC", "ExtAuthz", "BasicAuth", "OAuth2", "ApiKeyAuth", "CsrfPolicy", "IPTagging", "GcpAuthn"})
_ROUTERS = frozenset({"Router", "GrpcWeb", "Cors", "CorsPolicy"})
_PER_ROUTE = {"BufferPerRoute": "Buffer", "RBACPerRoute": "RBAC", "ExtAuthzPerRoute": "ExtAuthz", "CorsPolicy": "Cors"}


@dataclass
class Filters:
    manager: Word
    draft: Draft
    findings: Findings
    _of_all: set[tuple[int, int]] = field(default_factory=set)
    access: Access = field(init=False)

    def __post_init__(self) -> None:
        self.access = Access(self.draft, self.findings)
        for extension, config in self._filters():
            name = kind(config) or _by_name(extension["name"].text)
            extension["name"]
            if extension["disabled"].yes:
                self.findings.no_matter(extension["name"].span, extension["name"].text[:60], "switched off")
                extension.mark()
            elif name == "JwtAuthentication":
                self.access.tokens(config)
            elif name in _GUARDS:
                self.access.guard(extension["name"], name)
                config.mark()
            elif name == "LocalRateLimit":
                add_limits(self.draft.platform, config, self._rate_limits(), self.findings)
            elif name not in _ROUTERS | {"Buffer"}:
                what = f"the filter {extension['name'].text[:60]} has no counterpart in a policy"
                self.findings.left_out(extension["name"].span, what, FILTERS.get(name, "let the service do it"))
                config.mark()

    def _filters(self) -> Iterator[tuple[Word, Word]]:
        for extension in self.manager["http_filters"].each():
            yield extension, config_of(extension)

    def _rate_limits(self) -> list[Word]:
        """Every `rate_limits` of the manager's routes: they say what descriptors are made of."""
        found = []
        for host in self.manager["route_config"]["virtual_hosts"].each():
            found += list(host["rate_limits"].each())
            found += [one for route in host["routes"].each() for one in route["route"]["rate_limits"].each()]
        for one in found:
            one.mark()
        return found

    def apply(self, service: Table, route: Table, levels: tuple[Word, ...], path: str) -> None:
        """`levels` are manager, route configuration, virtual host and route."""
        *_, host, own = levels
        changes = [_per_filter(level) for level in (levels[1], host, own)]
        self.access.apply(route, path, changes)
        self._body(route, changes)
        self._cors(route, [*changes], (host, own["route"]))
        for changed, table in zip(changes, (None, service, route), strict=True):
            config = changed.get("LocalRateLimit")
            if config is not None and table is not None and not self._done(config, table):
                add_limits(table, config, self._rate_limits(), self.findings)

    def _done(self, config: Word, table: Table) -> bool:
        mark = (id(config.node), id(table))
        known = mark in self._of_all
        self._of_all.add(mark)
        return known

    def _body(self, route: Table, changes: list[dict[str, Word]]) -> None:
        found = next((config for _, config in self._filters() if kind(config) == "Buffer"), None)
        for changed in changes:
            if "Buffer" in changed:
                found = changed["Buffer"]["buffer"] if changed["Buffer"]["buffer"].there else changed["Buffer"]
        word = found["max_request_bytes"] if found is not None else None
        if word is not None and word.number is not None:
            route.put("max_body", size(word.number)[0], word.span)

    def _cors(self, route: Table, changes: list[dict[str, Word]], old: tuple[Word, ...]) -> None:
        policies = [changed["Cors"] for changed in changes if "Cors" in changed]
        policies += [level["cors"] for level in old if level["cors"].there]
        if policies:
            _write_cors(route, policies[-1], self.findings)

    def settle(self) -> None:
        self.access.settle()


def _by_name(name: str) -> str:
    """Of filters in the way that configurations of old write them."""
    return {"envoy.router": "Router", "envoy.filters.http.router": "Router", "envoy.cors": "Cors"}.get(name, name)


def _per_filter(level: Word) -> dict[str, Word]:
    found = {}
    overrides = level["typed_per_filter_config"]
    for name, _, _ in overrides.items():
        config = overrides[name]
        inner = config["config"] if kind(config) == "FilterConfig" else config
        word = kind(inner)
        if word == "PerRouteConfig":
            word = "JwtAuthentication"
        found[_PER_ROUTE.get(word, word)] = inner
    return found


def _write_cors(route: Table, policy: Word, findings: Findings) -> None:
    origins = []
    for matcher in policy.first("allow_origin_string_match", "allow_origin").each():
        text = matcher["exact"].text or (matcher.text if not matcher.is_map else "")
        anything = matcher["prefix"].value == "" or matcher["safe_regex"]["regex"].text in (".*", "*", r"\*")
        if text or anything:
            origins.append("*" if anything else text)
        else:
            findings.left_out(matcher.span, "origins by a pattern", "write origins as https://app.example.com")
        matcher.mark()
    if not origins:
        policy.mark()
        return
    route.put("cors.origins", ["*"] if "*" in origins else list(dict.fromkeys(origins)), policy.span)
    for word, name in (("methods", "allow_methods"), ("headers", "allow_headers")):
        listed = [part.strip() for part in policy[name].text.split(",") if part.strip() not in ("", "*")]
        if listed:
            route.put(f"cors.{word}", listed, policy[name].span)
    if policy["max_age"].number is not None:
        route.put("cors.max_age", f"{policy['max_age'].number:.0f}s", policy["max_age"].span)
    if policy["allow_credentials"].yes:
        route.put("cors.credentials", True, policy["allow_credentials"].span)
    if policy["expose_headers"].text:
        findings.left_out(policy["expose_headers"].span, "`expose_headers` has no counterpart in a policy")
