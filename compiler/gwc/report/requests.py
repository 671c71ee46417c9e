"""A line of the access log for people who watch requests come in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gwc.features import limits
from gwc.ir import Gateway, Origin
from gwc.observability import access_log
from gwc.report.excerpt import printable
from gwc.report.style import Style, plain

HEADINGS = ("time", "status", "request", "route", "who", "cache", "ms", "")
_WIDTHS = (8, 6, 34, 22, 12, 6, 6, 0)
Places = Mapping[tuple[str, str], str]
"""`file:line` by service and what limited a request; limits have ids of their own and no service."""


def places(gateway: Gateway) -> Places:
    """Where each thing that can refuse a request is written."""
    found = {("", limit.id): _place(limit.provenance["rate"]) for _, limit in limits(gateway)}
    if gateway.concurrency is not None:
        found["", access_log.CONCURRENCY] = _place(gateway.provenance["concurrency"])
    for service in gateway.services:
        upstream = service.upstream
        if service.budget is not None:
            found[service.name, access_log.BUDGET] = _place(service.budget.provenance["units"])
        if upstream.concurrency is not None:
            found[service.name, access_log.UPSTREAM_CONCURRENCY] = _place(upstream.provenance["concurrency"])
        if upstream.breaker is not None:
            found[service.name, access_log.BREAKER] = _place(upstream.breaker.provenance["failures"])
    return found


def _place(origin: Origin) -> str:
    return f"{origin.span.file}:{origin.span.line}"


def heading(style: Style = plain) -> str:
    return style("code", _row(HEADINGS))


def request_line(entry: Mapping[str, Any], known: Places, style: Style = plain) -> str:
    """One request. `entry` is a line of the access log, whoever sent what is in it."""
    status = int(entry.get("status") or 0)
    cells = (
        _time(str(entry.get("time", ""))),
        str(status or "left"),
        f"{entry.get('method', ''):<6} {entry.get('path', '')}",
        "/".join(str(entry[part]) for part in ("service", "route") if entry.get(part)) or "-",
        str(entry.get("user") or entry.get("client_ip") or "-"),
        str(entry.get("cache") or "-"),
        str(entry.get("duration_ms", "")),
        _remarks(entry, known),
    )
    return style(_role(status), _row(tuple(map(printable, cells))))


def _row(cells: tuple[str, ...]) -> str:
    padded = (c.rjust(w) if i == _MS else c.ljust(w) for i, (c, w) in enumerate(zip(cells, _WIDTHS, strict=True)))
    return "  ".join(padded).rstrip()


_MS = HEADINGS.index("ms")


def _role(status: int) -> str:
    return "error" if status >= 500 else "warning" if status >= 400 or not status else "place"


def _time(text: str) -> str:
    """In this machine's time zone, as its owner's clock shows it."""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return text


def _remarks(entry: Mapping[str, Any], known: Places) -> str:
    said = [str(entry["problem"])] if entry.get("problem") else []
    if by := str(entry.get("limited_by") or ""):
        where = known.get(("", by)) or known.get((str(entry.get("service", "")), by))
        said.append(f"by {by}" + (f" ({where})" if where else ""))
    shadows = [str(one) for one in entry.get("shadowed_by") or ()]
    said += [f"shadow limit {', '.join(shadows)} would refuse"] if shadows else []
    attempts = entry.get("attempts")
    said += [f"{attempts} tries"] if isinstance(attempts, int) and attempts > 1 else []
    return ", ".join(said)
