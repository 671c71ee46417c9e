"""What the edge remembers too long, for the wrong person, or never twice (GWC350 to GWC369)."""

from __future__ import annotations

from gwc.diagnostics import Severity
from gwc.ir import Gateway
from gwc.lint.concerned import fitting
from gwc.lint.context import Context
from gwc.lint.identity import IDENTITY_HEADERS
from gwc.lint.mending import with_item
from gwc.lint.rule import Finding, Findings, GatewayRule, Rule
from gwc.units import format_duration

CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
UNIQUE = frozenset({"user-agent", "x-forwarded-for", "x-real-ip", "referer", "if-none-match", "traceparent"})
TOKENS = frozenset(
    {"access_token", "api_key", "apikey", "auth", "code", "id_token", "jwt", "password", "secret", "session", "sid",
     "sig", "signature", "token"}
)  # fmt: skip
LONG_NEGATIVE = 300.0
LONG_PRIVATE = 3600.0


class CredentialKeysPublicCache(GatewayRule):
    """A credential keys answers that belong to everybody.

    ## What it does
    Looks for `Authorization`, `Cookie` and headers that tell who a caller is among `cache.vary.headers` of a public
    cache.

    ## Why is this bad?
    Listing the header means that the service sees it, and answers for that person. The answer then lies in a public
    store, for as long as the ttl, with a credential for its key; and hits are rare, for everybody has another one.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: home, path: /home, methods: [GET, HEAD], auth: none, cache: {ttl: 1m, vary: {headers: [Cookie]}}}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: home, path: /home, methods: [GET, HEAD], cache: {ttl: 1m, scope: user}}
    ```

    ## References
    - [Web cache deception](https://portswigger.net/research/web-cache-entanglement)
    """

    code, name, severity = "GWC350", "credential-keys-public-cache", Severity.ERROR

    def check(self, gateway: Gateway) -> Findings:
        keys = gateway.identity.api_key
        credentials = CREDENTIALS | IDENTITY_HEADERS | ({keys.header.lower()} if keys else set())
        for subject, _, route in fitting(gateway, "cache", fits=lambda c: c.vary_headers and not c.per_user):
            for header in route.cache.vary_headers if route.cache else ():
                if route.cache and header in credentials:
                    yield Finding(
                        route.cache.provenance["vary_headers"].span,
                        subject,
                        f"`{header}` keys a public cache",
                        "ask for credentials and write scope: user, or leave the header out",
                    )


class KeyNobodyRepeats(GatewayRule):
    """A cache that never hits.

    ## What it does
    Looks for headers among `cache.vary.headers` that differ with nearly every client or request.

    ## Why is this bad?
    Every request is a miss with an entry of its own: the service does all the work as before, and the store fills with
    answers that nobody asks for again, in place of those that are.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: home, path: /home, methods: [GET, HEAD], auth: none, cache: {ttl: 1m, vary: {headers: [User-Agent]}}}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - name: home
        path: /home
        methods: [GET, HEAD]
        auth: none
        cache: {ttl: 1m, vary: {headers: [Accept-Language]}}
    ```
    """

    code, name = "GWC351", "key-nobody-repeats"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in fitting(gateway, "cache", fits=lambda cache: cache.vary_headers):
            for header in route.cache.vary_headers if route.cache else ():
                if route.cache and header in UNIQUE:
                    yield Finding(
                        route.cache.provenance["vary_headers"].span,
                        subject,
                        f"`{header}` differs with nearly every client, so hardly any answer is found again",
                        "leave it out; the service does not see headers that are not listed",
                    )


class TokenInTheKey(GatewayRule):
    """A credential in the query keys answers.

    ## What it does
    Looks for parameters such as `token` or `session` among `cache.vary.query`.

    ## Why is this bad?
    A credential in a URL ends in histories, logs and the Referer header. Here it also reaches the service on a cached
    route, whose answer then belongs to one person and is stored for all who know the URL.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: share, path: /share, methods: [GET, HEAD], auth: none, cache: {ttl: 1m, vary: {query: [token]}}}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: share, path: /share, methods: [GET, HEAD], cache: {ttl: 1m, scope: user}}
    ```

    ## References
    - [RFC 6750, 5.3: do not pass bearer tokens in page URLs](https://www.rfc-editor.org/rfc/rfc6750#section-5.3)
    """

    code, name = "GWC352", "token-in-the-key"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in fitting(gateway, "cache", fits=lambda cache: cache.vary_query):
            for parameter in route.cache.vary_query if route.cache else ():
                if route.cache and parameter.lower() in TOKENS:
                    yield Finding(
                        route.cache.provenance["vary_query"].span,
                        subject,
                        f"`{parameter}` looks like a credential, and keys stored answers",
                        "take credentials from the Authorization header, and write scope: user",
                    )


class LongNegative(GatewayRule):
    """A 404 that outlives its cause.

    ## What it does
    Looks for a `negative_ttl` above five minutes, or above the `ttl`.

    ## Why is this bad?
    What is not there yet is asked for early: a release that is about to appear, an id that is about to be created, a
    deployment that answers 404 for a second. The 404 then stays for everybody, and no rollback takes it away.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: item, path: "/items/{id}", methods: [GET, HEAD], auth: none, cache: {ttl: 1h, negative_ttl: 1h}}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: item, path: "/items/{id}", methods: [GET, HEAD], auth: none, cache: {ttl: 1h, negative_ttl: 10s}}
    ```

    ## References
    - [RFC 2308, 7: why negative answers are kept for minutes](https://www.rfc-editor.org/rfc/rfc2308#section-7)
    """

    code, name = "GWC353", "long-negative"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in fitting(gateway, "cache", fits=lambda cache: cache.negative_ttl):
            cache = route.cache
            if cache and cache.negative_ttl and cache.negative_ttl > min(LONG_NEGATIVE, cache.ttl):
                yield Finding(
                    cache.provenance["negative_ttl"].span,
                    subject,
                    f"a 404 stays for {format_duration(cache.negative_ttl)}, though what was missing may come at once",
                    f"write negative_ttl: {format_duration(min(10.0, cache.ttl))}",
                )


class LongPrivate(GatewayRule):
    """A user's own answer is remembered for hours.

    ## What it does
    Looks for `scope: user` with a `ttl` above an hour.

    ## Why is this bad?
    A user changes their data and sees the old data for hours; a user whose scopes were taken away keeps reading what
    was stored before. Each of many users fills the store with answers that only they can hit.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: profile, path: /profile, methods: [GET, HEAD], cache: {ttl: 12h, scope: user}}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: profile, path: /profile, methods: [GET, HEAD], cache: {ttl: 10s, scope: user}}
    ```
    """

    code, name = "GWC354", "long-private"

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in fitting(gateway, "cache", fits=lambda c: c.per_user and c.ttl > LONG_PRIVATE):
            if route.cache:
                yield Finding(
                    route.cache.provenance["ttl"].span,
                    subject,
                    f"a user's answer is served unchanged for {format_duration(route.cache.ttl)}",
                    "write a ttl of seconds or minutes",
                )


class CachedWithoutHead(Rule):
    """A cached route that does not answer HEAD.

    ## What it does
    Looks for cached routes with GET and without HEAD.

    ## Why is this bad?
    GET does not imply HEAD. Link checkers, download managers and some load balancers ask with HEAD, get 405, and take
    the page for dead. The answer to HEAD comes from the stored GET and costs nothing.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: home, path: /home, methods: [GET], auth: none, cache: {ttl: 1m}}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: home, path: /home, methods: [GET, HEAD], auth: none, cache: {ttl: 1m}}
    ```
    """

    code, name, severity = "GWC355", "cached-without-head", Severity.INFO

    def findings(self, context: Context) -> Findings:
        for subject, service, route in fitting(context.gateway, "cache", fits=lambda cache: not cache.per_user):
            if "GET" not in route.methods:
                continue
            if not any(r.path.shape == route.path.shape and "HEAD" in r.methods for r in service.routes):
                span = route.provenance["methods"].span
                message = "HEAD is answered 405, though the stored answer could serve it"
                fix = with_item(context.documents[span.file], span, "HEAD")
                yield Finding(span, subject, message, "add HEAD to methods", (), fix)


class CachedWithoutStale(GatewayRule):
    """An outage that the cache could have hidden.

    ## What it does
    Looks for public cached routes with a `ttl` of an hour or more and no `stale.if_error`.

    ## Why is this bad?
    Content that may be an hour old may be two hours old while the service is down. Without `stale.if_error` the first
    request after the ttl is an error, for everybody, though yesterday's answer lies in the store.

    ## Example
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: home, path: /home, methods: [GET, HEAD], auth: none, cache: {ttl: 24h}}
    ```

    ## Use instead
    ```yaml
    # policies/shop.yaml
    routes:
      - {name: home, path: /home, methods: [GET, HEAD], auth: none, cache: {ttl: 24h, stale: {if_error: 7d}}}
    ```

    ## References
    - [RFC 5861: stale-if-error](https://www.rfc-editor.org/rfc/rfc5861)
    """

    code, name, severity = "GWC356", "cached-without-stale", Severity.INFO

    def check(self, gateway: Gateway) -> Findings:
        for subject, _, route in fitting(gateway, "cache", fits=lambda cache: cache.ttl >= LONG_PRIVATE):
            cache = route.cache
            if cache and not cache.per_user and cache.ttl >= LONG_PRIVATE and not cache.stale_if_error:
                yield Finding(
                    cache.provenance["ttl"].span,
                    subject,
                    f"an answer that may be {format_duration(cache.ttl)} old is not served when the service is down",
                    "write stale: {if_error: 1d}",
                )


RULES: tuple[type[Rule], ...] = (
    CredentialKeysPublicCache,
    KeyNobodyRepeats,
    TokenInTheKey,
    LongNegative,
    LongPrivate,
    CachedWithoutHead,
    CachedWithoutStale,
)
