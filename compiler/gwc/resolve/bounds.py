"""The platform's bounds over every route, and the waivers that excuse from them until a day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from gwc.diagnostics import Related, Report, Span
from gwc.frozen import dataclass
from gwc.ir import Gateway, Limit, LimitKey, Node, Route, Service
from gwc.policy.shapes.platform import BOUND_NAMES, bound_field
from gwc.resolve.platform import Place
from gwc.suggest import did_you_mean
from gwc.units import format_duration, format_share, format_size

if TYPE_CHECKING:
    from gwc.policy.bounds import BoundsPolicy, WaiverPolicy

Reading = tuple[object, Node, str]
"""A value and the leaf that knows who wrote it; the value is None where nothing is set."""


@dataclass(frozen=True, slots=True)
class Bounded:
    """What a bound looks at on a route, and how its value is written."""

    read: Callable[[Gateway, Service, Route], Reading]
    show: Callable[[float], str]


def _leaf(node: Node, name: str) -> Reading:
    return getattr(node, name), node, name


def _cache_leaf(name: str) -> Callable[[Gateway, Service, Route], Reading]:
    def read(_: Gateway, __: Service, route: Route) -> Reading:
        return _leaf(route.cache, name) if route.cache else (None, route, "name")

    return read


def _cap(node: Node, name: str) -> Reading:
    """A cap that nobody set caps nothing: it is above every maximum."""
    value = getattr(node, name)
    return inf if value is None else value, node, name


def _retry_budget(_: Gateway, __: Service, route: Route) -> Reading:
    return _cap(route.retries, "budget") if route.retries.attempts else (None, route, "name")


def _number(value: float) -> str:
    return f"{value:g}"


_RANGES: dict[str, Bounded] = {
    "timeouts.connect": Bounded(lambda _, __, r: _leaf(r.timeouts, "connect"), format_duration),
    "timeouts.request": Bounded(lambda _, __, r: _leaf(r.timeouts, "request"), format_duration),
    "timeouts.idle": Bounded(lambda _, __, r: _leaf(r.timeouts, "idle"), format_duration),
    "retries.attempts": Bounded(lambda _, __, r: _leaf(r.retries, "attempts"), _number),
    "retries.per_try": Bounded(lambda _, __, r: _leaf(r.retries, "per_try"), format_duration),
    "retries.budget": Bounded(_retry_budget, format_share),
    "max_body": Bounded(lambda _, __, r: _leaf(r, "max_body"), lambda size: format_size(int(size))),
    "cache.ttl": Bounded(_cache_leaf("ttl"), format_duration),
    "cache.negative_ttl": Bounded(_cache_leaf("negative_ttl"), format_duration),
    "cache.stale.if_error": Bounded(_cache_leaf("stale_if_error"), format_duration),
    "cache.stale.while_revalidate": Bounded(_cache_leaf("stale_while_revalidate"), format_duration),
    "cost": Bounded(lambda _, __, r: _leaf(r, "cost"), _number),
    "upstream.concurrency": Bounded(lambda _, s, __: _cap(s.upstream, "concurrency"), _number),
}


def _limited_by(key: LimitKey) -> Callable[[Gateway, Service, Route], Reading]:
    def read(gateway: Gateway, service: Service, route: Route) -> Reading:
        levels = (gateway.limits, service.limits, route.limits)
        return any(_limited(level, key) for level in levels) or None, route, "name"

    return read


def _limited(limits: Sequence[Limit], key: LimitKey) -> bool:
    return any(limit.key is key and not limit.shadow for limit in limits)


_BY_LIMITS = {"limits.ip": LimitKey.IP, "limits.user": LimitKey.USER, "limits.service": LimitKey.SERVICE}


_REQUIRED: dict[str, tuple[Callable[[Gateway, Service, Route], Reading], str]] = {
    "auth": (lambda _, __, r: _leaf(r, "auth"), "credentials"),
    "limits.ip": (_limited_by(_BY_LIMITS["limits.ip"]), "an enforced limit per ip, on any level"),
    "limits.user": (_limited_by(_BY_LIMITS["limits.user"]), "an enforced limit per user, on any level"),
    "limits.service": (_limited_by(_BY_LIMITS["limits.service"]), "an enforced limit per service, on any level"),
    "budget": (lambda _, s, __: _leaf(s, "budget"), "a budget"),
    "upstream.breaker": (lambda _, s, __: _leaf(s.upstream, "breaker"), "upstream.breaker"),
    "upstream.health": (lambda _, s, __: _leaf(s.upstream, "health"), "upstream.health"),
}


@dataclass(frozen=True, slots=True)
class Violation:
    """`cure` says what to do with the value: `tighten it`."""

    bound: str
    service: Service
    route: Route
    span: Span
    message: str
    cure: str


def check_bounds(
    gateway: Gateway,
    bounds: BoundsPolicy,
    waivers: tuple[WaiverPolicy, ...],
    top: Place,
    report: Report,
    *,
    whole: bool,
) -> None:
    """Reports each violation at both lines, and every waiver that is expired or refers to nothing."""
    services = {service.name: [route.name for route in service.routes] for service in gateway.services}
    for index, waiver in enumerate(waivers):
        place = top.below("waivers", index)
        if gateway.now > waiver.until:
            message = f"the waiver of {waiver.bound} for {waiver.service} expired on {waiver.until}"
            report.error("GWC211", place.origin("until").span, message, hint="meet the bound, or renew the waiver")
        if whole or waiver.service in services:
            _check_waiver(waiver, place, services, bounds, report)
    written: dict[tuple[str, Span, str], list[Violation]] = {}
    for violation in _violations(gateway, bounds):
        if not any(_covers(waiver, violation) for waiver in waivers):
            written.setdefault((violation.bound, violation.span, violation.message), []).append(violation)
    for violations in written.values():
        _report_violations(violations, top, report)


def unneeded_waivers(gateway: Gateway, bounds: BoundsPolicy, waivers: Sequence[WaiverPolicy]) -> tuple[int, ...]:
    """The indices of those that excuse from nothing."""
    if not waivers:
        return ()
    broken = tuple(_violations(gateway, bounds))
    return tuple(i for i, waiver in enumerate(waivers) if not any(_covers(waiver, violation) for violation in broken))


def _report_violations(violations: Sequence[Violation], top: Place, report: Report) -> None:
    """One line breaks a bound once, however many routes inherit it."""
    first = violations[0]
    related = (Related(top.origin("bounds", first.bound).span, "the platform's bound"),)
    hint = f"{first.cure}, or ask the platform team for a waiver"
    more = f" and {len(violations) - 1} more" if len(violations) > 1 else ""
    message = f"{first.service.name}/{first.route.name}{more}: {first.message}"
    report.error("GWC210", first.span, message, hint=hint, related=related)


def _violations(gateway: Gateway, bounds: BoundsPolicy) -> Iterator[Violation]:
    written = [(bound, rule) for bound in BOUND_NAMES if (rule := getattr(bounds, bound_field(bound))) is not None]
    for bound, rule in written:
        if bound in _BY_LIMITS and _limited(gateway.limits, _BY_LIMITS[bound]):
            continue  # on every route, then
        for service in gateway.services:
            for route in service.routes:
                if found := _violated(gateway, service, route, bound, rule):
                    yield Violation(bound, service, route, *found)


def _violated(gateway: Gateway, service: Service, route: Route, bound: str, rule: Any) -> tuple[Span, str, str] | None:
    """The line, what is wrong there, and what cures it."""
    if rule == "required":
        read, what = _REQUIRED[bound]
        value, node, leaf = read(gateway, service, route)
        return None if value is not None else (node.provenance[leaf].span, f"the platform requires {what}", "add it")
    bounded = _RANGES[bound]
    value, node, leaf = bounded.read(gateway, service, route)
    if (found := _outside(value, rule, bounded.show)) is None:
        return None
    from gwc.policy.order import tighter

    message, better = found
    return (
        node.provenance[leaf].span,
        f"{bound} is {message}",
        "tighten it" if better == tighter(bound).value else "loosen it",
    )


def _outside(value: object, rule: Any, show: Callable[[float], str]) -> tuple[str, str] | None:
    """What is wrong with the value, and in which direction it has to go."""
    low, high = rule.min, rule.max
    if not isinstance(value, int | float):
        return None
    if high is not None and value == inf:
        return f"not set, and the platform's maximum is {show(high)}", "lower"
    if high is not None and value > high:
        return f"{show(value)}, above the platform's maximum of {show(high)}", "lower"
    if low is not None and value < low:
        return f"{show(value)}, below the platform's minimum of {show(low)}", "higher"
    return None


def _covers(waiver: WaiverPolicy, violation: Violation) -> bool:
    # An expired waiver still covers here: it is an error of its own, and one error says it all.
    return (
        waiver.bound == violation.bound
        and waiver.service == violation.service.name
        and waiver.route in (None, violation.route.name)
    )


def _check_waiver(
    waiver: WaiverPolicy, place: Place, services: dict[str, list[str]], bounds: BoundsPolicy, report: Report
) -> None:
    if waiver.service not in services:
        hint = did_you_mean(waiver.service, services) or "remove the waiver"
        report.error("GWC212", place.origin("service").span, f"no service is named `{waiver.service}`", hint=hint)
    elif waiver.route is not None and waiver.route not in services[waiver.service]:
        hint = did_you_mean(waiver.route, services[waiver.service]) or "remove the waiver"
        message = f"{waiver.service} has no route named `{waiver.route}`"
        report.error("GWC212", place.origin("route").span, message, hint=hint)
    if waiver.bound not in BOUND_NAMES:
        hint = did_you_mean(waiver.bound, BOUND_NAMES) or f"bounds are {', '.join(BOUND_NAMES)}"
        report.error("GWC213", place.origin("bound").span, f"`{waiver.bound}` is not a bound", hint=hint)
    elif getattr(bounds, bound_field(waiver.bound)) is None:
        report.error(
            "GWC213", place.origin("bound").span, f"the platform sets no bound `{waiver.bound}`", hint="remove it"
        )
