"""Which requests an access logger is about: filters that cost next to nothing, other than expressions."""

from __future__ import annotations

from gwc_envoy.xds import Json


def noted(namespace: str, name: str, value: Json | None = None) -> Json:
    """Requests of which a script has noted `name`, with `value` if one is given."""
    return _metadata(namespace, name, value or {"present_match": True}, otherwise=False)


def unnoted(namespace: str, name: str) -> Json:
    """The others: nothing is null there, so a request that has a note never matches."""
    return _metadata(namespace, name, {"null_match": {}}, otherwise=True)


def _metadata(namespace: str, name: str, value: Json, otherwise: bool) -> Json:
    where = {"filter": namespace, "path": [{"key": name}], "value": value}
    return {"metadata_filter": {"matcher": where, "match_if_key_not_found": otherwise}}


def status(code: int, op: str = "EQ") -> Json:
    """A request that was never answered has the status 0."""
    value = {"default_value": code, "runtime_key": "gwc.none"}
    return {"status_code_filter": {"comparison": {"op": op, "value": value}}}


def within(first: int, last: int) -> Json:
    return every(status(first, "GE"), status(last, "LE"))


def every(*filters: Json) -> Json:
    """In their order, and no further than the first that does not match."""
    return {"and_filter": {"filters": list(filters)}} if len(filters) > 1 else filters[0]


def some(*filters: Json) -> Json:
    return {"or_filter": {"filters": list(filters)}} if len(filters) > 1 else filters[0]
