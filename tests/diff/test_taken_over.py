"""The side of a diff that is compiled second takes over what is the same, and means what it means by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

import corpus
from gwc.compile import Compiled, compile_sources, compiled
from gwc.diagnostics import Report
from gwc.diff import diff
from gwc.source import Source, read_policies

NOW = date(2026, 11, 23)
ONE, PLATFORM = "service-0001.yaml", "platform.yaml"
CHANGES: Mapping[str, tuple[str, str, str]] = {
    "a service": (ONE, "burst: 60", "burst: 61"),
    "a service in prod alone": (ONE, "concurrency: 256", "concurrency: 255"),
    "what services inherit": (PLATFORM, "auth: {any_of: [jwt]}", "auth: {any_of: [jwt], scopes: [read]}"),
    "a bound": (PLATFORM, "timeouts.request: {max: 120s}", "timeouts.request: {max: 110s}"),
}


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, ...]:
    corpus.write(directory := tmp_path_factory.mktemp("corpus") / "policies", 4)
    return read_policies(str(directory), Report())


def _changed(policies: tuple[Source, ...], file: str, old: str, new: str) -> tuple[Source, ...]:
    assert any(old in source.text for source in policies if source.name.endswith(file))
    return tuple(replace(s, text=s.text.replace(old, new)) if s.name.endswith(file) else s for s in policies)


def _named(policies: tuple[Source, ...]) -> tuple[Source, ...]:
    """As a revision has them: other names, beside the same key set."""
    return tuple(
        replace(source, name=str(Path(source.name).with_name(f"before-{Path(source.name).name}")))
        for source in policies
    )


def _compiled(policies: tuple[Source, ...], environment: str | None, like: Compiled | None = None) -> Compiled:
    found = compiled(policies, environment=environment, now=NOW, report=(report := Report()), like=like)
    assert found is not None, report.diagnostics
    return found


@pytest.mark.parametrize("environment", [None, "prod"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_side_means_what_it_means_by_itself(
    change: tuple[str, str, str], environment: str | None, policies: tuple[Source, ...]
) -> None:
    new = _compiled(_changed(policies, *change), environment)
    before = _named(policies)
    old = compile_sources(before, environment=environment, now=NOW, report=Report())
    taken = _compiled(before, environment, like=new)
    assert taken.gateway == old
    assert old is not None
    assert diff(taken.gateway, new.gateway) == diff(old, new.gateway)


def test_what_is_the_same_is_not_resolved_twice(policies: tuple[Source, ...]) -> None:
    new = _compiled(_changed(policies, *CHANGES["a service"]), None)
    old = _compiled(_named(policies), None, like=new)
    same = [a is b for a, b in zip(old.gateway.services, new.gateway.services, strict=True)]
    assert same == [True, False, True, True]
    inherited = _compiled(_changed(policies, *CHANGES["what services inherit"]), None)
    for a, b in zip(
        _compiled(_named(policies), None, like=inherited).gateway.services, inherited.gateway.services, strict=True
    ):
        assert a.routes is not b.routes


def test_an_environment_that_only_the_new_side_knows_is_unknown_to_the_old_one(policies: tuple[Source, ...]) -> None:
    bare = tuple(replace(source, text=source.text.partition("environments:")[0]) for source in policies)
    new = _compiled(_changed(bare, ONE, "routes:\n", "environments: {next: {owner: x}}\nroutes:\n"), "next")
    with pytest.raises(Exception, match="unknown environment 'next'"):
        compiled(_named(bare), environment="next", now=NOW, report=Report(), like=new)


FAULTS: Mapping[str, tuple[str, str]] = {
    "a path of another service": ("base_path: /service-0001", "base_path: /service-0002"),
    "a header of the gateway": ("remove: [X-Debug]", "remove: [X-User-Id]"),
    "a provider that nobody declared": ("routes:\n", "auth: {any_of: [api_key]}\nroutes:\n"),
    "a limit without a store": ("per: ip\n", "per: ip\n    scope: cluster\n"),
    "a bound": ("request: 10s", "request: 130s"),
    "a name of another service": ("service: service-0001", "service: service-0002"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_with_the_old_side_is_found(fault: tuple[str, str], policies: tuple[Source, ...]) -> None:
    new, before = _compiled(policies, None), _changed(_named(policies), ONE, *fault)
    alone, beside = Report(), Report()
    assert compile_sources(before, environment=None, now=NOW, report=alone) is None
    assert compiled(before, environment=None, now=NOW, report=beside, like=new) is None
    assert [(d.code, d.message) for d in beside.diagnostics] == [(d.code, d.message) for d in alone.diagnostics]
