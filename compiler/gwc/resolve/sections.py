"""The sections that every level can carry, settled for one route."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gwc.diagnostics import Related, Report
from gwc.document import Path
from gwc.frozen import dataclass
from gwc.ir import (
    Auth,
    Cache,
    Cors,
    HeaderChanges,
    Headers,
    Level,
    Node,
    Origin,
    Provenance,
    Retries,
    RetryCause,
    Timeouts,
)
from gwc.resolve.levels import Layer, Section, Settling, section, sub
from gwc.units import format_duration

if TYPE_CHECKING:
    from gwc.policy.headers import HeaderChangesPolicy

CONNECT_TIMEOUT, REQUEST_TIMEOUT, IDLE_TIMEOUT = 1.0, 15.0, 60.0
BACKOFF_BASE, BACKOFF_MAX = 0.025, 0.25
CORS_MAX_AGE = 600.0
MAX_BODY = 1024 * 1024
"""What holds where no level says anything. Seconds and bytes."""


@dataclass(frozen=True, slots=True)
class RouteContext:
    """What the sections of a route need to know of it. `home` is where a default is said to be: the route's name."""

    subject: str
    methods: tuple[str, ...]
    passes_through: bool  # stream or websocket
    home: Origin
    report: Report


def timeouts(layers: Sequence[Layer], context: RouteContext) -> Timeouts:
    settle = Settling(section(layers, "timeouts"), context.home)
    return Timeouts(
        connect=settle.take("connect", CONNECT_TIMEOUT),
        request=settle.take("request", REQUEST_TIMEOUT),
        idle=settle.take("idle", IDLE_TIMEOUT),
        provenance=settle.provenance,
    )


def retries(layers: Sequence[Layer], context: RouteContext) -> Retries:
    found = section(layers, "retries")
    settle = Settling(found, found.off or context.home)
    when: tuple[str | int, ...] = settle.take("when", ("connect",), "causes")
    settle.provenance["statuses"] = settle.provenance["causes"]
    attempts = settle.take("attempts", 0)
    backoff = Settling(sub(found, "backoff"), settle.home)
    base, longest = _backoff(backoff, context)
    return Retries(
        attempts=attempts,
        causes=tuple(RetryCause(cause) for cause in when if isinstance(cause, str)),
        statuses=tuple(sorted(cause for cause in when if isinstance(cause, int))),
        per_try=settle.take("per_try", None),
        backoff_base=base,
        backoff_max=longest,
        budget=settle.take("budget", None),
        unsafe=settle.take("unsafe", False),
        provenance={**settle.provenance, **backoff.provenance},
    )


def _backoff(settle: Settling, context: RouteContext) -> tuple[float, float]:
    """First and longest pause. A default gives way to what is written; two levels that contradict are an error."""
    base: float | None = settle.take("base", None, "backoff_base")
    longest: float | None = settle.take("max", None, "backoff_max")
    if base is not None and longest is not None and base > longest:
        first, last = settle.provenance["backoff_base"], settle.provenance["backoff_max"]
        message = f"{context.subject}: backoff.base is {format_duration(base)}, longer than backoff.max"
        related = (Related(last.span, f"backoff.max is {format_duration(longest)} here"),)
        context.report.error("GWC233", first.span, message, hint="write both on one level", related=related)
    if base is None:
        base = BACKOFF_BASE if longest is None else min(BACKOFF_BASE, longest)
    return base, max(BACKOFF_MAX, base) if longest is None else longest


def auth(layers: Sequence[Layer], context: RouteContext) -> tuple[Auth | None, Origin]:
    """The credentials a route asks for, and who decided. Nobody deciding is an error: public is a decision."""
    found = section(layers, "auth")
    if found.off is not None and not found.written:
        return None, found.off
    settle = Settling(found, context.home)
    providers: tuple[str, ...] = settle.take("any_of", (), "providers")
    scopes: tuple[str, ...] = settle.take("scopes", ())
    if not providers:
        _undecided(context, settle.provenance["scopes"])
    elif scopes and "jwt" not in providers:
        where = settle.provenance["scopes"].span
        hint = "accept jwt, or remove the scopes"
        context.report.error("GWC221", where, f"{context.subject}: an API key has no scopes", hint=hint)
    origin = settle.provenance["providers"]
    return Auth(providers=tuple(sorted(providers, reverse=True)), scopes=scopes, provenance=settle.provenance), origin


def _undecided(context: RouteContext, where: Origin) -> None:
    context.report.error(
        "GWC220",
        where.span,
        f"nobody decides who may call {context.subject}",
        hint="write auth: {any_of: [jwt]} here or in the platform's defaults, or auth: none if it is public",
    )


def cors(layers: Sequence[Layer], context: RouteContext) -> Cors | None:
    found = section(layers, "cors")
    if not found.written:
        return None
    settle = Settling(found, context.home)
    result = Cors(
        origins=settle.take("origins", ()),
        methods=settle.take("methods", context.methods),
        headers=settle.take("headers", ()),
        credentials=settle.take("credentials", False),
        max_age=settle.take("max_age", CORS_MAX_AGE),
        provenance=settle.provenance,
    )
    _check_cors(result, context)
    return result


def _check_cors(result: Cors, context: RouteContext) -> None:
    where = result.provenance["origins"].span
    if not result.origins:
        context.report.error(
            "GWC222", where, f"cors of {context.subject} lists no origins", hint="list them, or write cors: none"
        )
    elif "*" in result.origins and len(result.origins) > 1:
        context.report.error(
            "GWC222", where, "* already stands for every origin", hint="remove the others, or remove *"
        )
    elif "*" in result.origins and result.credentials:
        related = (Related(result.provenance["credentials"].span, "credentials allowed here"),)
        hint = "list the origins that may send credentials"
        context.report.error("GWC223", where, "every origin may not send credentials", hint=hint, related=related)


def headers(layers: Sequence[Layer], context: RouteContext) -> Headers:
    found = section(layers, "headers")
    request, request_origin = _changes(sub(found, "request"), context.home)
    response, response_origin = _changes(sub(found, "response"), context.home)
    return Headers(
        request=request, response=response, provenance={"request": request_origin, "response": response_origin}
    )


def _changes(found: Section, home: Origin) -> tuple[HeaderChanges, Origin]:
    """The more specific level wins header by header: its set undoes an inherited removal, and the other way round.

    The provenance also has `set.NAME` and `remove.NAME`, in lower case, for the level that decided that header.
    """
    assigned: dict[str, tuple[str, str]] = {}
    removed: tuple[str, ...] = ()
    provenance = {"set": home, "remove": home}
    for layer in found.layers:
        settings: HeaderChangesPolicy = layer.settings
        if settings.remove is not None:
            removed, provenance["remove"] = settings.remove, layer.origin("remove")
            provenance |= {f"remove.{n.lower()}": layer.origin("remove", i) for i, n in enumerate(removed)}
            assigned = {key: pair for key, pair in assigned.items() if key not in {n.lower() for n in removed}}
        if settings.set is not None:
            assigned |= {name.lower(): (name, value) for name, value in settings.set.items()}
            removed = tuple(name for name in removed if name.lower() not in assigned)
            provenance["set"] = layer.origin("set")
            provenance |= {f"set.{name.lower()}": layer.key_origin("set", name) for name in settings.set}
    origin = found.layers[-1].origin() if found.layers else home
    pairs = tuple(pair for _, pair in sorted(assigned.items()))
    kept = {"set", "remove", *(f"set.{name}" for name in assigned), *(f"remove.{name.lower()}" for name in removed)}
    return HeaderChanges(
        set=pairs,
        remove=tuple(sorted(removed, key=str.lower)),
        provenance={leaf: origin for leaf, origin in provenance.items() if leaf in kept},
    ), origin


def cache(layers: Sequence[Layer], authenticated: Origin | None, context: RouteContext) -> Cache | None:
    """None where nothing is cached: no section, `none`, or an inherited one on a route that cannot be cached."""
    found = section(layers, "cache")
    if not found.written:
        return None
    if context.passes_through or not {"GET", "HEAD"} & set(context.methods):
        _check_uncacheable(found, context)
        return None
    result = _cache(found, context.home)
    _check_cache(result, authenticated, context)
    return result


def _cache(found: Section, home: Origin) -> Cache:
    settle = Settling(found, home)
    no_names: tuple[str, ...] = ()
    vary, stale = Settling(sub(found, "vary"), home), Settling(sub(found, "stale"), home)
    return Cache(
        ttl=settle.take("ttl", 0.0),
        vary_query=tuple(sorted(vary.take("query", no_names, "vary_query"))),
        vary_headers=tuple(sorted(name.lower() for name in vary.take("headers", no_names, "vary_headers"))),
        stale_if_error=stale.take("if_error", 0.0, "stale_if_error"),
        stale_while_revalidate=stale.take("while_revalidate", 0.0, "stale_while_revalidate"),
        negative_ttl=settle.take("negative_ttl", None),
        per_user=settle.take("scope", "public", "per_user") == "user",
        provenance=settle.provenance | vary.provenance | stale.provenance,
    )


def _check_uncacheable(found: Section, context: RouteContext) -> None:
    layer = found.layers[-1]
    if layer.level is Level.ROUTE:
        what = "a stream" if context.passes_through else "a route without GET or HEAD"
        context.report.error(
            "GWC224", layer.origin().span, f"{context.subject}: {what} cannot be cached", hint="remove cache"
        )


def _check_cache(result: Cache, authenticated: Origin | None, context: RouteContext) -> None:
    report, where = context.report, result.provenance
    if not result.ttl:
        report.error(
            "GWC225", where["ttl"].span, f"cache of {context.subject} has no ttl", hint="write ttl: 1h, or cache: none"
        )
    elif authenticated is not None and not result.per_user:
        related = (Related(authenticated.span, "credentials are asked for here"),)
        message = f"{context.subject}: a public cache would serve one user's answer to another"
        report.error("GWC226", where["ttl"].span, message, hint="write scope: user, or cache: none", related=related)
    elif authenticated is None and result.per_user:
        message = f"{context.subject} is public, so there is no user to cache for"
        report.error("GWC227", where["per_user"].span, message, hint="write scope: public, or ask for credentials")


_SETTLED: dict[str, Callable[[Sequence[Layer], RouteContext], Node | None]] = {
    "auth": lambda layers, context: auth(layers, context)[0],
    "timeouts": timeouts,
    "retries": retries,
    "cors": cors,
    "headers": headers,
    "cache": lambda layers, context: _cache(section(layers, "cache"), context.home),
}


def provenance(path: Path, layers: Sequence[Layer], context: RouteContext) -> Provenance:
    """Of the node at `path`, which begins with the name of a section, of a route that has it. Nothing is checked that
    a settled route was not checked for."""
    node: Any = _SETTLED[str(path[0])](layers, context)
    for step in path[1:]:
        node = getattr(node, str(step))
    found: Provenance = node.provenance
    return found
