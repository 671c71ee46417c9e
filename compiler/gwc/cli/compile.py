"""`gwc compile`: policies in, the configurations of every gateway out."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.guard import guarded, in_one_go, line_for_people, say
from gwc.cli.options import Environment, Format, NoCache, Now, Policies, ReportFormat, Targets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gwc.cli.build import Build
    from gwc.cli.job import Job
    from gwc.cli.output import Plan
    from gwc.ir import Gateway


class Emit(StrEnum):
    """What a run is for."""

    FILES = "files"
    IR = "ir"


@guarded
@in_one_go
def compile_command(
    target: Targets = [],  # noqa: B006  typer copies it
    policies: Policies = "policies",
    env: Environment = None,
    output: Annotated[str, typer.Option("--output", "-o", help="The build directory.", metavar="DIR")] = "build",
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if the build is stale.")] = False,
    emit: Annotated[Emit, typer.Option("--emit", help="files, or the resolved policies as JSON.")] = Emit.FILES,
    with_secrets: Annotated[bool, typer.Option("--with-secrets", help="Write the secret files as well.")] = False,
    now: Now = None,
    format: ReportFormat = Format.TEXT,
    no_cache: NoCache = False,  # noqa: ARG001  answers that are kept are given before anything else is imported
) -> ExitCode:
    """Compile the policies into build/<target>/."""
    _reject_contradictions(check, emit, with_secrets)
    from gwc.cli.job import Job, check_targets, parse_now

    check_targets(target)
    job = Job("compile", format)
    job.read(policies)
    gateway = job.resolve(env, parse_now(now))
    if emit is Emit.IR:
        return _print_ir(job, gateway)
    rendered = None if gateway is None else job.render(gateway, target)
    if gateway is None or rendered is None:
        return job.publish(job.outcome, "nothing written" if not check else "not compared")
    from gwc.cli.build import prepare

    build = prepare(output, gateway, job.inputs, rendered)
    return _compare(job, build) if check else _write(job, build, with_secrets)


def _reject_contradictions(check: bool, emit: Emit, with_secrets: bool) -> None:
    if check and with_secrets:
        raise CommandError(ExitCode.USAGE, "--check writes nothing, --with-secrets does", "leave one of them out")
    if emit is Emit.IR and (check or with_secrets):
        raise CommandError(
            ExitCode.USAGE, "--emit ir prints and writes no files", "leave --check and --with-secrets out"
        )


def _print_ir(job: Job, gateway: Gateway | None) -> ExitCode:
    """JSON on standard output and nothing else; findings go to standard error."""
    if job.report.diagnostics:
        job.publish(job.outcome, "", stream=sys.stderr)
    if gateway is not None:
        from gwc.ir_json import gateway_to_json

        sys.stdout.write(gateway_to_json(gateway))
    return job.outcome


def _compare(job: Job, build: Build) -> ExitCode:
    from gwc.cli.build import differences

    different = differences(build)
    code = ExitCode.FINDINGS if different else ExitCode.OK
    lines = [f"{build.directory / path}: {state}" for path, state in different]
    verdict = (
        f"{len(different)} of the build's files differ; run gwc compile" if different else "the build is up to date"
    )
    result = {"differences": [{"file": path, "state": state} for path, state in different]}
    if not different:
        _keep(job, build, verdict, result)
    return job.publish(code, "\n".join((*lines, verdict)), result)


def _keep(job: Job, build: Build, summary: str, result: Mapping[str, object], told: str = "") -> None:
    """For the next run, which finds everything as this one leaves it."""
    from gwc.cli import again
    from gwc.cli.build import note

    if again.wanted():
        note(build)
        again.keep(ExitCode.OK, job.told(ExitCode.OK, summary, result, sys.stdout), told)


def _write(job: Job, build: Build, with_secrets: bool) -> ExitCode:
    from gwc.cli.build import needed, settled, summary, write

    plan = write(build, with_secrets)
    lacking = tuple(needed(build))
    hints = [f"{line}; compile --with-secrets writes it" for line in lacking]
    for hint in hints:
        say(hint)
    done = settled(plan)
    _keep(job, build, summary(build, done), _outcome(build, done, lacking), "".join(map(line_for_people, hints)))
    return job.publish(ExitCode.OK, summary(build, plan), _outcome(build, plan, lacking))


def _outcome(build: Build, plan: Plan, lacking: Sequence[str]) -> dict[str, object]:
    return {
        "targets": [one.name for one in build.rendered],
        "written": list(plan.changed),
        "removed": list(plan.extra),
        "unchanged": plan.unchanged,
        "secrets_needed": list(lacking),
    }
