"""Timeouts, retries and headers of a route, with what it inherits from its virtual host and manager."""

from __future__ import annotations

from gwc.imports.draft import Table
from gwc.imports.envoy.protobuf import seconds, time
from gwc.imports.findings import Findings
from gwc.imports.masking import may_be_secret
from gwc.imports.tree import Word

_STATUSES: dict[str, list[int]] = {"5xx": [500, 502, 503, 504], "gateway-error": [502, 503, 504]}
_CAUSES: dict[str, list[str]] = {
    "5xx": ["connect", "reset"],
    "gateway-error": ["connect", "reset"],
    "reset": ["connect", "reset"],
    "reset-before-request": ["connect", "reset"],
    "connect-failure": ["connect"],
    "refused-stream": ["connect"],
    "http3-post-connect-failure": ["connect"],
}
_REPEATED = frozenset({"POST", "PATCH"})


def apply_settings(route: Table, levels: tuple[Word, ...], cluster: Word, findings: Findings) -> None:
    """`levels` are manager, route configuration, virtual host and route."""
    manager, _, host, own = levels
    action = own["route"]
    _timeouts(route, action, manager, cluster, findings)
    _retries(route, action["retry_policy"] if action["retry_policy"].there else host["retry_policy"], findings)
    _budget(route, cluster)
    for level in levels[1:]:
        _headers(route, level, findings)
    _upgrades(
        route, action["upgrade_configs"] if action["upgrade_configs"].there else manager["upgrade_configs"], findings
    )
    for key in ("host_rewrite_literal", "auto_host_rewrite", "host_rewrite"):
        if action[key].there and action[key].value is not False:
            what = "the service sees the host that the client asked for"
            findings.approximate(action[key].span, what, "let the service know its names")


def _timeouts(route: Table, action: Word, manager: Word, cluster: Word, findings: Findings) -> None:
    connect = cluster["connect_timeout"]
    if time(connect):
        route.put("timeouts.connect", time(connect), connect.span)
    whole = action["timeout"]
    if time(whole):
        route.put("timeouts.request", time(whole), whole.span)
    elif seconds(whole) == 0:
        hint = "write timeouts.request, or stream: true for a route that never ends"
        findings.left_out(whole.span, "a request without a bound", hint)
    idle = action["idle_timeout"] if action["idle_timeout"].there else manager["stream_idle_timeout"]
    if time(idle):
        route.put("timeouts.idle", time(idle), idle.span)
    elif seconds(idle) == 0:
        findings.left_out(idle.span, "silence without a bound", "write timeouts.idle")
    if action["max_stream_duration"].there:
        what = "timeouts.request bounds the whole request"
        findings.approximate(action["max_stream_duration"].span, what)
        action["max_stream_duration"].mark()


def _retries(route: Table, policy: Word, findings: Findings) -> None:
    if not policy.there:
        return
    when: list[str | int] = []
    statuses = {int(word.number) for word in policy["retriable_status_codes"].each() if word.number}
    for condition in [part.strip() for part in policy["retry_on"].text.split(",") if part.strip()]:
        if condition == "retriable-status-codes":
            continue
        if condition not in _CAUSES:
            hint = "causes are connect, reset and the statuses 500 to 599"
            findings.left_out(policy["retry_on"].span, f"another try after {condition[:60]}", hint)
        when += [cause for cause in _CAUSES.get(condition, []) if cause not in when]
        statuses |= set(_STATUSES.get(condition, []))
    wrong = sorted(status for status in statuses if not 500 <= status <= 599)
    if wrong:
        findings.left_out(
            policy["retriable_status_codes"].span, f"another try after {wrong[0]}", "statuses are 500 to 599"
        )
    when += sorted(statuses - set(wrong))
    if not when:
        return
    attempts = policy["num_retries"]
    route.put("retries.attempts", int(1 if attempts.number is None else attempts.number), attempts.span)
    route.put("retries.when", when, policy["retry_on"].span)
    _pauses(route, policy)
    if _REPEATED & set(route.value("methods")) and when != ["connect"]:
        route.put("retries.unsafe", True, policy["retry_on"].span, "Envoy repeats POST and PATCH, too")


def _pauses(route: Table, policy: Word) -> None:
    if time(policy["per_try_timeout"]):
        route.put("retries.per_try", time(policy["per_try_timeout"]), policy["per_try_timeout"].span)
    pause = policy["retry_back_off"]
    for word, name in (("base", "base_interval"), ("max", "max_interval")):
        if time(pause[name]):
            route.put(f"retries.backoff.{word}", time(pause[name]), pause[name].span)


def _budget(route: Table, cluster: Word) -> None:
    for threshold in cluster["circuit_breakers"]["thresholds"].each():
        share = threshold["retry_budget"]["budget_percent"]["value"]
        if share.number is not None and "retries" in route.items and 0 < share.number <= 100:
            route.put("retries.budget", f"{share.number:g}%", share.span)


def _headers(route: Table, level: Word, findings: Findings) -> None:
    for direction in ("request", "response"):
        removed = level[f"{direction}_headers_to_remove"]
        if removed.texts():
            before = route.value(f"headers.{direction}.remove", [])
            route.put(f"headers.{direction}.remove", list(dict.fromkeys([*before, *removed.texts()])), removed.span)
        for option in level[f"{direction}_headers_to_add"].each():
            _added(route, direction, option, findings)


def _added(route: Table, direction: str, option: Word, findings: Findings) -> None:
    name, value = option["header"]["key"], option["header"].first("value", "raw_value")
    option.mark()
    if "%" in value.text.replace("%%", ""):
        what = f"the header {name.text[:60]}: its value is made while a request is under way"
        findings.left_out(name.span, what, "let the service do it")
    elif may_be_secret(name.text, value.text):
        hint = "identity.gateway_secret proves a request's way, by reference: {header: NAME, secret: {env: NAME}}"
        findings.secret(
            value.span, f"the header {name.text[:60]} holds what looks like a secret; it is not copied", hint
        )
    else:
        path = f"headers.{direction}.set"
        route.put(path, {**route.value(path, {}), name.text: value.text.replace("%%", "%")}, name.span)


def _upgrades(route: Table, upgrades: Word, findings: Findings) -> None:
    for one in upgrades.each():
        if one["upgrade_type"].text.lower() == "websocket" and one["enabled"].value is not False:
            if "GET" in route.value("methods"):
                route.put("websocket", True, one["upgrade_type"].span)
        elif one["upgrade_type"].there:
            findings.left_out(
                one["upgrade_type"].span, f"an upgrade to {one['upgrade_type'].text[:40]}", "websocket: true"
            )
