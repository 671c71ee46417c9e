"""`gwc verify`: the real engines judge what gwc emits, in a directory that is gone afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from gwc.cli.exits import ExitCode
from gwc.cli.guard import guarded, in_one_go, say
from gwc.cli.options import Environment, Format, Now, Policies, ReportFormat, Targets
from gwc.cli.progress import progress

if TYPE_CHECKING:
    from gwc.cli.build import Build
    from gwc.cli.job import Job
    from gwc.compile import Rendered
    from gwc.ir import Secret


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one target. `judged_by` is None when nothing could judge it, and `missing` says why."""

    target: str
    profile: str
    judged_by: str | None
    accepted: bool
    missing: str | None = None

    @property
    def line(self) -> str:
        if self.judged_by is None:
            return f"{self.target} ({self.profile}): not judged"
        return f"{self.target} ({self.profile}): {'accepted' if self.accepted else 'refused'} by {self.judged_by}"


@guarded
@in_one_go
def verify_command(
    target: Targets = [],  # noqa: B006  typer copies it
    policies: Policies = "policies",
    env: Environment = None,
    now: Now = None,
    format: ReportFormat = Format.TEXT,
) -> ExitCode:
    """Let the real gateways judge the compiled policies."""
    from gwc.cli.build import prepare
    from gwc.cli.job import Job, check_targets, parse_now

    check_targets(target)
    job = Job("verify", format)
    job.read(policies)
    gateway = job.resolve(env, parse_now(now))
    rendered = None if gateway is None else job.render(gateway, target)
    if gateway is None or rendered is None:
        return job.publish(job.outcome, "nothing judged")
    with TemporaryDirectory(prefix="gwc-verify-") as directory:
        verdicts = _verify(job, prepare(directory, gateway, job.inputs, rendered))
    return _publish(job, verdicts)


def _verify(job: Job, build: Build) -> list[Verdict]:
    from gwc.cli.build import write

    write(build, with_secrets=False)
    verdicts = []
    for one in build.rendered:
        _write_placeholders(one, build.directory / one.name)
        with progress(f"{one.name} judges"):
            verdicts.append(_judge(job, one, build.directory / one.name))
    return verdicts


def _judge(job: Job, one: Rendered, directory: Path) -> Verdict:
    from gwc.target import EngineMissingError

    engine, profile = one.installed.target.engine, one.artifact.profile
    try:
        binary = engine.find(profile)
    except EngineMissingError as error:
        return _unjudged(one, str(error))
    complaints = engine.verify(binary, directory, one.artifact)
    job.report.extend(complaints)
    return Verdict(one.name, profile, f"{one.name} {binary.version}", not complaints)


def _unjudged(one: Rendered, missing: str) -> Verdict:
    from gwc.target import JudgesOffline

    target = one.installed.target
    offline = f"{target.offline_judge} alone" if isinstance(target, JudgesOffline) else None
    return Verdict(one.name, one.artifact.profile, offline, accepted=offline is not None, missing=missing)


def _publish(job: Job, verdicts: Sequence[Verdict]) -> ExitCode:
    for verdict in verdicts:
        if verdict.missing is not None:
            say(f"{verdict.target}: NO ENGINE HAS JUDGED THIS: {verdict.missing}")
    code = job.outcome
    if code is ExitCode.OK and any(verdict.judged_by is None for verdict in verdicts):
        code = ExitCode.ENVIRONMENT
    return job.publish(code, "\n".join(v.line for v in verdicts), {"verdicts": [asdict(v) for v in verdicts]})


def _write_placeholders(one: Rendered, directory: Path) -> None:
    """Secret files with made-up values: the engine's check wants the files, not the secrets."""
    for output in one.artifact.secrets:
        path = directory / output.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(output.render(tuple(map(_placeholder, output.secrets))), encoding="utf-8")


def _placeholder(secret: Secret) -> str:
    # Different for different secrets: two equal API keys are an error to some engines.
    return "placeholder-" + sha256(f"{secret.source}:{secret.name}".encode()).hexdigest()[:32]
