"""`local_ratelimit` -> limits, on the level where it stands."""

from __future__ import annotations

from gwc.imports.draft import Table
from gwc.imports.envoy.protobuf import percent, seconds
from gwc.imports.findings import Findings
from gwc.imports.tree import Word
from gwc.imports.values import rate

_FINE = ("enable_x_ratelimit_headers", "stat_prefix", "status", "response_headers_to_add", "stage")
"""A refusal is 429 with problem+json, and says when to come again."""


def add_limits(table: Table, config: Word, rate_limits: list[Word], findings: Findings) -> None:
    """`rate_limits` are the actions that make descriptors."""
    for name in _FINE:
        config[name].mark()
    enabled, enforced = percent(config["filter_enabled"]), percent(config["filter_enforced"])
    config["filter_enabled"].mark()
    config["filter_enforced"].mark()
    if not enabled:
        if config["token_bucket"].there:
            findings.no_matter(config["token_bucket"].span, "token_bucket", "a filter that is enabled for no request")
        config.mark()
        return
    shadow = not enforced
    _bucket(table, config["token_bucket"], "service", findings, shadow=shadow)
    if config["local_rate_limit_per_downstream_connection"].yes:
        place = config["local_rate_limit_per_downstream_connection"]
        findings.approximate(place.span, "a bucket for each connection becomes one for all", "per: ip bounds clients")
    for descriptor in config["descriptors"].each():
        key = _key(descriptor, rate_limits)
        if key is None:
            hint = "limits are per ip, user, service or {header: NAME}"
            findings.left_out(descriptor["entries"].span, "requests counted by these descriptors", hint)
            descriptor.mark()
        else:
            _bucket(table, descriptor["token_bucket"], key, findings, shadow=shadow)


def _bucket(table: Table, bucket: Word, key: object, findings: Findings, *, shadow: bool) -> None:
    most, fill, every = bucket["max_tokens"], bucket["tokens_per_fill"], seconds(bucket["fill_interval"])
    if not most.number or not every or every <= 0:
        return
    tokens = fill.number or 1
    if tokens <= 0:
        return
    text, exact = rate(tokens, every)
    if not exact:
        findings.approximate(most.span, f"{tokens:g} in {every:g} seconds is {text}")
    row = table.add("limits", Table(most.span))
    row.put("per", key, most.span)
    row.put("rate", text, (fill if fill.there else most).span)
    row.put("burst", max(int(most.number), 1), most.span)
    if shadow:
        row.put("mode", "shadow", most.span)


def _key(descriptor: Word, rate_limits: list[Word]) -> object | None:
    """Of a descriptor with one entry that takes any value."""
    entries = list(descriptor["entries"].each())
    if len(entries) != 1 or entries[0]["value"].text:
        return None
    name = entries[0]["key"].text
    if name in ("remote_address", "masked_remote_address"):
        return "ip"
    for action in (action for limit in rate_limits for action in limit["actions"].each()):
        headers = action["request_headers"]
        if headers["descriptor_key"].text == name and headers["header_name"].text:
            return {"header": headers["header_name"].text}
    return None
