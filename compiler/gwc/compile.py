"""The pipeline: read, parse, validate, resolve, check what each target supports, emit, and add what watches it. One
type a stage, one direction.

Each stage puts what it finds into the Report; a later stage runs only when nothing before it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

from gwc.diagnostics import Report
from gwc.discovery import InstalledTarget, target_names
from gwc.document import Document, parse
from gwc.environments import check_environment
from gwc.ir import Gateway
from gwc.observability.metrics import FAMILIES, Family
from gwc.parts import made
from gwc.policy.variants import Loaded, quick_variants, service_of, under
from gwc.resolve import ReadPublic, read_beside, resolve
from gwc.source import Source
from gwc.suggest import did_you_mean
from gwc.support import SupportTable
from gwc.target import Artifact, Assembled, MeasuresInPart, OutputFile, Target, profile_of

if TYPE_CHECKING:
    from gwc.survey import Recall, Survey

Watching = Callable[[frozenset[Family]], Mapping[str, Assembled]]
"""Alert rules and dashboards for a gateway that serves these families."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one target makes of a Gateway."""

    installed: InstalledTarget
    table: SupportTable
    artifact: Artifact
    in_parts: bool
    """Whether files of the target itself have parts, which it judges as it makes them."""
    survey: Survey
    """What this target and those beside it do not keep exactly."""

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
    found = compiled(sources, environment=environment, now=now, report=report, read=read)
    return None if found is None else found.gateway


_Read = tuple[Document, Loaded]
"""A policy as it was written, and as it is in the environment of the run."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """Sources, what each of them is by itself, and what they mean together."""

    sources: Sequence[Source]
    policies: Sequence[_Read]
    gateway: Gateway

    @property
    def services(self) -> dict[str, Source]:
        """Where each service is written."""
        named = zip(self.sources, self.policies, strict=True)
        return {policy.service: source for source, (_, loaded) in named if (policy := service_of(loaded)) is not None}

    def shared(self, sources: Sequence[Source]) -> dict[str, _Read]:
        """The policies of services that `sources` hold, too, by their text; none where the platform's is another there.

        The platform's is never taken over: what it names is read beside it, and may be another there all the same."""
        there = {source.text: policy for source, policy in zip(self.sources, self.policies, strict=True)}
        others = [source for source in sources if source.text not in there]
        own = load_sources(others, environment=None, report=(apart := Report()))
        if apart.failed or any(service_of(policy) is None for policy in own):
            return {}
        held = {source.text: there[source.text] for source in sources if source.text in there}
        return {text: policy for text, policy in held.items() if service_of(policy[1]) is not None}


def compiled(
    sources: Sequence[Source],
    *,
    environment: str | None,
    now: date,
    report: Report,
    read: ReadPublic = read_beside,
    like: Compiled | None = None,
) -> Compiled | None:
    """As `compile_sources`. Services that are the same in `like`, which is of the same environment and under the same
    platform, are taken from there, as are the places where they are written."""
    known = {} if like is None else like.shared(sources)
    policies = _read(sources, environment, report, known)
    if report.failed:
        return None
    same = {policy.service for _, loaded in known.values() if (policy := service_of(loaded)) is not None}
    services = {s.name: s for s in like.gateway.services if s.name in same} if like is not None else {}
    valid = [loaded for _, loaded in policies]
    gateway = resolve(valid, environment=environment, now=now, report=report, read=read, services=services)
    return None if report.failed or gateway is None else Compiled(sources, policies, gateway)


def load_sources(sources: Sequence[Source], *, environment: str | None, report: Report) -> tuple[Loaded, ...]:
    """Sources -> those policies that are valid by themselves. Raises UnknownNameError."""
    return tuple(policy for _, policy in _read(sources, environment, report, {}))


def _read(
    sources: Sequence[Source], environment: str | None, report: Report, known: Mapping[str, _Read]
) -> tuple[_Read, ...]:
    """`known` has some by their text. The quick way where there is one."""
    quick = [(source, known.get(source.text) or _quickly(source, environment)) for source in sources]
    documents = [(parse(source, report) if found is None else found[0], found) for source, found in quick]
    if environment is not None and not report.failed:
        check_environment([document for document, _ in documents if document is not None], environment)
    return tuple(
        (document, policy)
        for document, found in documents
        if document is not None
        and (policy := _strictly(document, environment, report) if found is None else found[1]) is not None
    )


def _quickly(source: Source, environment: str | None) -> _Read | None:
    """Under other environments a policy has to be right, too; but that is all, so nobody keeps it."""
    variants = quick_variants(source)
    return None if variants is None else (variants[None].document, under(variants, environment))


def _strictly(document: Document, environment: str | None, report: Report) -> Loaded | None:
    """For what the quick way did not take: this one explains; and nothing is imported for it before."""
    from gwc.policy.load import load

    return load(document, environment, report)


def render(gateway: Gateway, targets: Sequence[InstalledTarget], report: Report) -> tuple[Rendered, ...] | None:
    """Gateway -> what each target makes of it, whole and judged; None after findings, for all targets when one fails.

    It holds all texts, so who only writes them takes them as they are `emitted`.
    """
    promised = emitted(gateway, targets, report)
    rendered = None if promised is None else tuple(_whole(one, report) for one in promised)
    return None if report.failed else rendered


def emitted(
    gateway: Gateway, targets: Sequence[InstalledTarget], report: Report, recall: Recall | None = None
) -> tuple[Rendered, ...] | None:
    """Gateway -> what each target makes of it, to be made piece by piece and then to be judged; None after findings."""
    from gwc.survey import objections, survey

    promised = tables(gateway, targets, report)
    found = survey(gateway, promised, recall)
    for table in promised:
        report.extend(objections(gateway, found, table))
    if report.failed:
        return None
    from gwc.observability import emit as observability

    dateless = replace(gateway, now=date.min)  # an output does not depend on the day that it was made on
    watching = cache(lambda served: observability.files(dateless, served))  # most targets serve all families
    return tuple(_emit(dateless, *pair, found, watching) for pair in zip(targets, promised, strict=True))


def judged(one: Rendered, fit: bool, report: Report) -> bool:
    """Whether the target's own judge has no objection; it is asked unless all parts were found `fit`."""
    if not (one.in_parts and fit):
        report.extend(one.installed.target.judge(one.artifact))
    return not report.failed


def _whole(one: Rendered, report: Report) -> Rendered:
    """What is judged needs no document beside its text any more, and that is most of the memory of a target."""
    texts = {path: [made(piece) for piece in file.pieces()] for path, file in one.artifact.files.items()}
    judged(one, all(piece.fit for pieces in texts.values() for piece in pieces), report)
    files = {
        path: OutputFile("".join(piece.text for piece in texts[path]), file.lines, file.executable)
        for path, file in one.artifact.files.items()
    }
    return replace(one, artifact=replace(one.artifact, files=files))


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
    gateway: Gateway, installed: InstalledTarget, table: SupportTable, found: Survey, watching: Watching
) -> Rendered:
    from gwc.record import NAME, record_file

    artifact = installed.target.emit(gateway, table.profile)
    description = record_file(installed.target.name, table.profile, gateway)
    beside = {**watching(_served(installed.target, table.profile)), NAME: description}
    assert not beside.keys() & artifact.files.keys(), "a target writes where what is the same for all belongs"
    in_parts = any(isinstance(file, Assembled) for file in artifact.files.values())
    return Rendered(installed, table, replace(artifact, files={**artifact.files, **beside}), in_parts, found)


def _served(target: Target, profile: str) -> frozenset[Family]:
    return target.families(profile) if isinstance(target, MeasuresInPart) else frozenset(FAMILIES)
