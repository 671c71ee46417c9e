"""The first policy of a service: what `gwc init` writes. Valid, without a finding of lint, and closed to strangers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from gwc.diagnostics import Span
from gwc.imports.draft import Draft, Said, Table, new_platform, new_service
from gwc.imports.fastapi import add_routes
from gwc.imports.findings import Findings
from gwc.imports.identity import KEY_FILE, assume_api_key, assume_jwt, needs_keys, placeholder_keys
from gwc.imports.openapi import PLACEHOLDER, read
from gwc.imports.reading import read_file
from gwc.imports.settle import settled
from gwc.imports.values import environment_name
from gwc.policy.addresses import parse_url
from gwc.policy.platform import PlatformPolicy

_HERE = Span("gwc init", 1, 1, 1, 1)
_WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_ACCEPT = {
    "envoy": ["access_log"],
    "nginx": ["timeouts.request"],
    "kong": ["errors", "timeouts.request"],
}
"""What each gateway keeps approximately of what the first policy uses; `gwc support` says what holds."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What somebody said of the service. Empty: not said. `auth` is none, api_key or jwt."""

    service: str = ""
    owner: str = ""
    endpoint: str = ""
    auth: str = ""
    openapi: str = ""
    fastapi: str = ""


def begin(answers: Answers, platform: PlatformPolicy | None, findings: Findings) -> Draft:
    """`platform` is the one that is there already. Raises ImportFailedError, SourceError and CodeError."""
    draft = _routes(answers, findings)
    service = draft.services[0]
    if answers.service:
        service.put("service", answers.service, _HERE)
    name = service.value("service")
    service.put("owner", answers.owner or f"team-{name}", _HERE, "" if answers.owner else "who is paged?")
    if service.said("base_path") is None:
        service.put("base_path", f"/{name}", _HERE, "stripped before the service sees it")
    _upstream(service, answers)
    _access(draft, service, answers, platform, findings)
    _new_platform(draft) if platform is None else _meet(service, platform)
    return draft


def policies(draft: Draft, findings: Findings, *, together: bool) -> dict[str, str]:
    """The texts by name; not `together` where another platform policy is there. Raises ImportFailedError."""
    if needs_keys(draft.platform):
        draft.files.setdefault(KEY_FILE, placeholder_keys())
    return settled(draft, findings, "Written by gwc init; yours to change.", together=together)


def _routes(answers: Answers, findings: Findings) -> Draft:
    if answers.openapi:
        return read(read_file(answers.openapi, findings), findings)
    draft = Draft(new_platform(_HERE))
    service = new_service(answers.service or "service", _HERE)
    draft.services.append(service)
    if answers.fastapi:
        add_routes(service, answers.fastapi, findings)
        return draft
    route = service.add("routes", Table(_HERE))
    route.put("name", "all", _HERE)
    route.put("path", "/**", _HERE, "name your paths, and the gateway answers 404 and 405 for all others")
    route.put("methods", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], _HERE)
    return draft


def _upstream(service: Table, answers: Answers) -> None:
    """The long form: an endpoint, and a breaker that costs nothing."""
    written = service.said("upstream")
    url = answers.endpoint or (written.value if written else PLACEHOLDER)
    if written is not None:
        service.items.pop("upstream")
    upstream = service.items.setdefault("upstream", Table(_HERE))
    assert isinstance(upstream, Table)
    upstream.add("endpoints", Table(_HERE)).put("url", url, _HERE)
    upstream.put("breaker.failures", 5, _HERE)
    upstream.put("breaker.open", "10s", _HERE)


def _access(
    draft: Draft, service: Table, answers: Answers, platform: PlatformPolicy | None, findings: Findings
) -> None:
    described = bool(answers.openapi) and not answers.auth
    if not described:
        for table in (service, *service.rows("routes")):
            table.items.pop("auth", None)
        _decide(draft, service, answers.auth or _usual(platform), platform, findings)
    if any(_is_known(table) for table in (service, *service.rows("routes"))):
        limit = service.add("limits", Table(_HERE))
        limit.put("per", "user", _HERE)
        limit.put("rate", "120/min", _HERE)
        limit.put("burst", 30, _HERE)
    for route in service.rows("routes"):
        _calm(service, route)


def _usual(platform: PlatformPolicy | None) -> str:
    """Credentials that the platform knows already, or an API key, which needs nobody else."""
    if platform is None or platform.identity.api_key is not None:
        return "api_key"
    return "jwt" if platform.identity.jwt else "api_key"


def _decide(draft: Draft, service: Table, auth: str, platform: PlatformPolicy | None, findings: Findings) -> None:
    name = service.value("service")
    if auth == "none":
        service.put("auth", "none", _HERE, "anybody may call it")
        return
    service.put("auth.any_of", [auth], _HERE)
    if platform is not None:
        return
    if auth == "jwt":
        assume_jwt(draft.platform, _HERE, findings)
    else:
        assume_api_key(draft.platform, "", _HERE, findings, keys=((name, environment_name("KEY", name)),))


def _is_known(table: Table) -> bool:
    return isinstance(table.items.get("auth"), Table)


def _calm(service: Table, route: Table) -> None:
    """A public route that writes gets a limit of its own, and one that is everything says that it is meant so."""
    own = route.items.get("auth", service.items.get("auth"))
    if not isinstance(own, Said):
        return
    if _WRITING & set(route.value("methods")):
        limit = route.add("limits", Table(_HERE))
        limit.put("per", "ip", _HERE)
        limit.put("rate", "30/min", _HERE)
        limit.put("burst", 10, _HERE)
    path = route.said("path")
    if path is not None and path.value.endswith("/**"):
        path.comment = "gwc: ignore[GWC401] everything is public on purpose"


def _new_platform(draft: Draft) -> None:
    platform = draft.platform
    platform.put("owner", "team-platform", _HERE)
    platform.put("listen.http", "127.0.0.1:8080", _HERE, "this machine alone; others need listen.https")
    limit = platform.add("limits", Table(_HERE))
    limit.put("per", "ip", _HERE)
    limit.put("rate", "600/min", _HERE)
    limit.put("burst", 100, _HERE)
    if not all(_is_loopback(row.value("url")) for service in draft.services for row in _endpoints(service)):
        _prove_passage(platform)
    tables = [table for service in draft.services for table in (service, *service.rows("routes"))]
    in_turn = any(limit.value("per") == "ip" for table in tables for limit in table.rows("limits"))
    for target, accept in _ACCEPT.items():
        extra = ["limits.ip"] if target == "envoy" and in_turn else []
        platform.put(f"targets.{target}.accept", [*accept, *extra], _HERE)


def _endpoints(service: Table) -> list[Table]:
    upstream = service.items["upstream"]
    assert isinstance(upstream, Table)
    return upstream.rows("endpoints")


def _prove_passage(platform: Table) -> None:
    """Others reach the service, too: it has to tell their requests from the gateway's."""
    platform.put("identity.gateway_secret.header", "X-Gateway-Secret", _HERE, "the service refuses who lacks it")
    platform.put("identity.gateway_secret.secret", {"env": "GATEWAY_SECRET"}, _HERE)


def _is_loopback(url: object) -> bool:
    """Whether a URL of an endpoint leads to this machine; not for what is none."""
    try:
        host = parse_url(str(url), ("http", "https")).host
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _meet(service: Table, platform: PlatformPolicy) -> None:
    """What the platform that is there asks of every service."""
    bounds = platform.bounds
    asked: tuple[tuple[object, Callable[[], None]], ...] = (
        (bounds.health, lambda: _health(service)),
        (
            bounds.budget,
            lambda: service.put("budget", {"per": "user", "units": "10000/hour"}, _HERE, "what may a user cost?"),
        ),
        (bounds.upstream_concurrency, lambda: _concurrency(service, platform)),
        (bounds.limits_ip, lambda: _limit(service, "ip", "600/min", platform)),
        (bounds.limits_user, lambda: _limit(service, "user", "120/min", platform)),
        (bounds.limits_service, lambda: _limit(service, "service", "6000/min", platform)),
    )
    for bound, meet in asked:
        if bound is not None:
            meet()


def _health(service: Table) -> None:
    if service.said("upstream.health.path") is None:
        service.put("upstream.health.path", "/healthz", _HERE, "the service must answer 200 there")
        service.put("upstream.health.every", "5s", _HERE)


def _concurrency(service: Table, platform: PlatformPolicy) -> None:
    bound = platform.bounds.upstream_concurrency
    assert bound is not None
    cap = min(max(64, bound.min or 1), bound.max or 64)
    service.put("upstream.concurrency", cap, _HERE)


def _limit(service: Table, key: str, rate: str, platform: PlatformPolicy) -> None:
    there = [row.value("per") for row in service.rows("limits")] + [limit.per for limit in platform.limits]
    if key not in there:
        limit = service.add("limits", Table(_HERE))
        limit.put("per", key, _HERE)
        limit.put("rate", rate, _HERE)
