"""Policies -> the files of a gateway on this machine, judged by its engine; or what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from gwc.cli.build import Build, prepare, write
from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.job import Job
from gwc.cli.progress import progress
from gwc.cli.running import secrets
from gwc.cli.running.local import localised
from gwc.cli.running.tokens import DevIssuer
from gwc.cli.running.wanted import Wanted
from gwc.cli.secret_files import read_secret
from gwc.compile import Rendered
from gwc.diagnostics import Severity
from gwc.ir import Gateway
from gwc.report.requests import Places, places
from gwc.target import Binary, EngineMissingError


@dataclass(frozen=True, slots=True)
class Attempt:
    """One reading of the policies. Without `rendered` they cannot be served, and `job` says why."""

    job: Job
    gateway: Gateway | None
    rendered: Rendered | None
    binary: Binary | None
    remarks: tuple[str, ...] = ()
    made_up: Mapping[str, str] = field(default_factory=dict)

    @property
    def public(self) -> tuple[Path, ...]:
        """The public files that the policies name."""
        return tuple(source.directory / file for source in self.job.sources for file in self.job.public)

    @property
    def configuration(self) -> tuple[object, ...]:
        """All that a gateway reads; that of two attempts is the same when neither needs a reload after the other."""
        assert self.rendered is not None, "only what can be served has one"
        artifact = self.rendered.artifact
        files = {name: (file.text, file.executable) for name, file in artifact.files.items()}
        secrets = [(file.path, *map(read_secret, file.secrets)) for file in artifact.secrets]
        return artifact.profile, files, secrets

    @property
    def places(self) -> Places:
        """Where each thing that can refuse a request is written."""
        assert self.gateway is not None, "only what can be served has a log"
        return places(self.gateway)

    def put(self, directory: Path) -> Build:
        """Write the files below `directory`, all of them or none. Raises CommandError."""
        assert self.gateway is not None and self.rendered is not None, "only what can be served is written"
        build = prepare(str(directory), self.gateway, self.job.inputs, (self.rendered,))
        write(build, with_secrets=True)
        return build

    def warnings(self) -> int:
        return sum(d.severity is not Severity.ERROR for d in self.job.report.diagnostics)


def attempt(wanted: Wanted, issuer: DevIssuer | None) -> Attempt:
    """Read, compile and judge. Raises CommandError for what is wrong with this machine, and not with the policies."""
    job = Job("run")
    job.read(wanted.policies)
    gateway = job.resolve(wanted.environment, wanted.now)
    if gateway is None:
        return Attempt(job, None, None, None)
    local, remarks = localised(gateway if issuer is None else issuer.trusted_by(gateway), wanted)
    made_up = _provide_secrets(local, wanted)
    rendered = job.render(local, [wanted.target])
    if rendered is None:
        return Attempt(job, local, None, None)
    binary = _binary(rendered[0])
    tried = Attempt(job, local, rendered[0], binary, remarks, made_up)
    return tried if _accepted(tried, binary) else Attempt(job, local, None, binary)


def _provide_secrets(gateway: Gateway, wanted: Wanted) -> dict[str, str]:
    """What is made up stays for the whole run: a service may have started with it."""
    made_up = secrets.throw_away(secrets.missing(gateway)) if wanted.dev_secrets else {}
    secrets.provide(made_up)
    secrets.check_there(secrets.missing(gateway), made_up=wanted.dev_secrets)
    return made_up


def _binary(one: Rendered) -> Binary:
    try:
        return one.installed.target.engine.find(one.artifact.profile)
    except EngineMissingError as error:
        raise CommandError(ExitCode.ENVIRONMENT, str(error), _ELSEWHERE.get(one.name, "")) from error


_ELSEWHERE = {"kong": "the same policies run on Envoy and NGINX, which come with gwc: gwc run -t envoy"}


def _accepted(tried: Attempt, binary: Binary) -> bool:
    assert tried.rendered is not None
    one = tried.rendered
    with TemporaryDirectory(prefix="gwc-judge-") as scratch, progress(f"{one.name} judges"):
        directory = tried.put(Path(scratch)).directory / one.name
        complaints = one.installed.target.engine.verify(binary, directory, one.artifact)
    tried.job.report.extend(complaints)
    return not complaints
