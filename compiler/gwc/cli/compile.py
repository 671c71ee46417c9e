"""`gwc compile`: policies in, the configurations of every gateway out."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.guard import guarded, in_one_go, line_for_people, say
from gwc.cli.options import Environment, Format, NoCache, Now, Policies, ReportFormat, Targets
from gwc.cli.progress import progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gwc.cli.build import Build, Finished
    from gwc.cli.job import Job
    from gwc.cli.kept import Facts, Kept
    from gwc.cli.output import Plan
    from gwc.discovery import InstalledTarget
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
    no_cache: NoCache = False,
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
    if gateway is None:
        return _refused(job, check)
    kept = None if no_cache else _kept(job, env, target, output)
    rendered = job.emit(gateway, target, kept)
    if rendered is None:
        return _refused(job, check)
    from gwc.cli.build import RefusedError, prepare
    from gwc.cli.turns import turn

    with turn(Path(output), writing=not check):
        build = prepare(output, gateway, job.inputs, rendered, kept)
        try:
            return _compare(job, build) if check else _write(job, build, with_secrets)
        except RefusedError:
            return _refused(job, check)


def _refused(job: Job, check: bool) -> ExitCode:
    return job.publish(job.outcome, "not compared" if check else "nothing written")


def _kept(job: Job, environment: str | None, targets: Sequence[str], directory: str) -> Kept | None:
    from gwc.cli.kept import recall
    from gwc.discovery import load_targets

    return recall(Path(directory), _facts(job, environment, load_targets(targets)))


def _facts(job: Job, environment: str | None, targets: Sequence[InstalledTarget]) -> Facts:
    """Names as this run was given them: alert rules say in which file of the policies something stands."""
    from gwc.cli.build import libraries, packages
    from gwc.cli.kept import Facts

    own = {source.name for source in job.services.values()}
    # Two kinds: what one policy calls a file may be the name of another policy, as this run was given it.
    shared = {f"file {name}": text for name, text in job.public.items()}
    shared |= {f"policy {name}": text for name, text in job.texts.items() if name not in own}
    texts = {name: f"{source.name}\n{source.text}" for name, source in job.services.items()}
    return Facts(environment, shared, texts, packages(targets), libraries(targets))


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

    with progress("comparing"):
        different, done = differences(build, job.judged)
    code = ExitCode.FINDINGS if different else ExitCode.OK
    lines = [f"{build.directory / path}: {state}" for path, state in different]
    verdict = (
        f"{len(different)} of the build's files differ; run gwc compile" if different else "the build is up to date"
    )
    result = {"differences": [{"file": path, "state": state} for path, state in different]}
    if not different:
        _keep(job, build, done, verdict, result)
    return job.publish(code, "\n".join((*lines, verdict)), result)


def _keep(job: Job, build: Build, done: Finished, summary: str, result: Mapping[str, object], told: str = "") -> None:
    """For the next run, which finds everything as this one leaves it."""
    from gwc.cli import again
    from gwc.cli.build import note

    if again.wanted():
        note(build, done)
        again.keep(ExitCode.OK, job.told(ExitCode.OK, summary, result, sys.stdout), told)


def _write(job: Job, build: Build, with_secrets: bool) -> ExitCode:
    from gwc.cli.build import needed, summary, write

    with progress("writing"):
        done = write(build, with_secrets, job.judged)
    lacking = tuple(needed(build))
    hints = [f"{line}; compile --with-secrets writes it" for line in lacking]
    for hint in hints:
        say(hint)
    left = done.settled
    _keep(job, build, done, summary(build, left), _outcome(build, left, lacking), "".join(map(line_for_people, hints)))
    return job.publish(ExitCode.OK, summary(build, done.plan), _outcome(build, done.plan, lacking))


def _outcome(build: Build, plan: Plan, lacking: Sequence[str]) -> dict[str, object]:
    return {
        "targets": [one.name for one in build.rendered],
        "written": list(plan.changed),
        "removed": list(plan.extra),
        "unchanged": plan.unchanged,
        "secrets_needed": list(lacking),
    }
