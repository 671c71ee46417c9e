"""The edges of the gateway itself (GWC410 to GWC429)."""

from __future__ import annotations

from gwc.diagnostics import Related, Severity
from gwc.ir import Accept, Endpoint, Gateway, Service
from gwc.lint.concerned import guarded
from gwc.lint.rule import Finding, Findings, GatewayRule, Rule
from gwc.policy.hosts import is_ipv4
from gwc.units import format_duration

LONG_LEEWAY = 300.0


_INTERNAL = (".internal", ".local", ".localhost", ".svc", ".cluster.local", ".lan", ".intranet", ".corp", ".home.arpa")
_PRIVATE = ("10.", "127.", "192.168.")
"""How many IPv4 addresses begin that are not public."""


def public_host(host: str) -> bool:
    """An address or name that packets reach by way of other people's networks."""
    if not _address(host):
        return "." in host and not host.endswith(_INTERNAL)
    if is_ipv4(host) and host.startswith(_PRIVATE):
        return False
    import ipaddress  # which takes longer to import than all rules to look at a service

    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return not host.endswith(_INTERNAL) and "." in host


def loopback(host: str) -> bool:
    if not _address(host):
        return host == "localhost"
    if is_ipv4(host):
        return host.startswith("127.")
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(host: str) -> bool:
    """Whether it may be one: no IPv4 address has other characters, and no IPv6 address is without a colon."""
    return ":" in host or host.replace(".", "").isdigit()


def plain_abroad(url: str) -> bool:
    """Whether it is asked for in plain text, and not on this machine."""
    if not url or url.startswith("https://"):
        return False
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return parts.scheme == "http" and not loopback(parts.hostname or "")


class PlainUpstream(GatewayRule):
    """Requests cross other people's networks in plain text.

    ## What it does
    Looks for `http://` endpoints with a public address or name.

    ## Why is this bad?
    The gateway sends the verified user, the gateway's secret and the client's body. On the way anybody may read them,
    and with the secret pretend to be the gateway.

    ## Example
    ```yaml
    # policies/shop.yaml
    upstream: http://shop.example.com
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    upstream: https://shop.example.com
    ```
    """

    code, name, severity = "GWC410", "plain-upstream", Severity.ERROR

    def check(self, gateway: Gateway) -> Findings:
        for service in gateway.services:
            for endpoint in service.upstream.endpoints:
                if endpoint.scheme == "http" and public_host(endpoint.address.host):
                    yield _plain(service, endpoint)


def _plain(service: Service, endpoint: Endpoint) -> Finding:
    message = f"{endpoint.address} is reached over plain HTTP, across networks that are not yours"
    hint = f"write https://{endpoint.address.host}; its certificate is verified"
    return Finding(endpoint.provenance["address"].span, service.name, message, hint)


class NoProof(GatewayRule):
    """A service cannot tell the gateway from anybody else.

    ## What it does
    Looks for routes that ask for credentials, on services beyond loopback, without `identity.gateway_secret`.

    ## Why is this bad?
    The service believes the user header. Whoever reaches it beside the gateway, from another pod or by a forgotten
    load balancer, writes that header themselves and is any user they like.

    ## Example
    ```yaml
    # policies/platform.yaml
    identity: {gateway_secret: null}
    ```
    ```yaml
    # policies/shop.yaml
    upstream: http://shop.internal:8000
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    identity: {gateway_secret: {header: X-Gateway-Secret, secret: {env: GATEWAY_SECRET}}}
    ```
    ```yaml
    # policies/shop.yaml
    upstream: http://shop.internal:8000
    ```

    ## References
    - [OWASP API2:2023, broken authentication](https://owasp.org/API-Security/editions/2023/en/0xa2-broken-authentication/)
    """

    code, name = "GWC411", "no-proof"

    def check(self, gateway: Gateway) -> Findings:
        if gateway.identity.gateway_secret is not None:
            return
        for service in gateway.services:
            elsewhere = next((e for e in service.upstream.endpoints if not loopback(e.address.host)), None)
            if elsewhere and any(route.auth for route in service.routes):
                yield Finding(
                    gateway.identity.provenance["gateway_secret"].span,
                    service.name,
                    f"whoever reaches {elsewhere.address} beside the gateway is any user they like",
                    "write identity.gateway_secret, and let services refuse requests without it",
                    (Related(elsewhere.provenance["address"].span, "an endpoint that others may reach"),),
                )


class TokensInTheClear(GatewayRule):
    """Credentials come over plain HTTP.

    ## What it does
    Looks for a gateway that other machines reach over plain HTTP, trusts no proxy, and asks for credentials.

    ## Why is this bad?
    With no load balancer in front that ends TLS, and no TLS of its own, clients send tokens and keys in plain text.

    ## Example
    ```yaml
    # policies/platform.yaml
    listen: {http: 80}
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    listen:
      http: 80
      https:
        port: 443
        certificate: {file: /etc/gwc/tls.crt}
        key: {secret: {file: /etc/gwc/tls.key}}
        redirect: true
    ```
    """

    code, name = "GWC412", "tokens-in-the-clear"

    def check(self, gateway: Gateway) -> Findings:
        http = gateway.listen.http
        if http is None or loopback(http.host) or gateway.listen.https or gateway.trusted_proxies:
            return
        for subject, _, _ in guarded(gateway):
            yield Finding(
                gateway.listen.provenance["http"].span,
                subject,
                "credentials cross the network in plain text",
                "write listen.https with redirect: true, or trusted_proxies where a load balancer ends TLS",
            )


class NoRedirect(GatewayRule):
    """HTTPS is offered, and plain HTTP serves the same.

    ## What it does
    Looks for `listen.https` beside `listen.http` without `redirect: true`, where routes ask for credentials.

    ## Why is this bad?
    A client with `http://` in its settings works, and nobody notices that its tokens are readable.

    ## Example
    ```yaml
    # policies/platform.yaml
    listen:
      http: 80
      https: {port: 443, certificate: {file: /etc/gwc/tls.crt}, key: {secret: {file: /etc/gwc/tls.key}}}
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    listen:
      http: 80
      https:
        port: 443
        certificate: {file: /etc/gwc/tls.crt}
        key: {secret: {file: /etc/gwc/tls.key}}
        redirect: true
    ```
    """

    code, name = "GWC413", "no-redirect"

    def check(self, gateway: Gateway) -> Findings:
        listen = gateway.listen
        plain = listen.http is not None and not loopback(listen.http.host)
        if listen.https is None or not plain or listen.https.redirect:
            return
        if guarded(gateway):
            yield Finding(
                listen.https.provenance["redirect"].span,
                "",
                "plain HTTP serves what HTTPS serves, credentials included",
                "write redirect: true",
                (Related(listen.provenance["http"].span, "plain HTTP"),),
            )


class EverybodyIsAProxy(GatewayRule):
    """Clients choose their own address.

    ## What it does
    Looks for networks among `trusted_proxies` that hold most of the internet.

    ## Why is this bad?
    A trusted proxy's `X-Forwarded-For` is believed. When everybody is one, each client writes the address by which it
    is limited and logged, a new one with each request, and limits per address hold nobody.

    ## Example
    ```yaml
    # policies/platform.yaml
    trusted_proxies: [0.0.0.0/0]
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    trusted_proxies: [10.0.0.0/8]
    ```

    ## References
    - [The perils of the "real" client IP](https://adam-p.ca/blog/2022/03/x-forwarded-for/)
    """

    code, name, severity = "GWC414", "everybody-is-a-proxy", Severity.ERROR

    def check(self, gateway: Gateway) -> Findings:
        if not gateway.trusted_proxies:
            return
        import ipaddress

        for text in gateway.trusted_proxies:
            network = ipaddress.ip_network(text, strict=False)
            if network.prefixlen < (8 if network.version == 4 else 16) and not network.is_private:
                yield Finding(
                    gateway.provenance["trusted_proxies"].span,
                    "",
                    f"{text} lets any client choose the address by which it is limited",
                    "write the load balancers' own networks",
                )


class ClientsNameRequests(GatewayRule):
    """Anybody may choose request ids.

    ## What it does
    Looks for `request_id.accept: always` on a gateway that other machines reach.

    ## Why is this bad?
    Ids find a request in logs and traces. A client that sends the same id with every request, or somebody else's, hides
    in them; and by `traceparent`, which follows the same rule, it decides what is sampled and paid for.

    ## Example
    ```yaml
    # policies/platform.yaml
    listen: {http: 8080}
    trusted_proxies: [10.0.0.0/8]
    request_id: {accept: always}
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    listen: {http: 8080}
    trusted_proxies: [10.0.0.0/8]
    request_id: {accept: from_trusted_proxies}
    ```
    """

    code, name = "GWC415", "clients-name-requests"

    def check(self, gateway: Gateway) -> Findings:
        http, https = gateway.listen.http, gateway.listen.https
        reached = [a for a in (http, https and https.address) if a and not loopback(a.host)]
        if reached and gateway.request_id.accept is Accept.ALWAYS:
            yield Finding(
                gateway.request_id.provenance["accept"].span,
                "",
                "every client chooses its request ids, and what is traced",
                "write accept: from_trusted_proxies",
            )


class LongLeeway(GatewayRule):
    """Tokens live on after they have expired.

    ## What it does
    Looks for a `leeway` above five minutes.

    ## Why is this bad?
    The leeway is for clocks that differ by seconds. Added to the life of every token, it keeps stolen ones and those of
    people who have left alive.

    ## Example
    ```yaml
    # policies/platform.yaml
    identity: {jwt: {leeway: 1h}}
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    identity: {jwt: {leeway: 30s}}
    ```

    ## References
    - [RFC 7519, 4.1.4: "usually no more than a few minutes"](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.4)
    """

    code, name = "GWC416", "long-leeway"

    def check(self, gateway: Gateway) -> Findings:
        for provider in gateway.identity.jwt:
            if provider.leeway > LONG_LEEWAY:
                yield Finding(
                    provider.provenance["leeway"].span,
                    "",
                    f"tokens of {provider.issuer} are taken {format_duration(provider.leeway)} after they expired",
                    "write leeway: 30s",
                )


class KeysInTheClear(GatewayRule):
    """The keys that tokens are verified with come over plain HTTP.

    ## What it does
    Looks for `jwks.url` with `http://`, but for loopback.

    ## Why is this bad?
    Whoever is on the way answers with their own key, and from then on signs tokens for any user.

    ## Example
    ```yaml
    # policies/platform.yaml
    identity: {jwt: {jwks: {file: null, url: "http://id.example.com/jwks.json"}}}
    ```

    ## Use instead
    ```yaml
    # policies/platform.yaml
    identity: {jwt: {jwks: {file: null, url: "https://id.example.com/jwks.json"}}}
    ```
    """

    code, name, severity = "GWC417", "keys-in-the-clear", Severity.ERROR

    def check(self, gateway: Gateway) -> Findings:
        for provider in gateway.identity.jwt:
            url = provider.jwks_url or ""
            if plain_abroad(url):
                yield Finding(
                    provider.provenance["jwks_url"].span,
                    "",
                    f"whoever is on the way to {url} signs tokens for any user",
                    f"write https://{url.removeprefix('http://')}",
                )


RULES: tuple[type[Rule], ...] = (
    PlainUpstream,
    NoProof,
    TokensInTheClear,
    NoRedirect,
    EverybodyIsAProxy,
    ClientsNameRequests,
    LongLeeway,
    KeysInTheClear,
)
