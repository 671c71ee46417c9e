"""Routes that let in whom they should not (GWC400 to GWC409)."""

from __future__ import annotations

from gwc.credentials import looks_like_credential
from gwc.diagnostics import Related, Severity
from gwc.ir import Gateway, HeaderChanges
from gwc.lint.concerned import fitting, open_ended, public
from gwc.lint.perimeter import plain_abroad
from gwc.lint.rule import Finding, Findings, GatewayRule, Rule
from gwc.units import format_size

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LARGE_BODY = 100 * 2**20


class PublicWrite(GatewayRule):
    """Anybody may change something.

    ## What it does
    Looks for `auth: none` on routes with POST, PUT, PATCH or DELETE.

    ## Why is this bad?
    A public route that writes is either a sign-in, which has to be limited hard, or a mistake: `auth: none` that was
    meant for the page and reached the form.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: comment, path: /comments, methods: [POST], auth: none}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: comment, path: /comments, methods: [POST]}
    ```
    A sign-in is public by nature; a limit of its own is what it needs:
    ```yaml
    # policies/other.yaml
    routes:
      - {name: sign-in, path: /sign-in, methods: [POST], auth: none, limits: [{per: ip, rate: 10/min, burst: 5}]}
    ```

    ## References
    - [OWASP API5:2023, broken function level authorization](https://owasp.org/API-Security/editions/2023/en/0xa5-broken-function-level-authorization/)
    """

    code, name = "GWC400", "public-write"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in public(gateway):
            writes = sorted(set(route.methods) - SAFE)
            if writes and not any(not limit.shadow for limit in route.limits):
                yield Finding(
                    route.provenance["auth"].span,
                    subject,
                    f"anybody may {', '.join(writes)} {route.path.text}, as often as the service's limits admit",
                    "ask for credentials, or write a limit of its own: limits: [{per: ip, rate: 10/min, burst: 5}]",
                    (Related(route.provenance["methods"].span, "what it does"),),
                )


class PublicRest(GatewayRule):
    """Everything below a path is public.

    ## What it does
    Looks for `auth: none` on a path that ends in `/**`.

    ## Why is this bad?
    The rest of a path is whatever the service will ever serve there. The day somebody adds `/v1/admin` it is public,
    and no policy changed that a reviewer could have seen.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: all, path: /v1/**, methods: [GET], auth: none}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: catalogue, path: /v1/catalogue, methods: [GET], auth: none}
      - {name: all, path: /v1/**, methods: [GET]}
    ```

    ## References
    - [OWASP API9:2023, improper inventory management](https://owasp.org/API-Security/editions/2023/en/0xa9-improper-inventory-management/)
    """

    code, name = "GWC401", "public-rest"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in open_ended(gateway):
            if route.auth is None and not route.cache:
                yield Finding(
                    route.provenance["path"].span,
                    subject,
                    f"whatever the service will ever serve below {route.path.text} is public",
                    "name the public paths, and ask for credentials for the rest",
                )


class EveryOrigin(GatewayRule):
    """Any web page may call a route that knows its users.

    ## What it does
    Looks for `cors.origins: ["*"]` on routes that ask for credentials.

    ## Why is this bad?
    With `*` any page in the user's browser may read the answers, if it can get hold of a token or a key; and an
    internal gateway becomes reachable from the internet through the browsers of those inside.

    ## Example
    ```yaml
    # policies/shop.yaml
    cors: {origins: ["*"], methods: [GET]}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    cors: {origins: ["https://app.example.com"], methods: [GET]}
    ```

    ## References
    - [Exploiting CORS misconfigurations](https://portswigger.net/research/exploiting-cors-misconfigurations-for-bitcoins-and-bounties)
    """

    code, name = "GWC402", "every-origin"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in fitting(gateway, "cors", fits=lambda cors: "*" in cors.origins):
            if route.cors and route.auth is not None:
                yield Finding(
                    route.cors.provenance["origins"].span,
                    subject,
                    "every web page may call a route that asks for credentials",
                    "list the origins of your own front ends",
                )


class PlainOrigin(GatewayRule):
    """Credentials for a page that anybody on the way may change.

    ## What it does
    Looks for `http://` origins with `credentials: true`, but for loopback.

    ## Why is this bad?
    A page that came over plain HTTP may carry anybody's script: a café's, a network provider's. It then calls the API
    with the user's credentials.

    ## Example
    ```yaml
    # policies/shop.yaml
    cors: {origins: ["http://app.example.com"], methods: [GET], credentials: true}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    cors: {origins: ["https://app.example.com"], methods: [GET], credentials: true}
    ```
    """

    code, name = "GWC403", "plain-origin"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in fitting(gateway, "cors", fits=lambda cors: cors.credentials):
            for origin in route.cors.origins if route.cors else ():
                if route.cors and plain_abroad(origin):
                    yield Finding(
                        route.cors.provenance["origins"].span,
                        subject,
                        f"{origin} may send credentials, and whoever is on the way may write its pages",
                        f"write https://{origin.removeprefix('http://')}",
                    )


class BodyWithoutMeasure(GatewayRule):
    """A body that fills memory or disk.

    ## What it does
    Looks for a `max_body` above 100 MiB.

    ## Why is this bad?
    Gateways and services buffer bodies. A few hundred megabytes from a few clients at once are the memory of a host,
    and a limit on requests does not see it.

    ## Example
    ```yaml
    # policies/shop.yaml
    max_body: 1GB
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    max_body: 20MB
    ```

    ## References
    - [OWASP API4:2023, unrestricted resource consumption](https://owasp.org/API-Security/editions/2023/en/0xa4-unrestricted-resource-consumption/)
    """

    code, name = "GWC404", "body-without-measure"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in fitting(gateway, "max_body", fits=lambda size: size > LARGE_BODY):
            yield Finding(
                route.provenance["max_body"].span,
                subject,
                f"a client may send {format_size(route.max_body)} with one request",
                "write what the largest honest request needs, or let clients upload to object storage",
            )


class SecretInAHeader(GatewayRule):
    """A policy that holds a credential.

    ## What it does
    Looks for values of `headers.request.set` and `headers.response.set` that look like a credential.

    ## Why is this bad?
    Policies are in version control, in CI logs and in the build's output. A secret in them is known to everybody who
    ever cloned the repository, and stays so.

    ## Example
    ```yaml
    # policies/shop.yaml
    headers: {request: {set: {X-Internal-Token: "k9fjw02lfmwq8s"}}}
    ```

    ## Use instead
    The gateway's own secret proves to the service that a request passed it:
    ```yaml
    # policies/platform.yaml
    identity: {gateway_secret: {header: X-Gateway-Secret, secret: {env: GATEWAY_SECRET}}}
    ```

    ## References
    - [CWE-798: use of hard-coded credentials](https://cwe.mitre.org/data/definitions/798.html)
    """

    code, name, severity = "GWC405", "secret-in-a-header", Severity.ERROR

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in fitting(gateway, "headers.request", "headers.response", fits=_credential_in):
            for changes in (route.headers.request, route.headers.response):
                for header, value in changes.set:
                    if looks_like_credential(header, value):
                        yield Finding(
                            changes.provenance[f"set.{header.lower()}"].span,
                            subject,
                            f"the value of `{header}` looks like a credential",
                            "take it out, and change it where it is valid: it was in version control",
                        )


def _credential_in(request: HeaderChanges, response: HeaderChanges) -> bool:
    return any(looks_like_credential(header, value) for header, value in (*request.set, *response.set))


RULES: tuple[type[Rule], ...] = (
    PublicWrite,
    PublicRest,
    EveryOrigin,
    PlainOrigin,
    BodyWithoutMeasure,
    SecretInAHeader,
)
