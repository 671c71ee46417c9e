"""Paths and hosts that two routes or two teams share (GWC436 to GWC439)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from gwc.diagnostics import Related
from gwc.ir import Gateway, PathTemplate, Route, Segment, SegmentKind, Service
from gwc.lint.rule import Finding, Findings, GatewayRule, Rule


class AmbiguousTemplates(GatewayRule):
    """Two templates fit a path, each in another way.

    ## What it does
    Looks for two routes of a service that match some path both, where each is literal in a place in which the other
    takes anything.

    ## Why is this bad?
    Segments are compared from the left, so the first literal wins, whatever follows. The request that was meant for the
    other route gets the wrong handler, limits and credentials, or 405 where the winner lacks the method.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: orders, path: "/users/{id}/orders", methods: [GET]}
      - {name: mine, path: "/users/me/{what}", methods: [GET]}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: orders, path: "/users/{id}/orders", methods: [GET]}
      - {name: mine, path: "/me/{what}", methods: [GET]}
    ```
    Or write down what the path in question means:
    ```yaml
    # policies/other.yaml
    routes:
      - {name: orders, path: "/accounts/{id}/orders", methods: [GET]}
      - {name: mine, path: "/accounts/me/{what}", methods: [GET]}
      - {name: my-orders, path: /accounts/me/orders, methods: [GET]}
    ```
    """

    code, name = "GWC436", "ambiguous-templates"

    def check(self, gateway: Gateway) -> Findings:
        for service in gateway.services:
            opened = [(known, route) for route in service.routes if (known := _prefix(route)) is not None]
            for (one, first), (other, second) in combinations(opened, 2) if _some_meet(opened) else ():
                if one[: len(other)] != other[: len(one)]:
                    continue  # they part at a literal: nothing fits both
                both = _common(first.path.segments, second.path.segments)
                if both is None or PathTemplate("", both).shape in {route.path.shape for route in service.routes}:
                    continue
                wins, loses = sorted((first, second), key=lambda route: route.path.shape)
                yield Finding(
                    loses.provenance["path"].span,
                    f"{service.name}/{loses.name}",
                    f"/{'/'.join(map(_shown, both))} fits {loses.path.text}, and goes to {wins.path.text}",
                    "give one another path, or a route of its own to what fits both",
                    (Related(wins.provenance["path"].span, "the winner: its first literal comes earlier"),),
                )


def _prefix(route: Route) -> tuple[str, ...] | None:
    """The literals before the first segment that is none; None where all of them are."""
    literals: list[str] = []
    for segment in route.path.segments:
        if segment.kind is not SegmentKind.LITERAL:
            return tuple(literals)
        literals.append(segment.text)
    return None


def _some_meet(opened: Sequence[tuple[tuple[str, ...], Route]]) -> bool:
    """Whether any two have the same literals in front, as far as both go."""
    known = {prefix for prefix, _ in opened}
    return len(known) < len(opened) or any(one[:end] in known for one in known for end in range(len(one)))


def _common(first: tuple[Segment, ...], second: tuple[Segment, ...]) -> tuple[Segment, ...] | None:
    """What matches both, where neither is the more specific one throughout; None where there is no such path."""
    both, ahead = [], set()
    for here, there in _aligned(first, second):
        if here is None or there is None or not _meet(here, there):
            return None
        closer = min(here, there, key=lambda segment: segment.kind.value)
        both.append(closer)
        if here.kind is not there.kind:
            ahead.add(closer is here)
    return tuple(both) if len(ahead) == 2 else None


def _aligned(
    first: tuple[Segment, ...], second: tuple[Segment, ...]
) -> Iterator[tuple[Segment | None, Segment | None]]:
    """Segment for segment; a rest stands for all that the other has left, and a missing one is None."""
    for index in range(max(len(first), len(second))):
        yield _at(first, index), _at(second, index)


def _at(segments: tuple[Segment, ...], index: int) -> Segment | None:
    if index < len(segments):
        return segments[index]
    return segments[-1] if segments[-1].kind is SegmentKind.REST else None


def _meet(here: Segment, there: Segment) -> bool:
    """Whether some text fits both. A parameter is never empty."""
    if here.kind is there.kind:
        return here.kind is not SegmentKind.LITERAL or here.text == there.text
    return {here.kind, there.kind} != {SegmentKind.LITERAL, SegmentKind.PARAM} or bool(here.text and there.text)


def _shown(segment: Segment) -> str:
    return {SegmentKind.LITERAL: segment.text, SegmentKind.PARAM: f"{{{segment.text}}}"}.get(segment.kind, "**")


class HostWithTwoRoots(GatewayRule):
    """Two teams write their routes into the root of one host.

    ## What it does
    Looks for services of different owners on the same host that both have no `base_path`.

    ## Why is this bad?
    Nothing says which path belongs to whom. The day both add the same one, neither team's policy compiles, in the
    middle of whatever they wanted to ship; or a literal of one takes requests from a template of the other.

    ## Example
    ```yaml
    # policies/shop.yaml
    hosts: [api.example.com]
    ```
    ```yaml
    # policies/other.yaml
    hosts: [api.example.com]
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    hosts: [api.example.com]
    base_path: /shop
    ```
    ```yaml
    # policies/other.yaml
    hosts: [api.example.com]
    base_path: /other
    ```
    """

    code, name = "GWC437", "host-with-two-roots"

    def check(self, gateway: Gateway) -> Findings:
        seen: dict[str, Service] = {}
        for service in gateway.services:
            for host in service.hosts if not service.base_path else ():
                first = seen.setdefault(host, service)
                if first.owner != service.owner:
                    yield Finding(
                        service.provenance["hosts"].span,
                        service.name,
                        f"the root of {host} also belongs to {first.name}, of {first.owner or 'nobody'}",
                        "give each a base_path, or a host of its own",
                        (Related(first.provenance["hosts"].span, "the same host, without a base path"),),
                    )


RULES: tuple[type[Rule], ...] = (AmbiguousTemplates, HostWithTwoRoots)
