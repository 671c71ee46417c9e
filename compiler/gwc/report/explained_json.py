"""What was explained of a request, for programs."""

from __future__ import annotations

from typing import Any

from gwc.explain.checks import Check
from gwc.explain.explanation import Explanation, Rendering
from gwc.explain.misses import Miss
from gwc.explain.promises import Inexact
from gwc.explain.values import Row
from gwc.ir import Level, Origin
from gwc.routing import MethodRoute


def as_jsonable(said: Explanation) -> dict[str, Any]:
    """`route` is null when none answers. Durations are seconds; places are `file` and `line`, null for built in."""
    found, answer = said.found, said.answer
    worst = answer.worst if answer else None
    return {
        "request": {"method": found.asked.method, "host": found.asked.host, "path": found.asked.path},
        "user": said.user,
        "status": found.status,
        "allow": list(found.allow),
        "host": found.host,
        "host_assumed": found.host_assumed,
        "path": found.path,
        "route": _route(found.route) if found.route else None,
        "elsewhere": {host: _route(other) for host, other in said.elsewhere.items()},
        "checks": [_check(check) for check in answer.checks] if answer else [],
        "worst_case": worst and {"tries": worst.tries, "seconds": worst.seconds, "steps": list(worst.steps)},
        "values": [_value(row) for row in answer.rows] if answer else [],
        "inexact": [_inexact(one) for one in said.inexact],
        "rendered_alone": said.sliced,
        "rendered": {one.target: _rendering(one) for one in said.renderings},
        "near_misses": [_miss(miss) for miss in said.misses],
    }


def _at(origin: Origin | None) -> dict[str, Any]:
    if origin is None or origin.level is Level.DEFAULT:
        return {"level": Level.DEFAULT.value, "file": None, "line": None}
    return {"level": origin.level.value, "file": origin.span.file, "line": origin.span.line}


def _route(found: MethodRoute) -> dict[str, Any]:
    service, route = found.service, found.route
    named = {"service": service.name, "route": route.name, "owner": service.owner, "path": route.path.text}
    return {**named, **_at(route.provenance["path"])}


def _check(check: Check) -> dict[str, Any]:
    said = {"name": check.name, "what": check.what, "refusal": check.refusal or None, "applies": check.applies}
    return {**said, **_at(check.origin)}


def _value(row: Row) -> dict[str, Any]:
    return {"field": row.field, "value": row.text, **_at(row.origin)}


def _inexact(one: Inexact) -> dict[str, Any]:
    return {
        "target": one.target,
        "profile": one.profile,
        "feature": one.feature,
        "fidelity": one.support.fidelity.value,
        "accepted": one.accepted,
        "note": one.support.note,
    }


def _rendering(one: Rendering) -> list[dict[str, Any]]:
    """`lines` is null where the target cannot tell; columns count from 1, the end is exclusive."""
    return [
        {
            "field": row.field,
            "value": row.text,
            "lines": None
            if lines is None
            else [
                {"file": line.file, "line": line.number, "column": line.begin + 1, "end_column": line.end + 1}
                for line in lines
            ],
        }
        for row, lines in one.lines
    ]


def _miss(miss: Miss) -> dict[str, Any]:
    named = {"service": miss.service.name, "route": miss.route.name, "path": miss.route.path.text}
    return {**named, "reasons": list(miss.reasons), **_at(miss.origin)}
