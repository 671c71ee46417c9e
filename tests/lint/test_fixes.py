"""Every fix leaves policies that mean the same, apart from what its rule is about."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.diff import diff
from gwc.ir import Gateway
from gwc.lint.fix import fixed
from gwc.source import Source
from lint.rules import KEYS, NOW, linted, sources

PLATFORM, SHOP = (source.text for source in sources(""))
BOUNDS = "bounds: {timeouts.request: {max: 60s}}\n"
WAIVER = "{service: shop, bound: timeouts.request, reason: slow, until: 2027-06-30}"
NEEDED = "{service: shop, bound: cost, reason: dear, until: 2027-06-30}"
ROUTE = "{name: a, path: /a, auth: none, cache: {ttl: 1m}, methods: "
LONG = "- name: a\n  path: /a\n  auth: none\n  cache: {ttl: 1m}\n  methods:\n"
HEAD = "added shop/a route"
ACCEPT = "neutral the platform targets.nginx.accept"


@dataclass(frozen=True)
class Case:
    """What is added to the plain policies, what becomes of it, and the changes that `gwc diff` sees."""

    code: str
    platform: str = ""
    platform_mended: str = ""
    shop: str = ""
    shop_mended: str = ""
    changes: tuple[str, ...] = ()


def _accept(*entries: str) -> str:
    return "targets:\n  nginx:\n    profile: njs\n    accept:\n" + "".join(f"    {entry}\n" for entry in entries)


def _routes(methods: str) -> str:
    return f"- {ROUTE}{methods}}}\n"


CASES = {
    "an accepted entry, its comment with it": Case(
        "GWC454",
        _accept("- timeouts.request", "- retries.per_try    # once", "# why", "- retries.budget"),
        _accept("- timeouts.request", "# why"),
        changes=(ACCEPT,),
    ),
    "the first of a list in brackets": Case(
        "GWC454",
        "targets: {nginx: {profile: njs, accept: [retries.per_try, timeouts.request]}}\n",
        "targets: {nginx: {profile: njs, accept: [timeouts.request]}}\n",
        changes=(ACCEPT,),
    ),
    "the last of a list in brackets, over lines": Case(
        "GWC454",
        "targets: {nginx: {profile: njs, accept: [timeouts.request,\n  retries.per_try]}}\n",
        "targets: {nginx: {profile: njs, accept: [timeouts.request]}}\n",
        changes=(ACCEPT,),
    ),
    "a waiver": Case(
        "GWC453",
        f"bounds: {{timeouts.request: {{max: 60s}}, cost: {{max: 2}}}}\nwaivers:\n- {WAIVER}\n- {NEEDED}\n",
        f"bounds: {{timeouts.request: {{max: 60s}}, cost: {{max: 2}}}}\nwaivers:\n- {NEEDED}\n",
        "- {name: b, path: /b, methods: [GET], cost: 3}\nbudget: {per: user, units: 100/hour}\n",
        "- {name: b, path: /b, methods: [GET], cost: 3}\nbudget: {per: user, units: 100/hour}\n",
    ),
    "HEAD in brackets": Case(
        "GWC355", shop=_routes("[GET]"), shop_mended=_routes("[GET, HEAD]"), changes=(HEAD,)
    ),
    "HEAD on a line of its own": Case(
        "GWC355",
        shop=f"{LONG}  - GET  # reads\n",
        shop_mended=f"{LONG}  - GET\n  - HEAD  # reads\n",
        changes=(HEAD,),
    ),
}  # fmt: skip


def _sources(platform: str, shop: str) -> tuple[Source, ...]:
    return Source("policies/platform.yaml", PLATFORM + platform), Source("policies/shop.yaml", SHOP + shop)


def _gateway(policies: tuple[Source, ...]) -> Gateway:
    report = Report()
    gateway = compile_sources(policies, environment=None, now=NOW, report=report, read=lambda _, __: KEYS)
    assert gateway is not None, report.diagnostics
    return gateway


def _mended(policies: tuple[Source, ...]) -> tuple[Source, ...]:
    changed = fixed(linted(policies), {source.name: source.text for source in policies})
    return tuple(Source(source.name, changed.get(source.name, source.text)) for source in policies)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_fix_changes_what_its_rule_is_about_and_no_more(case: Case) -> None:
    before = _sources(case.platform, case.shop)
    assert case.code in {d.code for d in linted(before)}
    after = _mended(_mended(before))
    assert [source.text for source in after] == [
        PLATFORM + case.platform_mended,
        SHOP + case.shop_mended,
    ]
    assert case.code not in {d.code for d in linted(after)}
    changes = [f"{c.level} {s} {c.field}" for c in diff(_gateway(before), _gateway(after)) for s in c.subjects]
    assert tuple(changes) == case.changes


@pytest.mark.parametrize(
    "platform",
    [
        _accept("- retries.per_try"),
        "targets: {nginx: {profile: njs, accept: [retries.per_try]}}\n",
        f"{BOUNDS}waivers: [{WAIVER}]\n",
    ],
)
def test_the_last_item_is_left_to_its_owner(platform: str) -> None:
    found = [d for d in linted(_sources(platform, "")) if d.code in ("GWC453", "GWC454")]
    assert [d.fix for d in found] == [None]


@pytest.mark.parametrize("other", ["accept: [*a, path]", "accept: [path, *a, errors]"])
def test_a_policy_with_aliases_is_left_to_its_owner(other: str) -> None:
    platform = _accept("- &a retries.per_try", "- timeouts.request") + f"  envoy:\n    {other}\n"
    assert "GWC454" in {d.code for d in linted(_sources(platform, ""))}
    assert _mended(_sources(platform, ""))[0].text == PLATFORM + platform
