"""The pipeline: read, parse, validate, resolve, check what each target supports, emit, and add what watches it. One
type a stage, one direction.

Each stage puts what it finds into the Report; a later stage runs only when nothing before it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

from gwc.diagnostics import Report
from gwc.discovery import InstalledTarget, target_names
from gwc.document import parse
from gwc.environments import check_environment
from gwc.ir import Gateway
from gwc.observability import emit as observability
from gwc.observability.metrics import FAMILIES, Family
from gwc.policy.load import Loaded, load
from gwc.record import NAME as RECORD
from gwc.record import described, record_text
from gwc.resolve import ReadPublic, read_beside, resolve
from gwc.source import Source
from gwc.suggest import did_you_mean
from gwc.support import SupportTable, check
from gwc.target import Artifact, MeasuresInPart, OutputFile, Target, profile_of

Watching = Callable[[frozenset[Family]], Mapping[str, OutputFile]]
"""Alert rules and dashboards for a gateway that serves these families."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one target makes of a Gateway."""

    installed: InstalledTarget
    table: SupportTable
    artifact: Artifact

    @property
    def name(self) -> str:
        return self.installed.target.name


def compile_sources(
    sources: Sequence[Source],
    *,
    environment: str | None,
    now: date,
    report: Report,
    read: ReadPublic = read_beside,
) -> Gateway | None:
    """Sources -> Gateway, or None after findings. `read` gives the public files that policies name.

    Raises UnknownNameError.
    """
    policies = load_sources(sources, environment=environment, report=report)
    if report.failed:
        return None
    gateway = resolve(policies, environment=environment, now=now, report=report, read=read)
    return None if report.failed else gateway


def load_sources(sources: Sequence[Source], *, environment: str | None, report: Report) -> tuple[Loaded, ...]:
    """Sources -> those policies that are valid by themselves. Raises UnknownNameError."""
    documents = [document for source in sources if (document := parse(source, report)) is not None]
    if environment is not None and not report.failed:
        check_environment(documents, environment)
    return tuple(policy for document in documents if (policy := load(document, environment, report)) is not None)


def render(gateway: Gateway, targets: Sequence[InstalledTarget], report: Report) -> tuple[Rendered, ...] | None:
    """Gateway -> what each target makes of it; None after findings, for all targets when one of them fails."""
    promised = tables(gateway, targets, report)
    for table in promised:
        report.extend(check(gateway, table))
    if report.failed:
        return None
    watching = cache(lambda served: observability.files(gateway, served))  # most targets serve all families
    record = described(gateway)
    rendered = tuple(_emit(gateway, *pair, watching, record) for pair in zip(targets, promised, strict=True))
    for one in rendered:
        report.extend(one.installed.target.judge(one.artifact))
    return None if report.failed else rendered


def tables(gateway: Gateway, targets: Sequence[InstalledTarget], report: Report) -> tuple[SupportTable, ...]:
    """What each target promises in the profile that the platform chose for it; a finding where it has none such."""
    _check_names(gateway, report)
    return tuple(table for one in targets if (table := _table(one.target, gateway, report)) is not None)


def _check_names(gateway: Gateway, report: Report) -> None:
    # A misspelt name would silently leave its target at the defaults.
    for name in gateway.targets.keys() - set(target_names()):
        hint = did_you_mean(name, target_names()) or f"installed are {', '.join(target_names())}"
        report.error("GWC606", gateway.provenance["targets"].span, f"no target `{name}` is installed", hint=hint)


def _table(target: Target, gateway: Gateway, report: Report) -> SupportTable | None:
    profile = profile_of(target, gateway)
    if profile in target.profiles:
        return target.support(profile)
    options = gateway.targets[target.name]
    report.error(
        "GWC605",
        options.provenance["profile"].span,
        f"{target.name} has no profile `{profile}`",
        hint=did_you_mean(profile, target.profiles) or f"its profiles are {', '.join(target.profiles)}",
    )
    return None


def _emit(
    gateway: Gateway, installed: InstalledTarget, table: SupportTable, watching: Watching, record: str
) -> Rendered:
    artifact = installed.target.emit(gateway, table.profile)
    description = OutputFile(record_text(installed.target.name, table.profile, record), {})
    beside = {**watching(_served(installed.target, table.profile)), RECORD: description}
    assert not beside.keys() & artifact.files.keys(), "a target writes where what is the same for all belongs"
    return Rendered(installed, table, replace(artifact, files={**artifact.files, **beside}))


def _served(target: Target, profile: str) -> frozenset[Family]:
    return target.families(profile) if isinstance(target, MeasuresInPart) else frozenset(FAMILIES)
