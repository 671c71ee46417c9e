"""From policies to findings: every environment resolved, the rules run on each, suppressions applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from gwc.diagnostics import Report
from gwc.document import Document, parse
from gwc.environments import check_environment
from gwc.frozen import dataclass, field
from gwc.ir import Gateway, Route
from gwc.lint import about, lint, policies
from gwc.lint.code import CodeError
from gwc.lint.context import Context, context_of
from gwc.lint.rule import Rule
from gwc.lint.suppress import OWN_CODES, applied, suppressions, suppressions_in_code
from gwc.policy.shapes.platform import PLATFORM
from gwc.policy.variants import Loaded, Variants, platform_of, quick_variants, service_of, under
from gwc.resolve import ReadPublic, check_gateway, read_beside, resolve
from gwc.source import Source
from gwc.support import SupportTable

if TYPE_CHECKING:
    from gwc.lint.code.project import Module, ServiceCode

APART = frozenset({"upstream", "owner", "description", "hosts", "limits", "budget", "environments"})
"""Keys of a service that its routes are not made of."""
ALL = frozenset(PLATFORM) - {"defaults"}
OF_SERVICE = {key: (key,) for key in APART} | {"environments": ()}
"""Keys of a service, with the names under which rules meet what they say."""
OF_PLATFORM = {
    "concurrency": ("concurrency",),
    "description": ("description",),
    "environments": (),
    "limits": ("limits",),
    "listen": ("listen",),
    "owner": ("owner",),
    "targets": ("targets", "tables"),
    "tracing": ("tracing",),
    "trusted_proxies": ("trusted_proxies",),
    "waivers": ("waivers",),
}
"""And of the platform."""


def lint_sources(
    sources: Sequence[Source],
    rules: Sequence[type[Rule]] | None,
    *,
    environment: str | None,
    now: date,
    report: Report,
    read: ReadPublic = read_beside,
    whole: bool = True,
    code: str | None = None,
    hold: Callable[[object], object] = bool,
) -> tuple[Module, ...]:
    """Puts into `report` what is invalid or, where nothing is, what `rules` find; None: all of them.

    Without an `environment`: in the policies as they are and in every environment. `whole` as for `resolve`. `code` is
    the directory of the services' Python; returns what was read of it. `hold` is given what should outlive the call,
    where taking it apart would only take time. Raises UnknownNameError and CodeError.
    """
    variants = _variants(sources, environment, report)
    if report.failed:
        return ()
    loaded = [under(one, environment) for one in variants]
    services = _code(code, _services(loaded), whole) if code is not None else ()
    job = _Job(variants, now, report, read, whole, services)
    contexts = [c for name in _names(variants, environment) for c in job.context(name)]
    hold((job, contexts))
    modules = tuple(module for service in services for module in service.modules)
    if report.failed:
        return modules
    written = [s for policy in loaded for s in suppressions(policy.document)]
    written += [s for module in modules for s in suppressions_in_code(module)]
    every = policies.RULES if code is None and not written else _every_rule()
    asked = every if rules is None else rules
    known = {rule.code for rule in every} | OWN_CODES
    report.extend(applied(lint(contexts, asked), written, known, {rule.code for rule in asked}, now))
    return modules


def _every_rule() -> tuple[type[Rule], ...]:
    """Those about code, too: where none is looked at they find nothing, and a suppression may still name them."""
    from gwc.lint.registry import RULES

    return RULES


def _code(directory: str, names: tuple[str, ...], whole: bool) -> tuple[ServiceCode, ...]:
    from gwc.lint.code.project import read_services

    services = read_services(directory, names)
    if whole and not services:
        raise CodeError(f"{directory}: no folder with Python is named like a service ({', '.join(names[:5])})")
    return services


def _variants(sources: Sequence[Source], environment: str | None, report: Report) -> list[Variants]:
    """The quick way where there is one. What one policy lacks keeps no other one from being looked at."""
    quick = [(source, quick_variants(source)) for source in sources]
    read = [(parse(source, report) if known is None else known[None].document, known) for source, known in quick]
    if environment is not None and not report.failed:
        check_environment([document for document, _ in read if document is not None], environment)
    strict = (known or _strict(document, report) for document, known in read if document is not None)
    return [variants for variants in strict if variants is not None]


def _strict(document: Document, report: Report) -> Variants | None:
    from gwc.policy.load import load_variants

    return load_variants(document, report)


def _services(policies: Sequence[Loaded]) -> tuple[str, ...]:
    return tuple(policy.service for p in policies if (policy := service_of(p)) is not None)


def _names(variants: Sequence[Variants], environment: str | None) -> tuple[str | None, ...]:
    if environment is not None:
        return (environment,)
    return (None, *sorted({name for loaded in variants for name in loaded if name is not None}))


@dataclass(frozen=True, slots=True)
class _Job:
    variants: Sequence[Variants]
    now: date
    report: Report
    read: ReadPublic
    whole: bool
    services: tuple[ServiceCode, ...]
    routes: dict[str, tuple[Route, ...]] = field(default_factory=dict)
    """Of the policies as they are, by service."""

    def _same_routes(self, policies: Sequence[Loaded]) -> dict[str, tuple[Route, ...]]:
        """Of the services in whose `policies` an environment changes nothing that routes are made of."""
        pairs = [(under(loaded, None), other) for loaded, other in zip(self.variants, policies, strict=True)]
        if any(platform_of(plain) is not None and _differ(plain, other, ALL) for plain, other in pairs):
            return {}
        same = (service_of(plain) for plain, other in pairs if not _differ(plain, other, APART))
        known = (policy.service for policy in same if policy is not None)
        return {service: self.routes[service] for service in known if service in self.routes}

    def context(self, name: str | None) -> Iterator[Context]:
        """What the policies mean in the environment `name`."""
        policies = [under(loaded, name) for loaded in self.variants]
        changed = self._changed(policies)
        gateway = resolve(
            policies,
            environment=name,
            now=self.now,
            report=self.report,
            read=self.read,
            whole=self.whole,
            routes=self._same_routes(policies),
            checked=not about.may_differ(len(policies), changed, check_gateway),
        )
        if gateway is not None:
            self.routes.update((service.name, service.routes) for service in gateway.services if name is None)
            yield context_of(gateway, policies, _tables(gateway), self.services, changed)

    def _changed(self, policies: Sequence[Loaded]) -> frozenset[str] | None:
        """By the names of the Gateway, what differs from the policies as they are; None: anything may."""
        pairs = [(under(loaded, None), other) for loaded, other in zip(self.variants, policies, strict=True)]
        changed: set[str] = {"environment"}
        if not self.routes or all(plain is other for plain, other in pairs):
            return None
        for plain, other in pairs:
            known = OF_PLATFORM if platform_of(plain) is not None else OF_SERVICE
            keys = _differing(plain, other)
            if not keys <= known.keys():
                return None
            changed.update(name for key in keys for name in known[key])
        return frozenset(changed)


def _differ(plain: Loaded, other: Loaded, apart: frozenset[str]) -> bool:
    """Whether keys but those `apart` differ."""
    return not _differing(plain, other) <= apart


def _differing(plain: Loaded, other: Loaded) -> set[str]:
    """The keys whose values differ. Merging leaves what an environment does not mention as the same node."""
    before, after = plain.document.items, other.document.items
    return {key for key in before.keys() | after.keys() if before.get(key) is not after.get(key)}


def _tables(gateway: Gateway) -> dict[str, SupportTable]:
    """Of the targets that the platform names and that are installed; compiling complains of the others."""
    if not gateway.targets:
        return {}
    from gwc.discovery import load_targets, target_names
    from gwc.target import profile_of

    named = [name for name in gateway.targets if name in target_names()]
    targets = [installed.target for installed in load_targets(named)] if named else []
    known = [(target, profile_of(target, gateway)) for target in targets]
    return {target.name: target.support(profile) for target, profile in known if profile in target.profiles}
