"""Envoy's profile `files` says what `default` says: its files leave nothing out, and add nothing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings

from compiling import emitted, gateway_of, texts
from gwc_envoy import TARGET
from gwc_envoy.dynamic import HOSTS, LISTENERS
from gwc_envoy.emit import bootstrap
from gwc_envoy.layout import joined
from gwc_envoy.profiles import told
from gwc_envoy.succession import tables
from property.strategies import policies


@settings(max_examples=25)
@given(written=policies())
def test_the_files_together_are_the_bootstrap(written: dict[str, Any]) -> None:
    gateway = gateway_of(written)
    artifact = emitted(gateway, TARGET, "files")
    files = texts(artifact)
    assert joined(files) == json.loads(json.dumps(bootstrap(told(gateway, "files"))))
    assert TARGET.judge(artifact) == ()
    asked = tables(files)
    assert [one["name"] for one in json.loads(files[HOSTS])["resources"]] == [*asked] if asked else HOSTS not in files
    assert '"route_config"' in files[LISTENERS], "the admin listener keeps its own"


def test_both_promise_the_same() -> None:
    one, other = (TARGET.support(profile) for profile in TARGET.profiles)
    assert one.entries == other.entries
