"""What nobody notices until they are paged (GWC450 to GWC479)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gwc.diagnostics import Related
from gwc.features import FEATURES, Use
from gwc.ir import Gateway, Route
from gwc.lint.context import Context
from gwc.lint.mending import without_item
from gwc.lint.rule import Finding, Findings, GatewayRule, Rule
from gwc.resolve.bounds import unneeded_waivers
from gwc.support import Fidelity, SupportTable

SOON = 30
"""Days in which a team can be expected to react."""
GUARDS = frozenset(
    {"budget", "budget.cluster", "concurrency", "cors", "identity.gateway_secret", "identity.user_header",
     "limits.cluster", "limits.header", "limits.ip", "limits.service", "limits.user", "listen.https",
     "listen.https.redirect", "max_body", "trusted_proxies"}
)  # fmt: skip
"""Features without which requests pass that a policy refuses. Without those of `auth` nobody passes."""


class NoOwner(GatewayRule):
    """Nobody is paged.

    ## What it does
    Looks for services without `owner`.

    ## Why is this bad?
    The owner is in every alert, in the diff before a rollout and on the dashboard. Without one the alert at night goes
    to whoever is on duty for everything, and a breaking change is announced to nobody.

    ## Example
    ```yaml
    # policies/shop.yaml
    owner: ""
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    owner: team-shop
    ```
    """

    code, name = "GWC450", "no-owner"

    def check(self, gateway: Gateway) -> Findings:
        for service in gateway.services:
            if not service.owner:
                yield Finding(
                    service.provenance["name"].span,
                    service.name,
                    "no owner",
                    "write owner: with the team that is paged",
                )


class SampleEverything(GatewayRule):
    """Every request is traced.

    ## What it does
    Looks for `tracing.sample: 100%`.

    ## Why is this bad?
    Each request costs a span in the gateway and several in the service, stored and paid for. During a flood the
    collector falls over first, when it is needed.

    ## Example
    ```yaml
    # policies/platform.yaml
    tracing: {otlp: "http://127.0.0.1:4318", sample: 100%}
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    tracing: {otlp: "http://127.0.0.1:4318", sample: 10%}
    ```
    """

    code, name = "GWC451", "sample-everything"

    def check(self, gateway: Gateway) -> Findings:
        if gateway.tracing and gateway.tracing.sample >= 1:
            yield Finding(
                gateway.tracing.provenance["sample"].span,
                "",
                "every request is traced",
                "write sample: 10%, or less under much traffic",
            )


class WaiverEndsSoon(Rule):
    """A compile that will fail on a day that is known.

    ## What it does
    Looks for waivers that end within thirty days.

    ## Why is this bad?
    An expired waiver is an error. The day after, no service behind this gateway can be compiled, least of all in the
    middle of an incident that needs a change.

    ## Example
    ```yaml
    # policies/platform.yaml
    bounds: {timeouts.request: {max: 10s}}
    waivers: [{service: shop, bound: timeouts.request, reason: a slow report, until: 2026-12-01}]
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    bounds: {timeouts.request: {max: 10s}}
    waivers: [{service: shop, bound: timeouts.request, reason: a slow report, until: 2027-06-30}]
    ```
    """

    code, name = "GWC452", "waiver-ends-soon"

    def findings(self, context: Context) -> Findings:
        for index, waiver in enumerate(context.platform.waivers):
            left = (waiver.until - context.gateway.now).days
            if 0 <= left <= SOON:
                yield Finding(
                    context.span(("waivers", index, "until")),
                    waiver.service,
                    f"the waiver of {waiver.bound} ends in {left} days; every compile fails from then on",
                    "meet the bound, or renew the waiver while there is time",
                )


class WaiverNobodyNeeds(Rule):
    """An excuse that is not needed any more.

    ## What it does
    Looks for waivers whose service, or route, keeps the bound in every environment.

    ## Why is this bad?
    A waiver is a hole in a bound. When the service has long been mended, the hole waits for the next change that needs
    it, which then passes without anybody having decided so.

    ## Example
    ```yaml
    # policies/platform.yaml
    bounds: {timeouts.request: {max: 60s}}
    waivers: [{service: shop, bound: timeouts.request, reason: a slow report, until: 2027-06-30}]
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    bounds: {timeouts.request: {max: 60s}}
    ```
    """

    code, name, everywhere = "GWC453", "waiver-nobody-needs", True

    def findings(self, context: Context) -> Findings:
        platform = context.platform
        for index in unneeded_waivers(context.gateway, platform.bounds, platform.waivers):
            waiver = platform.waivers[index]
            subject = f"{waiver.service}/{waiver.route}" if waiver.route else waiver.service
            path = ("waivers", index)
            message = f"the bound {waiver.bound} is kept without this waiver"
            fix = without_item(context.document, path)
            yield Finding(context.span(path), subject, message, "remove it", (), fix)


class AcceptedForNothing(Rule):
    """A deviation is accepted that does not exist.

    ## What it does
    Looks for entries of `targets.<name>.accept` that the target keeps exactly, or that no policy uses.

    ## Why is this bad?
    An entry silences the compiler. The next policy that uses the feature gets its deviation without a word, and the
    list no longer tells which ones the platform lives with.

    ## Example
    ```yaml
    # policies/platform.yaml
    targets: {nginx: {profile: njs, accept: [retries.per_try]}}
    ```
    ```yaml
    # policies/shop.yaml
    retries: none
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    targets: {nginx: {profile: njs}}
    ```
    ```yaml
    # policies/shop.yaml
    retries: none
    ```
    """

    code, name, everywhere = "GWC454", "accepted-for-nothing", True

    def findings(self, context: Context) -> Findings:
        for name, table in context.tables.items():
            for index, feature in enumerate(context.gateway.targets[name].accept):
                uses = FEATURES[feature].uses(context.gateway)
                kept = (table.of(feature, context.gateway, use).fidelity is Fidelity.EXACT for use in uses)
                if all(kept):
                    path = ("targets", name, "accept", index)
                    message = f"{name} keeps `{feature}` exactly wherever it is used"
                    fix = without_item(context.document, path)
                    yield Finding(context.span(path), "", message, "remove it from the list", (), fix)


class NamesTooAlike(GatewayRule):
    """Two routes are one line on the dashboard.

    ## What it does
    Looks for routes of a service whose names differ in `-` and `_` alone.

    ## Why is this bad?
    Names are the labels of metrics. Several systems that metrics are sent on to write `-` and `_` as the same
    character: the two routes become one series, and an alert is about neither of them.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: get-note, path: /notes, methods: [GET]}
      - {name: get_note, path: "/notes/{id}", methods: [GET]}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: list-notes, path: /notes, methods: [GET]}
      - {name: get-note, path: "/notes/{id}", methods: [GET]}
    ```

    ## References
    - [OpenTelemetry: names for Prometheus](https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/)
    """

    code, name = "GWC455", "names-too-alike"

    def check(self, gateway: Gateway) -> Findings:
        for service in gateway.services:
            if len({route.name.replace("-", "_") for route in service.routes}) == len(service.routes):
                continue
            seen: dict[str, Route] = {}
            for route in service.routes:
                first = seen.setdefault(route.name.replace("-", "_"), route)
                if first is not route:
                    yield Finding(
                        route.provenance["name"].span,
                        f"{service.name}/{route.name}",
                        f"its metrics are taken for those of `{first.name}` where - and _ are the same",
                        "give one of them another name",
                        (Related(first.provenance["name"].span, "the other"),),
                    )


class GuardGivenUp(Rule):
    """A gateway runs without a guard that the policy writes.

    ## What it does
    Looks for entries of `targets.<name>.accept` that are guards (limits, budgets, caps, sizes, origins, encryption,
    trusted proxies), that a policy uses and that this target does not render at all.

    ## Why is this bad?
    The policy says that the limit is there, and on one of the gateways it is not. Whoever is paged reads the policy.
    Where something else guards that gateway, a suppression says what.

    ## Example
    ```yaml
    # policies/platform.yaml
    rate_limit_store: {redis: "redis://127.0.0.1:6379"}
    targets: {nginx: {profile: njs, accept: [limits.cluster]}}
    ```
    ```yaml
    # policies/shop.yaml
    limits: [{per: user, rate: 60/min, burst: 10, scope: cluster}]
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    targets: {nginx: {profile: njs}}
    ```
    ```yaml
    # policies/shop.yaml
    limits: [{per: user, rate: 60/min, burst: 10}]
    ```
    """

    code, name = "GWC456", "guard-given-up"

    def findings(self, context: Context) -> Findings:
        for name, table in context.tables.items():
            for index, feature in enumerate(context.gateway.targets[name].accept):
                lost = tuple(_lost(feature, table, context.gateway)) if feature in GUARDS else ()
                if lost:
                    yield Finding(
                        context.span(("targets", name, "accept", index)),
                        "",
                        f"{name} leaves `{feature}` out of {_subjects(lost)}, which relies on it",
                        "change the policy to what this gateway can do, or suppress this with what guards it instead",
                        (Related(lost[0].span, "a guard that is not there"),),
                    )


def _lost(feature: str, table: SupportTable, gateway: Gateway) -> Iterator[Use]:
    for use in FEATURES[feature].uses(gateway):
        if table.of(feature, gateway, use).fidelity is Fidelity.UNSUPPORTED:
            yield use


def _subjects(uses: Sequence[Use]) -> str:
    names = list(dict.fromkeys(use.subject for use in uses))
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


RULES: tuple[type[Rule], ...] = (
    NoOwner,
    SampleEverything,
    WaiverEndsSoon,
    WaiverNobodyNeeds,
    AcceptedForNothing,
    NamesTooAlike,
    GuardGivenUp,
)
