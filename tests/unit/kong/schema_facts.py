"""Kong schemas in the compact form that the target owns: from the plugin's schema.lua, and from a dump of a Kong's."""

from __future__ import annotations

from typing import Any

from lupa import luajit21

_KEPT = ("type", "required", "between", "gt", "one_of", "len_min", "starts_with", "reference", "unique")


def spec(field: dict[str, Any]) -> dict[str, Any]:
    out = {key: field[key] for key in _KEPT if key in field and field[key] is not False}
    if field.get("default") is not None and field["type"] != "record":
        out["default"] = field["default"]
    for key in ("elements", "keys", "values"):
        if key in field:
            out[key] = spec(field[key])
    if "fields" in field:
        out["fields"] = fields(field["fields"])
    return out


def fields(listed: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: spec(field) for entry in listed for name, field in entry.items()}


def plugin_schema(text: str) -> dict[str, Any]:
    """The `config` of a schema.lua."""
    lua = luajit21.LuaRuntime(unpack_returned_tuples=True)
    lua.execute("ngx = { null = 'null' }")
    whole = python(lua.execute(text))
    config: dict[str, Any] = fields(whole["fields"])["config"]
    return config


def python(value: Any) -> Any:
    """A Lua table as a list or a dict."""
    if luajit21.lua_type(value) != "table":
        return value
    keys = list(value.keys())
    if keys and all(isinstance(key, int) for key in keys):
        return [python(value[key]) for key in sorted(keys)]
    return {key: python(value[key]) for key in keys}
