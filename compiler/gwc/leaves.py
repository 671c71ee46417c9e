"""The leaves of a Gateway: where each lies, which feature owns it, and what else it could be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

from gwc.ir import Gateway, Limit, LimitKey, Node, Origin, PathTemplate, RetryCause
from gwc.policy.paths import parse_path
from gwc.units import Rate

Step = str | int

IRRELEVANT = {
    "environment": "names the environment in the manifest",
    "now": "the day that waivers are judged by",
    "targets": "chooses among what the tables promise",
    "access_log": "has one value so far",
    "*.id": "tells buckets apart; no client can see it",
    "services.owner": "for people: lint and diff show it",
    "services.description": "for people",
    "services.routes.description": "for people",
    "services.base_path": "already part of every route's path; `strip` is what is taken off",
    "services.upstream.endpoints.scheme": "https exactly when `tls` is there",
    "identity.jwt.name": "a label derived from the position of the issuer",
}
"""Leaves that no output has to show, with the reason."""

OWNERS = {
    "listen.http.*": "listen.http",
    "listen.https.redirect": "listen.https.redirect",
    "listen.https.*": "listen.https",
    "listen.admin.*": "listen.admin",
    "trusted_proxies": "trusted_proxies",
    "identity.user_header": "identity.user_header",
    "identity.gateway_secret.*": "identity.gateway_secret",
    "identity.jwt.jwks_url": "auth.jwt.jwks_url",
    "identity.jwt.scope_claim": "auth.scopes",
    "identity.jwt.*": "auth.jwt",
    "identity.api_key.*": "auth.api_key",
    "request_id.*": "request_id",
    "tracing.*": "tracing",
    "metrics_path": "metrics",
    "error_type_base": "errors",
    "rate_limit_store.*": "limits.cluster",
    "*limits.shadow": "limits.shadow",
    "*limits.cluster": "limits.cluster",
    "concurrency": "concurrency",
    "services.name": "access_log",
    "services.hosts": "hosts",
    "services.strip": "base_path",
    "services.upstream.endpoints.address.*": "upstream.endpoints",
    "services.upstream.endpoints.weight": "upstream.weight",
    "services.upstream.tls.client_*": "upstream.tls.client_certificate",
    "services.upstream.tls.*": "upstream.tls",
    "services.upstream.concurrency": "upstream.concurrency",
    "services.upstream.breaker.*": "upstream.breaker",
    "services.upstream.health.*": "upstream.health",
    "services.budget.charge": "budget.charge",
    "services.budget.cluster": "budget.cluster",
    "services.budget.*": "budget",
    "services.routes.name": "access_log",
    "services.routes.path": "path",
    "services.routes.methods": "methods",
    "services.routes.auth.providers": "auth.any_of",
    "services.routes.auth.scopes": "auth.scopes",
    "services.routes.timeouts.connect": "timeouts.connect",
    "services.routes.timeouts.request": "timeouts.request",
    "services.routes.timeouts.idle": "timeouts.idle",
    "services.routes.retries.attempts": "retries.attempts",
    "services.routes.retries.causes": "retries.when",
    "services.routes.retries.statuses": "retries.when",
    "services.routes.retries.per_try": "retries.per_try",
    "services.routes.retries.backoff_*": "retries.backoff",
    "services.routes.retries.budget": "retries.budget",
    "services.routes.retries.unsafe": "retries.unsafe",
    "services.routes.cost": "cost",
    "services.routes.max_body": "max_body",
    "services.routes.cors.*": "cors",
    "services.routes.headers.request.*": "headers.request",
    "services.routes.headers.response.*": "headers.response",
    "services.routes.cache.ttl": "cache",
    "services.routes.cache.vary_query": "cache.vary.query",
    "services.routes.cache.vary_headers": "cache.vary.headers",
    "services.routes.cache.stale_if_error": "cache.stale.if_error",
    "services.routes.cache.stale_while_revalidate": "cache.stale.while_revalidate",
    "services.routes.cache.negative_ttl": "cache.negative_ttl",
    "services.routes.cache.per_user": "cache.scope.user",
    "services.routes.stream": "stream",
    "services.routes.websocket": "websocket",
}
"""The feature that answers for a leaf; the first pattern that matches."""


_SPELLED = {
    "metrics_path": "metrics.path",
    "error_type_base": "errors.type",
    "strip": "keep_base_path",
    "retries.causes": "retries.when",
    "retries.statuses": "retries.when",
    "retries.backoff_base": "retries.backoff.base",
    "retries.backoff_max": "retries.backoff.max",
    "cache.per_user": "cache.scope",
    "cache.vary_query": "cache.vary.query",
    "cache.vary_headers": "cache.vary.headers",
    "cache.stale_if_error": "cache.stale.if_error",
    "cache.stale_while_revalidate": "cache.stale.while_revalidate",
    "auth.providers": "auth.any_of",
    "limits.shadow": "limits.mode",
    "limits.cluster": "limits.scope",
    "budget.cluster": "budget.scope",
    "identity.jwt.jwks_url": "identity.jwt.jwks.url",
    "identity.jwt.user_claim": "identity.jwt.user",
    "identity.jwt.scope_claim": "identity.jwt.scopes",
    "identity.jwt.audiences": "identity.jwt.audience",
    "upstream.endpoints.address.host": "upstream.endpoints",
    "upstream.endpoints.address.port": "upstream.endpoints",
}
"""Where the Gateway's name for a field is not the policy's."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """`name` is the path without positions, `limit` the kind of the limit that it lies in."""

    path: tuple[Step, ...]
    value: Any
    limit: LimitKey | None = None

    @property
    def name(self) -> str:
        return ".".join(step for step in self.path if isinstance(step, str))

    @property
    def owner(self) -> str | None:
        """The feature that answers for it; None for an irrelevant one. KeyError when nobody decided."""
        if any(fnmatchcase(self.name, pattern) for pattern in IRRELEVANT):
            return None
        owner = next((OWNERS[pattern] for pattern in OWNERS if fnmatchcase(self.name, pattern)), None)
        if owner is None and self.limit is not None:
            owner = f"limits.{self.limit.value}"
        if owner is None:
            raise KeyError(self.name)
        return owner


def leaves(value: Any, path: tuple[Step, ...] = (), limit: LimitKey | None = None) -> Iterator[Leaf]:
    """Every leaf below `value` in the order of the IR. A tuple of scalars or pairs is one leaf."""
    if isinstance(value, Node):
        within = value.key if isinstance(value, Limit) else limit
        for one in fields(value):
            if one.name != "provenance":
                yield from leaves(getattr(value, one.name), (*path, one.name), within)
    elif isinstance(value, tuple) and value and isinstance(value[0], Node):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index), limit)
    else:
        yield Leaf(path, value, limit)


def changed(gateway: Gateway, leaf: Leaf, *, whole: bool = False) -> Gateway:
    """The same Gateway with another value at `leaf`; with `whole` nothing of a tuple's members is left."""
    result = _with(gateway, leaf.path, _other(leaf, whole=whole))
    assert isinstance(result, Gateway)
    return result


def spelled(name: str) -> str:
    """A leaf's name as a policy writes the field: `services.routes.cache.per_user` is `cache.scope`."""
    short = re.sub(r"^services\.(routes\.)?", "", name)
    return _SPELLED.get(short, short)


def origin(gateway: Gateway, leaf: Leaf) -> Origin | None:
    """Who wrote the leaf: the origin that is nearest to it on its path; None for what no policy could write."""
    node: Any = gateway
    found: Origin | None = None
    for step in leaf.path:
        if isinstance(step, int):
            node = node[step]
            continue
        found = node.provenance.get(step, found)
        node = getattr(node, step)
    return found


def _with(value: Any, path: tuple[Step, ...], new: Any) -> Any:
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        return (*value[:step], _with(value[step], rest, new), *value[step + 1 :])
    return replace(value, **{step: _with(getattr(value, step), rest, new)})


_WORDS = {"TLSv1.3": "TLSv1.2", "TLSv1.2": "TLSv1.3", "deny": "allow", "allow": "deny", "127.0.0.1": "127.0.0.9"}
_SCALARS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (bool, lambda value: not value),
    (Enum, lambda value: next(member for member in type(value) if member is not value)),
    (int, lambda value: value + 1),
    (float, lambda value: value * 1.5),
    (Rate, lambda value: replace(value, tokens=value.tokens + 1)),
    (PathTemplate, lambda value: parse_path(value.text.removesuffix("/**").rstrip("/") + "/more")),
    (str, lambda value: _WORDS.get(value, value + "x")),
)
_TUPLES = {
    "trusted_proxies": "10.77.0.0/16",
    "hosts": "more.example.com",
    "methods": "DELETE",
    "algorithms": "ES384",
    "statuses": 504,
    "set": ("X-More", "more"),
    "origins": "https://more.example.com",
}


def _other(leaf: Leaf, *, whole: bool) -> Any:
    field, value = leaf.path[-1], leaf.value
    if field == "causes":
        return (RetryCause.CONNECT,)
    if field == "providers":
        return ("api_key",) if value == ("jwt",) else ("jwt",)
    if field == "source":
        return "file" if value == "env" else "env"
    if field == "jwks":
        return _other_keys(value)
    if field == "otlp":
        return "http://127.0.0.9:4999"
    if isinstance(value, tuple):
        return (*(() if whole else value), _TUPLES.get(str(field), "more"))
    return next(change(value) for kind, change in _SCALARS if isinstance(value, kind))


def _other_keys(jwks: str) -> str:
    """The first key gets another id."""
    keys = json.loads(jwks)
    keys["keys"][0]["kid"] = f"{keys['keys'][0].get('kid', '')}-more"
    return json.dumps(keys, separators=(",", ":"))
