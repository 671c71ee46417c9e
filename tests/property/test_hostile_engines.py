"""Whatever text a policy may hold, the engine accepts the output that holds it.

That a value also means no more than its text on the wire is shown live, in tests/conformance/scenarios/headers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import maximal
from compiling import compiled, emitted, on_a_host, sources_of, write
from gwc.ir import Gateway
from gwc.target import EngineMissingError, Target
from property.strategies import HOSTILE
from property.test_engines import variants

WIDE: tuple[tuple[str | int, ...], ...] = (
    ("everything", "owner"),
    ("everything", "description"),
    ("everything", "routes", 0, "description"),
    ("everything", "headers", "request", "set", "X-Team"),
    ("everything", "headers", "response", "set", "X-Frame-Options"),
    ("platform", "identity", "jwt", 0, "audience", 0),
)
"""The places whose text is free. Everywhere else the language admits letters, digits and little more."""

WORDS = ("default", "null", "true", "include", "end", "nil")
"""Words that mean something in one of the engines' languages and that are names all the same."""

NAMED: tuple[tuple[str | int, ...], ...] = (
    ("everything", "service"),
    ("everything", "hosts", 0),
    ("everything", "upstream", "tls", "sni"),
    ("everything", "routes", 0, "name"),
    ("everything", "routes", 0, "auth", "scopes", 0),
    ("everything", "routes", 0, "limits", 0, "per", "header"),
    ("everything", "routes", 1, "cache", "vary", "query", 0),
    ("everything", "routes", 1, "cache", "vary", "headers", 0),
    ("everything", "budget", "charge"),
    ("everything", "headers", "request", "remove", 0),
    ("platform", "identity", "jwt", 0, "user"),
    ("platform", "identity", "api_key", "consumers", 0, "name"),
)


def _put(policies: dict[str, Any], path: tuple[str | int, ...], text: str) -> dict[str, Any]:
    parent: Any = policies
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = text
    return policies


def _gateway(policies: dict[str, Any], directory: Path) -> Gateway | None:
    return compiled(on_a_host(sources_of(policies, maximal.DIRECTORY), directory))[0]


@cache
def gateways(directory: Path) -> tuple[tuple[str, Gateway], ...]:
    """For each text the maximal policies with it in every free place that takes it, and the words as names."""
    return tuple((text, gateway) for text, gateway in _all(directory) if gateway is not None)


def _all(directory: Path) -> Iterator[tuple[str, Gateway | None]]:
    for text in HOSTILE:
        policies = maximal.policies()
        for path in WIDE:
            if _gateway(_put(maximal.policies(), path, text), directory) is not None:
                _put(policies, path, text)
        yield text, _gateway(policies, directory)
    for index, word in enumerate(WORDS):
        policies = maximal.policies()
        policies["platform"]["waivers"] = []
        policies["platform"]["bounds"] = {}
        for path in NAMED[index % 2 :]:
            _put(policies, path, word)
        yield word, _gateway(policies, directory)


@pytest.mark.live
@variants
def test_the_engine_accepts_what_the_language_admits(
    target: Target,
    profile: str,
    host: Path,
    tmp_path: Path,
) -> None:
    assert len(gateways(host)) == len(HOSTILE) + len(WORDS)
    try:
        binary = target.engine.find(profile)
    except EngineMissingError as missing:
        binary = None
        reason = str(missing)
    for index, (text, gateway) in enumerate(gateways(host)):
        artifact = emitted(gateway, target, profile)
        assert target.judge(artifact) == (), repr(text)
        if binary is not None:
            write(artifact, tmp_path / str(index))
            assert target.engine.verify(binary, tmp_path / str(index), artifact) == (), repr(text)
    if binary is None:
        pytest.skip(f"judged by gwc's own facts alone: {reason}")
