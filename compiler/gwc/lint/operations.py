"""What nobody notices until they are paged (GWC450 to GWC479)."""

from __future__ import annotations

from gwc.features import FEATURES
from gwc.ir import Gateway
from gwc.lint.context import Context
from gwc.lint.rule import Finding, Findings, GatewayRule, Rule
from gwc.resolve.bounds import unneeded_waivers
from gwc.support import Fidelity

SOON = 30
"""Days in which a team can be expected to react."""


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
            span = context.span(("waivers", index))
            yield Finding(span, subject, f"the bound {waiver.bound} is kept without this waiver", "remove it")


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
                    span = context.span(("targets", name, "accept", index))
                    message = f"{name} keeps `{feature}` exactly wherever it is used"
                    yield Finding(span, "", message, "remove it from the list")


RULES: tuple[type[Rule], ...] = (NoOwner, SampleEverything, WaiverEndsSoon, WaiverNobodyNeeds, AcceptedForNothing)
