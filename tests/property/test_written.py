"""Where a route was written, asked for section by section, against the whole route settled again.

Values that were settled before are not settled anew (gwc.resolve.memory), and what is asked of their places is found
without the rest of the route (gwc.resolve.written). GWC_EXPLORE=1 makes other policies, and many more.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import yaml

from gwc.diagnostics import Report
from gwc.ir import Gateway, Node
from gwc.policy.variants import Loaded, quick_variants, under
from gwc.resolve import resolve
from gwc.resolve.memory import Memory
from gwc.source import Source
from lint.rules import KEYS

EXPLORING = "GWC_EXPLORE" in os.environ
ROUNDS = 3_000 if EXPLORING else 25
SEED = random.SystemRandom().randrange(2**32) if EXPLORING else 5

Data = dict[str, Any]
_SECTIONS: dict[str, Data] = {
    "auth": {"any_of": ["jwt"], "scopes": ["a"]},
    "timeouts": {"connect": "2s", "request": "20s", "idle": "30s"},
    "retries": {
        "attempts": 2, "when": ["connect", "reset", 503], "per_try": "1s", "backoff": {"base": "10ms", "max": "90ms"},
        "budget": "20%", "unsafe": True,
    },
    "cors": {"origins": ["https://a.example.com"], "methods": ["GET"], "headers": ["X-A"], "max_age": "5m"},
    "headers": {
        "request": {"set": {"X-Set": "1", "X-Team": "a"}, "remove": ["X-Gone", "x-debug"]},
        "response": {"set": {"X-Gone": "2"}, "remove": ["X-Set", "Server-Timing"]},
    },
    "cache": {
        "ttl": "9s", "scope": "user", "vary": {"query": ["q"], "headers": ["Accept"]},
        "stale": {"if_error": "1m", "while_revalidate": "5s"}, "negative_ttl": "1s",
    },
}  # fmt: skip
_SWITCHED_OFF = ("retries", "cors", "cache")
_PUBLIC: dict[str, Data] = {**_SECTIONS, "cache": {**_SECTIONS["cache"], "scope": "public"}}
_NEEDED = {"cors": ("origins",), "cache": ("ttl", "scope")}
"""Without these a section is a fault where no level above has them."""


def _some(settings: Data, chance: random.Random, needed: tuple[str, ...] = ()) -> Data:
    """A part of them, that of mappings again in part."""
    picked = {*needed, *chance.sample(sorted(settings), chance.randint(1, len(settings)))}
    return {
        key: _some(value, chance) if isinstance(value, dict) and key != "set" else value
        for key, value in settings.items()
        if key in picked
    }


def _sections(chance: random.Random, share: float, public: bool) -> Data:
    found: Data = {
        name: "none"
        if name in _SWITCHED_OFF and chance.random() < 0.2
        else _some(settings, chance, _needed(name, chance))
        for name, settings in (_PUBLIC if public else _SECTIONS).items()
        if chance.random() < share and (name != "auth" or not public)
    }
    return found | ({"max_body": chance.choice(("2MiB", "1KiB"))} if chance.random() < share else {})


def _needed(section: str, chance: random.Random) -> tuple[str, ...]:
    return _NEEDED.get(section, ()) if chance.random() < 0.9 else ()


def _route(number: int, chance: random.Random, public: bool) -> Data:
    limits = [{"per": per, "rate": "5/s", "burst": 9} for per in ("ip", "service") if chance.random() < 0.3]
    own = ({"limits": limits} if limits else {}) | _sections(chance, 0.2, public)
    return {"name": f"r{number}", "path": f"/r{number}", "methods": ["GET", "HEAD"], **own}


def _policies(chance: random.Random) -> dict[str, Data]:
    """A platform, and services alike, so that all routes but those of the first were settled before."""
    public = chance.random() < 0.3
    settings, routes = _sections(chance, 0.4, public), [_route(number, chance, public) for number in range(4)]
    changed = [{"name": "r1", **_sections(chance, 0.2, public)}]
    other = {"environments": {"other": {**_sections(chance, 0.2, public), "routes": changed}}}
    services = {
        name: {
            "apiVersion": "gwc/v1", "kind": "Service", "service": name, "upstream": "http://127.0.0.1:8000",
            "base_path": f"/{name}", **settings, "routes": routes, **other,
        }
        for name in ("a", "b", "c")
    }  # fmt: skip
    issuer = {"issuer": "https://id.example.com/", "audience": ["a"], "jwks": {"file": "keys.json"}}
    identity = {"jwt": issuer, "api_key": {"consumers": [{"name": "n", "secret": {"env": "KEY"}}]}}
    auth = "none" if public else {"any_of": chance.choice((["jwt"], ["jwt", "api_key"]))}
    defaults = {**_sections(chance, 0.4, public), "auth": auth}
    platform = {"apiVersion": "gwc/v1", "kind": "Platform", "identity": identity, "defaults": defaults}
    return {"platform": platform, **services}


def _loaded(written: dict[str, Data], environment: str | None, flow: bool | None) -> list[Loaded] | None:
    loaded = []
    for name, data in written.items():
        text = yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False, default_flow_style=flow, width=100_000)
        variants = quick_variants(Source(f"policies/{name}.yaml", text))
        if variants is None:
            return None
        loaded.append(under(variants, environment))
    return loaded


def _resolved(loaded: list[Loaded], environment: str | None) -> Gateway | None:
    day = date(2026, 11, 23)
    return resolve(loaded, environment=environment, now=day, report=Report(), read=lambda _, __: KEYS)


def _nodes(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
        for _, part in sorted(vars(value).items()):
            yield from _nodes(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from _nodes(part)


def _lazy(node: Node) -> bool:
    return type(node.provenance).__module__ == "gwc.resolve.written"


@pytest.mark.parametrize("kept", [True, False], ids=["policies at hand", "policies read again"])
@pytest.mark.parametrize("environment", [None, "other"])
def test_each_origin_is_that_of_the_settled_route(
    environment: str | None, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, compared, levels = random.Random(SEED), 0, set()
    for _ in range(ROUNDS):
        written, flow = _policies(chance), chance.choice((None, False))
        loaded = _loaded(written, environment, flow)
        remembered = loaded and _resolved(loaded, environment)
        if not loaded or not remembered:
            continue
        with monkeypatch.context() as patch:
            patch.setattr(Memory, "known", lambda *_: None)
            settled = _resolved(loaded, environment)
        if not kept:
            del loaded
        assert settled == remembered
        for one, other in zip(_nodes(settled), _nodes(remembered), strict=True):
            assert dict(one.provenance) == dict(other.provenance), (type(one), written)
            assert {leaf: other.provenance[leaf] for leaf in one.provenance} == dict(one.provenance)
            assert other.provenance.get("nowhere") is None
            compared += _lazy(other)
            levels |= {origin.level for origin in other.provenance.values()} if _lazy(other) else set()
    assert compared > ROUNDS * 10 and len(levels) == 4, "too little was remembered to compare anything"
