"""An explanation with what the targets have to say: what they do not keep, and the lines that they render."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gwc.cli.job import Job
from gwc.cli.progress import progress
from gwc.compile import Rendered, render
from gwc.diagnostics import Severity
from gwc.discovery import load_targets
from gwc.explain.asked import Asked
from gwc.explain.explanation import Answer, Explanation, Rendering, explain
from gwc.explain.lines import Texts, Tracing, without_route
from gwc.explain.promises import inexact_for
from gwc.explain.values import rows
from gwc.ir import Gateway, Service
from gwc.target import profile_of

MOST_SERVICES = 20
"""Of a gateway that is rendered whole, again and again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked about. Without `targets` the promises of all are told, and no lines."""

    asked: Asked
    user: str | None
    targets: tuple[str, ...]


def explained(job: Job, gateway: Gateway, wanted: Wanted) -> Explanation:
    """What a target cannot express goes into the job's report, and that target renders nothing."""
    said = explain(gateway, wanted.asked, wanted.user)
    if said.found.route is None or said.answer is None:
        return said
    service, route = said.found.route.service, said.found.route.route
    tables = [
        one.target.support(profile)
        for one in load_targets(wanted.targets)
        if (profile := profile_of(one.target, gateway)) in one.target.profiles
    ]
    inexact = tuple(one for table in tables for one in inexact_for(gateway, service, route, table))
    shown = _slice(gateway, service)
    without = without_route(shown, service.name, route.name)
    answer = replace(said.answer, rows=rows(shown, service.name, route.name))
    renderings = tuple(_renderings(job, shown, without, wanted.targets, answer))
    return replace(said, inexact=inexact, renderings=renderings, sliced=shown is not gateway)


def _slice(gateway: Gateway, service: Service) -> Gateway:
    """The gateway, or of a large one what the platform and this service are: every value costs a rendering."""
    return gateway if len(gateway.services) <= MOST_SERVICES else replace(gateway, services=(service,))


def _renderings(
    job: Job, gateway: Gateway, without: Gateway, targets: Sequence[str], answer: Answer
) -> Iterator[Rendering]:
    for name in dict.fromkeys(targets):
        report = type(job.report)()
        rendered = render(gateway, load_targets([name]), report)
        job.report.extend(d for d in report.diagnostics if d.severity is Severity.ERROR)
        if rendered is not None:
            with progress(f"changing each value and rendering for {name} again"):
                yield _rendering(gateway, without, rendered[0], answer)


def _rendering(gateway: Gateway, without: Gateway, one: Rendered, answer: Answer) -> Rendering:
    def files(of: Gateway) -> Texts:
        artifact = one.installed.target.emit(of, one.artifact.profile)
        return {f"{one.name}/{path}": file.text for path, file in artifact.files.items()}

    tracing = Tracing(gateway, files, without)
    valued = [(row, [leaf for leaf in row.leaves if leaf.value not in (None, ())]) for row in answer.rows]
    lines = tuple((row, tracing.lines(some)) for row, some in valued if some)
    return Rendering(one.name, tracing.files, lines)
