"""One JSON object a request on standard output, in the schema of gwc.observability.

Profile njs writes it whole (njs/log.js). Profile plain puts it together from variables: NGINX escapes the text, and
maps turn what it has into the schema's numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Gateway
from gwc.observability.access_log import REDACTED, REDACTED_QUERY_PARAMETERS, credential_headers, key_headers
from gwc.problems import PROBLEMS
from gwc_nginx import plain_cache
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.quoting import q, regex
from gwc_nginx.request_id import variable_of

_TAIL = r"[\x80-\xbf]"
_MULTIBYTE = (
    *(rf"[\xc2-\xdf]{_TAIL}", rf"\xe0[\xa0-\xbf]{_TAIL}", rf"[\xe1-\xec\xee\xef]{_TAIL}{{2}}"),
    *(rf"\xed[\x80-\x9f]{_TAIL}", rf"\xf0[\x90-\xbf]{_TAIL}{{2}}", rf"[\xf1-\xf3]{_TAIL}{{3}}"),
    rf"\xf4[\x80-\x8f]{_TAIL}{{2}}",
)
_UTF8 = "|".join(_MULTIBYTE)
"""What is beyond ASCII (RFC 3629): a client's other bytes would make the line no JSON."""


def data(gateway: Gateway) -> dict[str, object]:
    """What log.js needs to know."""
    return {
        "headers": list(key_headers(gateway)),
        "credentials": {f":{name}": True for name in credential_headers(gateway)},
        "redacted": {f":{name}": True for name in REDACTED_QUERY_PARAMETERS},
    }


def log_format(gateway: Gateway, *, njs: bool) -> str:
    """The `log_format` arguments."""
    if njs:
        return "escape=none '$gwc_line'"
    fields = ",".join(f'"{name}":{value}' for name, value in _plain_fields(gateway))
    return "escape=json '{" + fields + "}'"


def _plain_fields(gateway: Gateway) -> Iterator[tuple[str, str]]:
    def text(variable: str) -> str:
        return f'"{variable}"'

    keys = ",".join(f'"{name}":"$gwc_logged_key_{i}"' for i, name in enumerate(key_headers(gateway)))
    yield "time", text("$gwc_logged_time.${gwc_logged_fraction}Z")
    yield "request_id", text("$gwc_request_id")
    yield "trace_id", text("$gwc_trace_id")
    yield "service", text("$gwc_service")
    yield "route", text("$gwc_route_name")
    yield "method", text("$gwc_method")
    yield "host", text("$gwc_logged_host")
    yield "path", text("$gwc_logged_path")
    yield "query", text("$gwc_logged_query")
    yield "client_ip", text("$remote_addr")
    yield "user", text("")
    yield "keys", "{" + keys + "}"
    yield "status", "$gwc_logged_status"
    yield "bytes", "$body_bytes_sent"
    yield "duration_ms", "$gwc_logged_duration"
    yield "upstream_ms", "$gwc_logged_upstream"
    yield "attempts", "$gwc_logged_attempts"
    yield "cost", "null"
    yield "cache", text("$gwc_cache" if plain_cache.caches(gateway) else "")
    yield "limited_by", text("")
    yield "shadowed_by", "[]"
    yield "problem", text("$gwc_logged_problem")


def maps() -> Iterator[Directive]:
    """What both profiles need. An error page changes $request_method."""
    method = (("~^(?<gwc_logged_method>[A-Z_-]+) ", "$gwc_logged_method"),)
    yield _map("$request", "$gwc_method", method, "$request_method")
    yield _map("$gwc_route", "$gwc_service", (("~^(?<gwc_logged_service>[^/]+)/", "$gwc_logged_service"),))


def plain_maps(gateway: Gateway) -> Iterator[Directive]:
    yield from _times()
    yield from _texts(gateway)
    yield _map("$gwc_trace", "$gwc_trace_id", (("~^(?<gwc_logged_trace>[0-9a-f]{32})", "$gwc_logged_trace"),))
    yield _map("$gwc_route", "$gwc_route_name", (("~^[^/]+/(?<gwc_logged_route>.+)", "$gwc_logged_route"),))
    # 499 is what NGINX notes when the client left before there was an answer.
    yield _map("$status", "$gwc_logged_status", ((r"~^(?<gwc_logged_code>[1-5][0-9][0-9])\z", "$gwc_logged_code"),
                                                 ("499", "0")), "0")  # fmt: skip
    yield from _tries(gateway)
    types = {str(problem.status): problem.type for problem in reversed(PROBLEMS.values())}
    types |= {"429": "rate-limited", "503": "unavailable"}
    kinds = tuple((f"1:{status}", type_) for status, type_ in sorted(types.items()))
    others = (("~^1:4", "bad-request"), ("~^1:5", "internal-error"))
    yield _map(q("$gwc_problem_made:$status"), "$gwc_logged_problem", (*kinds, *others))


def _times() -> Iterator[Directive]:
    """NGINX counts seconds with three places; the environment's time zone is UTC (nginx.conf)."""
    yield _map("$time_iso8601", "$gwc_logged_time", ((r"~^(?<gwc_logged_second>[^+]{19})", "$gwc_logged_second"),))
    yield _map("$msec", "$gwc_logged_fraction", ((r"~\.(?<gwc_logged_msec>[0-9]{3})\z", "$gwc_logged_msec"),), "000")
    yield from _milliseconds("$request_time", "$gwc_logged_duration", "0")
    yield from _milliseconds("$upstream_response_time", "$gwc_logged_upstream", "null")


def _milliseconds(seconds: str, variable: str, otherwise: str) -> Iterator[Directive]:
    """Without leading zeros, which are no JSON."""
    name = variable[1:]
    yield _map(seconds, variable, (
        (rf"~^0\.0{{0,2}}(?<{name}_small>[1-9][0-9]{{0,2}})\z", f"${name}_small"),
        (rf"~^(?<{name}_whole>[1-9][0-9]*)\.(?<{name}_rest>[0-9]{{3}})\z", f"${{{name}_whole}}${name}_rest"),
        (r"~^0\.000\z", "0"),
    ), otherwise)  # fmt: skip


def _texts(gateway: Gateway) -> Iterator[Directive]:
    """As far as they are UTF-8. Maps cannot take values out one by one: a query that names a credential is hidden."""
    for source, name in (("$request_uri", "path"), ("$http_host", "host")):
        yield _map(source, f"$gwc_logged_{name}", ((_text(f"gwc_told_{name}", "?" if name == "path" else ""),
                                                    f"$gwc_told_{name}"),))  # fmt: skip
    names = "|".join(regex(name) for name in REDACTED_QUERY_PARAMETERS)
    hidden = rf"~*^[^?]*\?(?:.*&)?(?:(?:{names})=|[^&=]*%[^&=]*=)"
    query = rf"~^[^?]*\?(?<gwc_told_query>(?:[^\x80-\xff]|{_UTF8})*+)"
    yield _map("$request_uri", "$gwc_logged_query", ((hidden, REDACTED), (query, "$gwc_told_query")))
    for index, header in enumerate(key_headers(gateway)):
        shown = ((_text(f"gwc_told_key_{index}", ""), f"$gwc_told_key_{index}"),)
        cases = (("~.", REDACTED),) if header in credential_headers(gateway) else shown
        yield _map(variable_of(header), f"$gwc_logged_key_{index}", cases)


def _text(name: str, end: str) -> str:
    return rf"~^(?<{name}>(?:[^{end}\x80-\xff]|{_UTF8})*+)"


def _tries(gateway: Gateway) -> Iterator[Directive]:
    """The inner hop tells the addresses that it tried; where it could not answer in time there was one at least."""
    most = 1 + max((r.retries.attempts for s in gateway.services for r in s.routes), default=0)
    counted = tuple((rf"~^[^:]+:[^,]+(?:, [^,]+){{{n - 1}}}\z", str(n)) for n in range(1, most + 1))
    asked = q("$upstream_status:$upstream_http_x_gwc_address")
    yield _map(asked, "$gwc_logged_attempts", (("~^:", "0"), *counted), "1")


def _map(source: str, variable: str, cases: tuple[tuple[str, str], ...], default: str = "") -> Directive:
    return block("map", source, variable, of=(d("default", q(default)), *(d(q(k), q(v)) for k, v in cases)))
