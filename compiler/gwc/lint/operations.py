"""What nobody notices until they are paged (GWC450 to GWC479)."""

from __future__ import annotations

from gwc.ir import Gateway
from gwc.lint.rule import Finding, Findings, Rule


class NoOwner(Rule):
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


class SampleEverything(Rule):
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


RULES: tuple[type[Rule], ...] = (
    NoOwner,
    SampleEverything,
)
