"""Paths that lead elsewhere than their writer thinks (GWC430 to GWC449)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import combinations, product

from gwc.diagnostics import Related, Severity
from gwc.features import routes
from gwc.ir import Gateway, PathTemplate, Route, SegmentKind, Service
from gwc.lint.access import SAFE
from gwc.lint.concerned import open_ended
from gwc.lint.rule import Finding, Findings, GatewayRule, Rule


def _pairs(gateway: Gateway, alike: Callable[[Route], object]) -> Iterator[tuple[Service, Route, Route]]:
    """Two routes of a service each, in the order of the policy, for which `alike` is the same."""
    for service in gateway.services:
        keys = [alike(route) for route in service.routes]
        if len(set(keys)) == len(keys):
            continue
        groups: dict[object, list[Route]] = {}
        for key, route in zip(keys, service.routes, strict=True):
            groups.setdefault(key, []).append(route)
        for group in groups.values():
            yield from ((service, first, second) for first, second in combinations(group, 2))


def _without_slash(path: PathTemplate) -> str:
    return path.text.rstrip("/")


def _guard(route: Route) -> tuple[object, ...]:
    return (route.auth and (route.auth.providers, route.auth.scopes),)


class SlashDecides(GatewayRule):
    """A trailing slash decides who may call.

    ## What it does
    Looks for two routes of a service whose paths differ in a trailing slash alone, and whose `auth` differs.

    ## Why is this bad?
    For the gateway these are two paths; most frameworks serve both from one handler. Whoever is refused on one asks for
    the other.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: orders, path: /orders, methods: [GET]}
      - {name: orders-slash, path: /orders/, methods: [GET], auth: none}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: orders, path: /orders, methods: [GET]}
      - {name: orders-slash, path: /orders/, methods: [GET]}
    ```
    """

    code, name, severity = "GWC430", "slash-decides", Severity.ERROR

    def check(self, gateway: Gateway) -> Findings:
        for service, first, second in _pairs(gateway, lambda route: _without_slash(route.path)):
            slashed = first.path.text != second.path.text
            if slashed and set(first.methods) & set(second.methods) and _guard(first) != _guard(second):
                yield Finding(
                    second.provenance["path"].span,
                    f"{service.name}/{second.name}",
                    f"{second.path.text} asks for other credentials than {first.path.text}",
                    "give both the same auth, or serve one of them alone",
                    (Related(first.provenance["path"].span, "the same without or with the slash"),),
                )


class HoleInTheRest(GatewayRule):
    """A public path in the middle of a guarded one.

    ## What it does
    Looks for a public route with a `{param}` below another route's `/**` that asks for credentials.

    ## Why is this bad?
    `{param}` is any segment. `/admin/{page}` made public for one page makes every page at that depth public, before the
    guard of `/admin/**` is ever asked.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: admin, path: /admin/**, methods: [GET]}
      - {name: login, path: "/admin/{page}", methods: [GET], auth: none}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: admin, path: /admin/**, methods: [GET]}
      - {name: login, path: /admin/login, methods: [GET], auth: none}
    ```
    """

    code, name = "GWC431", "hole-in-the-rest"

    def check(self, gateway: Gateway) -> Findings:
        for service in gateway.services:
            open_to_all = [route for route in service.routes if route.auth is None]
            guards = [r for r in service.routes if r.auth and _ends_open(r.path)] if open_to_all else ()
            for public, guarded in product(open_to_all, guards):
                if _below(public.path, guarded.path):
                    yield Finding(
                        public.provenance["path"].span,
                        f"{service.name}/{public.name}",
                        f"{public.path.text} is public, and any segment fits it: a hole in {guarded.path.text}",
                        "name the public path literally",
                        (Related(guarded.provenance["path"].span, "guarded here"),),
                    )


def _ends_open(path: PathTemplate) -> bool:
    return path.segments[-1].kind is SegmentKind.REST


def _below(path: PathTemplate, rest: PathTemplate) -> bool:
    """Whether `path` lies below the `/**` of `rest` and takes any segment there."""
    stem = rest.shape[:-1]
    below = path.segments[len(stem) :]
    return path.shape[: len(stem)] == stem and any(s.kind is SegmentKind.PARAM for s in below)


class WritesMoreOpenThanReads(GatewayRule):
    """Reading asks for credentials, writing does not.

    ## What it does
    Looks for a path whose GET asks for credentials while its POST, PUT, PATCH or DELETE is public, or asks for fewer
    scopes.

    ## Why is this bad?
    Nobody means that. It happens when methods of a path are split over two routes and the guard is added to one.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: read, path: /notes, methods: [GET], auth: {any_of: [jwt], scopes: [notes]}}
      - {name: write, path: /notes, methods: [POST]}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: read, path: /notes, methods: [GET], auth: {any_of: [jwt], scopes: [notes]}}
      - {name: write, path: /notes, methods: [POST], auth: {any_of: [jwt], scopes: [notes]}}
    ```
    """

    code, name = "GWC432", "writes-more-open-than-reads"

    def check(self, gateway: Gateway) -> Findings:
        for service, first, second in _pairs(gateway, lambda route: route.path.shape):
            for read, write in ((first, second), (second, first)):
                if "GET" in read.methods and set(write.methods) - SAFE and _more_open(write, read):
                    yield Finding(
                        write.provenance["auth"].span,
                        f"{service.name}/{write.name}",
                        f"{', '.join(write.methods)} {write.path.text} is more open than GET",
                        "ask for at least what reading asks for",
                        (Related(read.provenance["auth"].span, "what GET asks for"),),
                    )


def _more_open(write: Route, read: Route) -> bool:
    if read.auth is None:
        return False
    return write.auth is None or set(write.auth.scopes) < set(read.auth.scopes)


class BasePathTwice(GatewayRule):
    """The base path is in the route's path again.

    ## What it does
    Looks for routes whose path, without the base path, begins with the base path.

    ## Why is this bad?
    Paths are below the base path. `/shop` and `/shop/items` make `/shop/shop/items`, and what clients ask for is 404.

    ## Example
    ```yaml
    # policies/shop.yaml
    base_path: /shop
    routes:
      - {name: items, path: /shop/items, methods: [GET]}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    base_path: /shop
    routes:
      - {name: items, path: /items, methods: [GET]}
    ```
    """

    code, name = "GWC433", "base-path-twice"

    def check(self, gateway: Gateway) -> Findings:
        for service in gateway.services:
            twice = service.base_path * 2
            for route in service.routes if twice else ():
                if route.path.text.startswith(twice) and f"{route.path.text}/".startswith(f"{twice}/"):
                    yield Finding(
                        route.provenance["path"].span,
                        f"{service.name}/{route.name}",
                        f"clients have to ask for {route.path.text}",
                        f"write path: {route.path.text.removeprefix(twice) or '/'}",
                        (Related(service.provenance["base_path"].span, "the base path is put before it"),),
                    )


class SharedShadow(GatewayRule):
    """A host's own route hides one for every host.

    ## What it does
    Looks for a route of a service without `hosts` whose path and method a service with hosts serves too.

    ## Why is this bad?
    On those hosts the service without hosts is never asked. That is the order of matching, and a surprise for the team
    whose health page or sign-in works everywhere but there.

    ## Example
    ```yaml
    # policies/shop.yaml
    hosts: [shop.example.com]
    routes:
      - {name: status, path: /status, methods: [GET]}
    ```
    ```yaml
    # policies/other.yaml
    routes:
      - {name: status, path: /status, methods: [GET]}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    hosts: [shop.example.com]
    routes:
      - {name: status, path: /shop-status, methods: [GET]}
    ```
    ```yaml
    # policies/other.yaml
    routes:
      - {name: status, path: /status, methods: [GET]}
    ```
    """

    code, name = "GWC434", "shared-shadow"

    def check(self, gateway: Gateway) -> Findings:
        named = {
            (route.path.shape, method): (service, route)
            for service in gateway.services
            for route in (service.routes if service.hosts else ())
            for method in route.methods
        }
        for subject, service, route in routes(gateway) if named else ():
            hidden = [(m, *named[route.path.shape, m]) for m in route.methods if (route.path.shape, m) in named]
            for method, other, its in () if service.hosts else hidden:
                yield Finding(
                    route.provenance["path"].span,
                    subject,
                    f"{method} {route.path.text} goes to {other.name} on {', '.join(other.hosts)}",
                    "give one of them another path, or this service hosts of its own",
                    (Related(its.provenance["path"].span, f"{other.name}/{its.name}"),),
                )


class NestedBasePath(GatewayRule):
    """One team's paths lie inside another's.

    ## What it does
    Looks for services of different owners on the same host where one's base path lies below a `/**` of the other. A
    `/**` over everything is meant for what nobody else serves, and left alone.

    ## Why is this bad?
    The more specific path wins. A route that one team adds takes requests away from the other, whose policy did not
    change.

    ## Example
    ```yaml
    # policies/shop.yaml
    hosts: [api.example.com]
    base_path: /shop
    routes:
      - {name: everything, path: /**, methods: [GET]}
    ```
    ```yaml
    # policies/other.yaml
    hosts: [api.example.com]
    base_path: /shop/reviews
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    hosts: [api.example.com]
    base_path: /shop
    routes:
      - {name: everything, path: /**, methods: [GET]}
    ```
    ```yaml
    # policies/other.yaml
    hosts: [api.example.com]
    base_path: /reviews
    ```
    """

    code, name = "GWC435", "nested-base-path"

    def check(self, gateway: Gateway) -> Findings:
        based = sorted((f"{s.base_path}/", number) for number, s in enumerate(gateway.services) if s.base_path)
        for _, outer, route in open_ended(gateway):
            stem = route.path.text.removesuffix("**")
            if stem == "/":
                continue
            for base, number in based[bisect_left(based, (stem, 0)) :]:
                inner = gateway.services[number]
                if not base.startswith(stem):
                    break
                if inner.owner != outer.owner and _share_host(outer, inner):
                    yield self._finding(inner, outer, route)

    def _finding(self, inner: Service, outer: Service, route: Route) -> Finding:
        return Finding(
            inner.provenance["base_path"].span,
            inner.name,
            f"{inner.base_path} lies inside {route.path.text} of {outer.name}, "
            f"which belongs to {outer.owner or 'nobody'}",
            "choose a base path beside it, or let one team own both",
            (Related(route.provenance["path"].span, "what it takes requests from"),),
        )


def _share_host(first: Service, second: Service) -> bool:
    return first.hosts == second.hosts or bool(set(first.hosts) & set(second.hosts))


RULES: tuple[type[Rule], ...] = (
    SlashDecides,
    HoleInTheRest,
    WritesMoreOpenThanReads,
    BasePathTwice,
    SharedShadow,
    NestedBasePath,
)
