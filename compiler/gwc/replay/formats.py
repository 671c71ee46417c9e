"""Lines of access logs: gwc's own, NGINX's combined format, and the JSON of Envoy and Kong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gwc.model.request import Answer, Request


@dataclass(slots=True)
class Entry:
    """One request of a log, and what the service answered. `asked` is false where the gateway refused it by itself."""

    request: Request
    answer: Answer
    asked: bool
    headers_known: bool = True


class LineError(Exception):
    """A line that is none of the known formats."""


Parse = Callable[[str], Entry]

_GATEWAYS_OWN = frozenset({401, 403, 404, 405, 413, 429})


def _moment(text: str) -> float:
    """RFC 3339. The usual length is read by hand: it is most of the cost of a line."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise LineError(f"{text[:40]!r} is no time") from error


def gwc(line: str) -> Entry:
    """A line of gwc's own access log, schema version 1."""
    try:
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
        return Entry(request, Answer(status or 200, seconds, cost), asked)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LineError("not a line of gwc's access log") from error


_COMBINED = re.compile(
    r"(?P<ip>\S+) \S+ (?P<user>.*?) \[(?P<time>[^\]]+)\] "
    r'"(?P<method>[A-Z]+) (?P<target>\S+) [^"]*" (?P<status>\d{3}) \S+'
)


def combined(line: str) -> Entry:
    """NGINX's (and Apache's) combined format. It knows no host, and its times are whole seconds."""
    match = _COMBINED.match(line)
    if match is None:
        raise LineError("not a line in the combined format")
    try:
        moment = datetime.strptime(match["time"], "%d/%b/%Y:%H:%M:%S %z").timestamp()
    except ValueError as error:
        raise LineError(f"{match['time'][:40]!r} is no time") from error
    user = "" if match["user"] == "-" else match["user"]
    return _entry(moment, match["method"], "", match["target"], match["ip"], user, int(match["status"]), 0.0)


def envoy(line: str) -> Entry:
    """Envoy's JSON under the names that its documentation uses; the first of several that is there."""
    said = _object(line)
    address = _first(said, "x_forwarded_for", "downstream_remote_address", "client_ip") or ""
    client = str(address).split(",")[0].strip()
    return _entry(
        _moment(str(_first(said, "start_time", "time", "timestamp"))),
        str(_first(said, "method", "request_method")),
        str(_first(said, "authority", "host", "requested_server_name") or ""),
        str(_first(said, "x_envoy_original_path", "path")),
        client if client.count(":") > 1 else client.partition(":")[0],
        str(_first(said, "user", "x_user_id") or ""),
        int(_first(said, "response_code", "status") or 0),
        float(_first(said, "upstream_service_time", "x_envoy_upstream_service_time", "duration") or 0) / 1000,
    )


def kong(line: str) -> Entry:
    """The JSON of Kong's logging plugins."""
    said = _object(line)
    try:
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
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LineError("not a line of Kong's") from error


def _object(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError as error:
        raise LineError("not JSON") from error
    if not isinstance(said, dict):
        raise LineError("not an object")
    return said


def _first(said: dict[str, Any], *names: str) -> Any:
    found = next((said[name] for name in names if said.get(name) not in (None, "", "-")), None)
    if found is None and names[0] in ("start_time", "method", "x_envoy_original_path"):
        raise LineError(f"no {names[0]}")
    return found


def _entry(time: float, method: str, host: str, target: str, ip: str, user: str, status: int, seconds: float) -> Entry:
    """A foreign log: what it does not tell is as usual, and its refusals say nothing of the service."""
    path, _, query = target.partition("?")
    asked = status not in _GATEWAYS_OWN
    request = Request(time, method, host, path, query, ip, user)
    return Entry(request, Answer(status if asked else 200, seconds), asked, headers_known=False)


FORMATS: dict[str, Parse] = {"gwc": gwc, "combined": combined, "envoy": envoy, "kong": kong}


def detected(line: str) -> str | None:
    """The format that the line is in; None for none of them."""
    for name, parse in FORMATS.items():
        try:
            parse(line)
        except LineError:
            continue
        except (ValueError, TypeError):
            continue
        return name
    return None
