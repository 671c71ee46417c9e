"""The section `targets` of policies/platform.yaml, made from what the targets promise today.

The examples use the whole language, so what a target does not keep exactly has to be accepted there, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.discovery import load_targets
from gwc.features import FEATURES
from gwc.ir import Gateway
from gwc.source import read_policies
from gwc.support import Fidelity
from gwc.target import Target, profile_of

POLICIES = Path(__file__).parents[1] / "policies"
ENVIRONMENTS = (None, "prod")
NOW = date(2026, 11, 23)
"""The examples are valid on any day up to the end of their waivers."""
START = "# --- targets: written by scripts/generate.py"
NOTE = "What each gateway does not keep exactly, taken knowingly. `gwc support` says what still holds, and why."
_HEADINGS = {
    Fidelity.UNSUPPORTED: "not rendered: these routes go without, or answer 401 where it is a matter of trust",
    Fidelity.APPROXIMATE: "kept within the bound that `gwc support` states",
}
_INSTEAD = {
    "budget.cluster": "the limit per address holds on each gateway",
    "limits.cluster": "the limit per address holds on each gateway",
}
"""What guards a gateway that goes without a guard, as lint wants to know."""


def gateway(environment: str | None) -> Gateway:
    """The examples as they are in `environment`."""
    report = Report()
    found = compile_sources(read_policies(str(POLICIES), report), environment=environment, now=NOW, report=report)
    if found is None:
        raise SystemExit("\n".join(f"{d.span}: {d.message}" for d in report.diagnostics))
    return found


def inexact(target: Target) -> dict[str, Fidelity]:
    """The features that the examples use in any environment and `target` does not keep exactly; the worst promise."""
    found: dict[str, Fidelity] = {}
    for whole in map(gateway, ENVIRONMENTS):
        table = target.support(profile_of(target, whole))
        for name, feature in FEATURES.items():
            promises = {table.of(name, whole, use).fidelity for use in feature.uses(whole)} - {Fidelity.EXACT}
            if promises:
                worst = Fidelity.UNSUPPORTED if Fidelity.UNSUPPORTED in {found.get(name), *promises} else promises.pop()
                found[name] = worst
    return {name: found[name] for name in FEATURES if name in found}


def section() -> str:
    return "\n".join((START, f"# {NOTE}", "targets:", *_entries())) + "\n"


def _entries() -> Iterator[str]:
    for target in (one.target for one in load_targets(())):
        found = inexact(target)
        yield f"  {target.name}:"
        yield f"    profile: {profile_of(target, gateway(None))}"
        yield "    accept:" if found else "    accept: []"
        for fidelity, heading in _HEADINGS.items():
            names = [name for name, promise in found.items() if promise is fidelity]
            if names:
                yield f"      # {heading}"
                yield from (f"      - {name}{_reason(name, fidelity)}" for name in names)


def _reason(name: str, fidelity: Fidelity) -> str:
    known = name in _INSTEAD and fidelity is Fidelity.UNSUPPORTED
    return f"    # gwc: ignore[GWC456] {_INSTEAD[name]}" if known else ""


def platform_policy() -> str:
    """The text of policies/platform.yaml with the section as it should be."""
    written = (POLICIES / "platform.yaml").read_text(encoding="utf-8")
    return written.split(START)[0] + section()
