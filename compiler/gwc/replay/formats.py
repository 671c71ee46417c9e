"""Lines of access logs: gwc's own, NGINX's combined format, and the JSON of Envoy and Kong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from gwc.model.request import Answer, Request


@dataclass(slots=True)
class Entry:
    """One request of a log, and what the service answered, or would have where the gateway refused it by itself."""

    request: Request
    answer: Answer


class LineError(Exception):
    """A line that is none of the known formats."""


Parse = Callable[[str], Entry]
FORMATS: dict[str, Parse] = {}
"""By their names on the command line, in the order in which they are tried."""

_GATEWAYS_OWN = frozenset({401, 403, 404, 405, 413, 429})
_FAULTS = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def _format(parse: Parse) -> Parse:
    """Whatever is wrong with a line is a LineError: anybody may have written it, and the model relies on its types."""

    @wraps(parse)
    def checked(line: str) -> Entry:
        try:
            entry = parse(line)
            if not _sound(entry.request, entry.answer):
                raise LineError(f"no request of {parse.__name__}'s format has such values")
            return entry
        except _FAULTS as error:
            raise LineError(f"not a line in {parse.__name__}'s format") from error

    FORMATS[parse.__name__] = checked
    return checked


def _sound(asked: Request, answer: Answer) -> bool:
    """Written for speed: every line of a log passes here."""
    return (
        str is type(asked.method) is type(asked.host) is type(asked.path)
        and str is type(asked.query) is type(asked.client_ip) is type(asked.user)
        and (not asked.headers or {*map(type, asked.headers.values())} == {str})
        and int is type(answer.status)
        and (answer.cost is None or int is type(answer.cost))
        and 0 <= asked.time < _LATEST
        and 0 <= answer.seconds < _LATEST
    )


def _moment(text: str) -> float:
    """RFC 3339."""
    return datetime.fromisoformat(text).timestamp()


@_format
def gwc(line: str) -> Entry:
    """A line of gwc's own access log, schema version 1."""
    said = json.loads(line)
    known = {name: value for name, value in said["keys"].items() if value is not None}
    request = Request(
        time=_moment(said["time"]),
        method=said["method"],
        host=said["host"],
        path=said["path"],
        query=said["query"],
        client_ip=said["client_ip"],
        user=said["user"],
        headers=known,
    )
    asked = said["attempts"] > 0
    cost = said["cost"] if asked else None
    status = said["status"] if asked or said["cache"] in ("HIT", "STALE") else 200
    seconds = (said["upstream_ms"] or 0.0) / 1000
    return Entry(request, Answer(status or 200, seconds, cost))


_COMBINED = re.compile(
    r"(?P<ip>\S+) \S+ (?P<user>.*?) \[(?P<time>[^\]]+)\] "
    r'"(?P<method>[A-Z]+) (?P<target>\S+) [^"]*" (?P<status>\d{3}) \S+'
)


@_format
def combined(line: str) -> Entry:
    """NGINX's (and Apache's) combined format. It knows no host, and its times are whole seconds."""
    match = _COMBINED.match(line)
    if match is None:
        raise LineError("not a line in the combined format")
    moment = datetime.strptime(match["time"], "%d/%b/%Y:%H:%M:%S %z").timestamp()
    user = "" if match["user"] == "-" else match["user"]
    return _entry(moment, match["method"], "", match["target"], match["ip"], user, int(match["status"]), 0.0)


@_format
def envoy(line: str) -> Entry:
    """Envoy's JSON under the names that its documentation uses; the first of several that is there."""
    said = _object(line)
    address = _first(said, "x_forwarded_for", "downstream_remote_address", "client_ip") or ""
    client = str(address).split(",")[0].strip()
    return _entry(
        _moment(_needed(said, "start_time", "time", "timestamp")),
        _needed(said, "method", "request_method"),
        str(_first(said, "authority", "host", "requested_server_name") or ""),
        _needed(said, "x_envoy_original_path", "path"),
        client if client.count(":") > 1 else client.partition(":")[0],
        str(_first(said, "user", "x_user_id") or ""),
        int(_first(said, "response_code", "status") or 0),
        float(_first(said, "upstream_service_time", "x_envoy_upstream_service_time", "duration") or 0) / 1000,
    )


@_format
def kong(line: str) -> Entry:
    """The JSON of Kong's logging plugins."""
    said = _object(line)
    request, latencies = said["request"], said.get("latencies", {})
    consumer = said.get("consumer") or said.get("authenticated_entity") or {}
    return _entry(
        float(said["started_at"]) / 1000,
        request["method"],
        str(request.get("headers", {}).get("host", "")),
        request["uri"],
        said["client_ip"],
        str(consumer.get("username") or consumer.get("consumer_id") or ""),
        int(said["response"]["status"]),
        max(float(latencies.get("proxy", 0)), 0.0) / 1000,
    )


def _object(line: str) -> dict[str, Any]:
    said = json.loads(line)
    if not isinstance(said, dict):
        raise LineError("not an object")
    return said


def _first(said: dict[str, Any], *names: str) -> Any:
    return next((said[name] for name in names if said.get(name) not in (None, "", "-")), None)


def _needed(said: dict[str, Any], *names: str) -> str:
    found = _first(said, *names)
    if found is None:
        raise LineError(f"no {names[0]}")
    return str(found)


def _entry(time: float, method: str, host: str, target: str, ip: str, user: str, status: int, seconds: float) -> Entry:
    """A foreign log: what it does not tell is as usual, and its refusals say nothing of the service."""
    path, _, query = target.partition("?")
    request = Request(time, method, host, path, query, ip, user)
    return Entry(request, Answer(200 if status in _GATEWAYS_OWN else status, seconds))


def detected(line: str) -> str | None:
    """The format that the line is in; None for none of them."""
    for name, parse in FORMATS.items():
        try:
            parse(line)
        except LineError:
            continue
        return name
    return None
