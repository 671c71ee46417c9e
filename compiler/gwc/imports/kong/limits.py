"""Kong's two plugins for rates -> limits, one for each window."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.diagnostics import Span
from gwc.imports.draft import Table
from gwc.imports.findings import Findings
from gwc.imports.tree import Word
from gwc.imports.values import rate

_WINDOWS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_TOO_LONG = ("month", "year")


def add_limits(table: Table, route: Table, plugin: Word, platform: Table, findings: Findings) -> None:
    """`table` is that of the level on which the plugin stands: its buckets span what is below. Once for each table."""
    config = plugin["config"]
    if any(row.span == plugin["name"].span for row in table.rows("limits")):
        return
    advanced = plugin["name"].text == "rate-limiting-advanced"
    shared = _shared(config, config["strategy" if advanced else "policy"], platform, findings)
    key = _key(route, config["identifier" if advanced else "limit_by"], config["header_name"], findings)
    for word, count, seconds in _advanced(config) if advanced else _windows(config, findings):
        if key is not None:
            row = _row(plugin["name"].span, key, word, count, seconds, findings)
            if shared:
                row.put("scope", "cluster", word.span)
            table.add("limits", row)


def _windows(config: Word, findings: Findings) -> Iterator[tuple[Word, float, float]]:
    """One number for each window."""
    for window, seconds in _WINDOWS.items():
        if config[window].number:
            yield config[window], config[window].number or 0, seconds
    for window in _TOO_LONG:
        if config[window].there:
            hint = "periods are s, min, hour and day; a budget has them, too"
            findings.left_out(config[window].span, f"a limit for each {window}", hint)


def _advanced(config: Word) -> Iterator[tuple[Word, float, float]]:
    """Lists of numbers and of windows."""
    limits, windows = (list(config[name].each()) or [config[name]] for name in ("limit", "window_size"))
    for limit, window in zip(limits, windows, strict=False):
        if limit.number and window.number and limit.number > 0 and window.number > 0:
            yield limit, limit.number, window.number


def _row(place: Span, key: object, word: Word, count: float, seconds: float, findings: Findings) -> Table:
    text, exact = rate(count, seconds)
    if not exact:
        findings.approximate(word.span, f"{count:g} in {seconds:g} seconds is {text}")
    row = Table(place)
    row.put("per", key, word.span)
    row.put("rate", text, word.span)
    if int(count) != int(text.partition("/")[0]):
        row.put("burst", max(int(count), 1), word.span)
    return row


def _key(route: Table, by: Word, header: Word, findings: Findings) -> object | None:
    wanted = by.text or "consumer"
    if wanted in ("consumer", "credential", "consumer-group"):
        if isinstance(route.items.get("auth"), Table):
            return "user"
        findings.approximate(by.span, "nobody is known on this route: the limit is per ip", "as Kong falls back to it")
        return "ip"
    if wanted == "header" and header.text:
        return {"header": header.text}
    if wanted in ("ip", "service"):
        return wanted
    findings.left_out(
        by.span, f"requests counted by {wanted[:40]}", "limits are per ip, user, service or {header: NAME}"
    )
    return None


def _shared(config: Word, policy: Word, platform: Table, findings: Findings) -> bool:
    """Whether gateways count together; the store goes into the platform."""
    if policy.text == "cluster":
        hint = "declare rate_limit_store and write scope: cluster"
        findings.approximate(policy.span, "counts in Kong's database become counts of each gateway", hint)
    if policy.text != "redis":
        return False
    redis = config["redis"]
    host = redis["host"] if redis["host"].there else config["redis_host"]
    if not host.text:
        findings.left_out(policy.span, "a count in Redis, without its address", "declare rate_limit_store")
        return False
    _store(config, redis, host, platform, findings)
    return True


def _store(config: Word, redis: Word, host: Word, platform: Table, findings: Findings) -> None:
    port = redis["port"].number or config["redis_port"].number or 6379
    scheme = "rediss" if redis["ssl"].yes else "redis"
    database = redis["database"].number or config["redis_database"].number or 0
    platform.put("rate_limit_store.redis", f"{scheme}://{host.text}:{port:.0f}/{database:.0f}", host.span)
    tolerant = config["fault_tolerant"].value is not False
    platform.put("rate_limit_store.on_failure", "allow" if tolerant else "deny", host.span)
    password = redis["password"] if redis["password"].there else config["redis_password"]
    if password.there:
        platform.put("rate_limit_store.password", {"secret": {"env": "REDIS_PASSWORD"}}, password.span)
        hint = "put it into the environment variable REDIS_PASSWORD of the gateway"
        findings.secret(password.span, "the password of Redis is not copied", hint)
