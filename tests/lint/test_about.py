"""What a rule is about, as its code tells: nothing else may matter to it, and nothing that matters may be left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gwc.diagnostics import Diagnostic, Report
from gwc.ir import Gateway, Service
from gwc.lint import Context, about, lint, run
from gwc.lint.code.base import CodeRule
from gwc.lint.registry import RULES
from gwc.lint.rule import Rule, documentation
from gwc.resolve import check_gateway
from gwc.source import Source
from lint.rules import KEYS, sources

NOW = date(2026, 11, 23)
ROOT = Path(__file__).resolve().parents[2]
OF_SERVICE = ("upstream", "limits", "budget", "owner", "hosts", "description")
OF_GATEWAY = ("concurrency", "limits", "listen", "trusted_proxies", "tracing", "targets")


class Mine:
    """Whoever asks it for anything was not supposed to."""

    def _boom(self, *_: Any) -> Any:
        raise AssertionError("a rule looks at what its code does not mention")

    __getattr__ = __iter__ = __len__ = __bool__ = __eq__ = __hash__ = __getitem__ = __contains__ = _boom  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def however_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out of a fleet is left out of these few services, too."""
    monkeypatch.setattr(about, "WORTH", 0)


def _read(_: Source, __: str) -> str:
    return KEYS


def contexts_of(policies: Sequence[Source]) -> list[Context]:
    """Those that lint would ask the rules about."""
    report, found = Report(), []
    variants = run._variants(policies, None, report)
    job = run._Job(variants, NOW, report, _read, whole=True, services=())
    for name in run._names(variants, None):
        found += list(job.context(name))
    assert not report.failed, report.diagnostics
    return found


def mined(context: Context, rule: type[Rule]) -> Context:
    """Where everything that the rule's code does not mention is a mine."""
    names = about.names(rule)
    services = tuple(_mined(service, OF_SERVICE, names) for service in context.gateway.services)
    gateway = _mined(replace(context.gateway, services=services), OF_GATEWAY, names)
    return replace(context, gateway=gateway)


def _mined(node: Any, of: Sequence[str], names: frozenset[str]) -> Any:
    return replace(node, **{name: Mine() for name in of if name not in names})


def examples(rule: type[Rule]) -> list[Sequence[Source]]:
    said = documentation(rule).sections
    return [sources(said["Example"]), sources(said["Use instead"])]


PLAIN = [rule for rule in RULES if not issubclass(rule, CodeRule)]
POLICIES = tuple(Source(str(p), p.read_text(encoding="utf-8")) for p in sorted(ROOT.glob("policies/*.yaml")))


@pytest.mark.parametrize("rule", PLAIN, ids=lambda rule: rule.code)
def test_a_rule_looks_at_nothing_that_its_code_does_not_mention(rule: type[Rule]) -> None:
    for policies in (*examples(rule), POLICIES):
        for context in contexts_of(policies):
            assert set(rule().diagnostics(mined(context, rule))) == set(rule().diagnostics(context))


def test_what_keeps_a_gateway_together_looks_at_nothing_else_either() -> None:
    names = about.mentioned_by(check_gateway)
    assert not {"upstream", "concurrency", "description"} & names
    for policies in (POLICIES, *(example for rule in PLAIN for example in examples(rule))):
        for context in contexts_of(policies):
            services = tuple(_mined(service, OF_SERVICE, names) for service in context.gateway.services)
            gateway = _mined(replace(context.gateway, services=services), OF_GATEWAY, names)
            report = Report()
            check_gateway(gateway, report)
            assert not report.failed


def test_the_names_are_those_of_the_gateway() -> None:
    own = {one.name for kind in (Gateway, Service) for one in fields(kind)}
    assert {*OF_SERVICE, *OF_GATEWAY} <= own
    met = {name for known in (run.OF_SERVICE, run.OF_PLATFORM) for names in known.values() for name in names}
    assert met - {"waivers", "tables"} <= own


def test_most_rules_are_not_about_everything() -> None:
    """Otherwise nothing is ever left out, and all of this is for nothing."""
    about_upstream = [rule.code for rule in PLAIN if "upstream" in about.names(rule)]
    assert 5 < len(about_upstream) < len(PLAIN) / 2, about_upstream
    assert "GWC341" in about_upstream  # cap-above-cap
    assert "GWC303" not in about_upstream  # unsafe-retry


ENVIRONMENTS = """
environments:
  cap: {upstream: {concurrency: 1}}
  far: {upstream: {endpoints: [{url: "http://example.com:1"}]}}
  hosts: {hosts: [prod.example.com]}
  limits: {limits: [{per: ip, rate: 1/day}, {per: {header: X-User}, rate: 5/s}]}
  budget: {budget: {units: 1/day}}
  owner: {owner: ""}
  routes: {retries: {attempts: 9, when: [503], unsafe: true}}
"""
OF_THE_PLATFORM = """
environments:
  cap: {concurrency: 1}
  limits: {limits: [{per: user, rate: 1/day}]}
  proxies: {trusted_proxies: [10.0.0.0/8]}
  open: {listen: {http: "0.0.0.0:8080"}}
  traced: {tracing: {otlp: "http://10.0.0.1:4318", sample: 100%}}
  none: {defaults: {timeouts: {request: 9s}}}
"""


def varied(policies: Sequence[Source]) -> list[Source]:
    """With environments that change one thing each; on one host, two services could collide."""
    alone = "".join(line for line in ENVIRONMENTS.splitlines(keepends=True) if len(policies) < 3 or "hosts" not in line)
    return [
        replace(one, text=one.text + (OF_THE_PLATFORM if "kind: Platform" in one.text else alone))
        for one in policies
        if "environments:" not in one.text
    ]


def linted(contexts: Sequence[Context]) -> tuple[Diagnostic, ...]:
    return lint(contexts, RULES)


@pytest.mark.parametrize("rule", PLAIN, ids=lambda rule: rule.code)
def test_leaving_rules_out_leaves_no_finding_out(rule: type[Rule]) -> None:
    for policies in map(varied, examples(rule)):
        contexts = contexts_of(policies)
        assert sum(context.changed is not None for context in contexts) >= 8
        assert linted(contexts) == linted([replace(context, changed=None) for context in contexts])


def test_something_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A counter: how often a rule is asked in nineteen environments."""
    asked: list[str] = []
    rule = next(rule for rule in PLAIN if rule.code == "GWC303")
    monkeypatch.setattr(rule, "check", lambda self, gateway: asked.append(gateway.environment) or iter(()))
    contexts = contexts_of(varied(sources("")))
    lint(contexts, [rule])
    assert asked == [None, "none", "routes"]
