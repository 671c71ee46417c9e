"""From policies to findings: every environment resolved, the rules run on each, suppressions applied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from gwc.compile import load_sources
from gwc.diagnostics import Report
from gwc.discovery import load_targets, target_names
from gwc.ir import Gateway
from gwc.lint import lint
from gwc.lint.code.project import Module, ServiceCode, read_services
from gwc.lint.context import Context, context_of
from gwc.lint.registry import RULES
from gwc.lint.rule import Rule
from gwc.lint.suppress import OWN_CODES, applied, suppressions, suppressions_in_code
from gwc.policy import Loaded, PlatformPolicy, ServicePolicy
from gwc.policy.load import environments
from gwc.resolve import ReadPublic, read_beside, resolve
from gwc.source import Source
from gwc.support import SupportTable
from gwc.target import profile_of


def lint_sources(
    sources: Sequence[Source],
    rules: Sequence[type[Rule]],
    *,
    environment: str | None,
    now: date,
    report: Report,
    read: ReadPublic = read_beside,
    whole: bool = True,
    code: str | None = None,
) -> tuple[Module, ...]:
    """Puts into `report` what is invalid or, where nothing is, what `rules` find.

    Without an `environment`: in the policies as they are and in every environment. `whole` as for `resolve`. `code` is
    the directory of the services' Python; returns what was read of it. Raises UnknownEnvironmentError and CodeError.
    """
    policies = load_sources(sources, environment=environment, report=report)
    if report.failed:
        return ()
    services = read_services(code, _services(policies)) if code is not None else ()
    job = _Job(sources, now, report, read, whole, services)
    contexts = [c for name in _names(policies, environment) for c in job.context(policies, name)]
    modules = tuple(module for service in services for module in service.modules)
    if report.failed:
        return modules
    written = [s for policy in policies for s in suppressions(policy.document)]
    written += [s for module in modules for s in suppressions_in_code(module)]
    known = {rule.code for rule in RULES} | OWN_CODES
    report.extend(applied(lint(contexts, rules), written, known, {rule.code for rule in rules}, now))
    return modules


def _services(policies: Sequence[Loaded]) -> tuple[str, ...]:
    return tuple(p.policy.service for p in policies if isinstance(p.policy, ServicePolicy))


def _names(policies: Sequence[Loaded], environment: str | None) -> tuple[str | None, ...]:
    if environment is not None:
        return (environment,)
    return (None, *sorted({name for policy in policies for name in environments(policy.document)}))


@dataclass(frozen=True, slots=True)
class _Job:
    sources: Sequence[Source]
    now: date
    report: Report
    read: ReadPublic
    whole: bool
    services: tuple[ServiceCode, ...]

    def context(self, plain: Sequence[Loaded], name: str | None) -> Iterator[Context]:
        """What the policies mean in the environment `name`; `plain` are those without one."""
        policies = plain if name is None else load_sources(self.sources, environment=name, report=self.report)
        gateway = resolve(
            policies, environment=name, now=self.now, report=self.report, read=self.read, whole=self.whole
        )
        platform = next((p for p in policies if isinstance(p.policy, PlatformPolicy)), None)
        if gateway is not None and platform is not None:
            yield context_of(gateway, platform, _tables(gateway), self.services)


def _tables(gateway: Gateway) -> dict[str, SupportTable]:
    """Of the targets that the platform names and that are installed; compiling complains of the others."""
    named = [name for name in gateway.targets if name in target_names()]
    targets = [installed.target for installed in load_targets(named)] if named else []
    known = [(target, profile_of(target, gateway)) for target in targets]
    return {target.name: target.support(profile) for target, profile in known if profile in target.profiles}
