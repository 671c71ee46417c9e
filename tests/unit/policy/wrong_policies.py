"""Wrong policies of every kind. `‸` marks where the diagnostic must point; it is taken out before compiling."""

from __future__ import annotations

from dataclasses import dataclass

MARK = "‸"

PLATFORM = """\
apiVersion: gwc/v1
kind: Platform
listen: {http: 8080}
identity:
  jwt: {issuer: "https://id.example.com/", audience: [a], jwks: {url: "https://id.example.com/jwks"}}
defaults: {auth: {any_of: [jwt]}}
"""
SERVICE = """\
apiVersion: gwc/v1
kind: Service
service: notes
upstream: http://127.0.0.1:8000
routes:
  - {name: list, path: /notes, methods: [GET]}
"""


@dataclass(frozen=True)
class Wrong:
    """Files that must fail with `code` at the mark, saying `says`."""

    name: str
    code: str
    says: str
    service: str = SERVICE
    platform: str = PLATFORM
    others: tuple[str, ...] = ()


def service(name: str, code: str, says: str, *lines: str, without: str = "") -> Wrong:
    """The plain service with `lines` added and the key `without` taken out."""
    return Wrong(name, code, says, service=_edited(SERVICE, lines, without))


def _edited(text: str, lines: tuple[str, ...], without: str) -> str:
    """`text` with `lines` at its end and the top-level key `without`, with all that it holds, taken out."""
    kept, dropping = [], False
    for line in text.splitlines():
        dropping = (
            line.startswith(without + ":") if without and not line.startswith(" ") else dropping and bool(without)
        )
        if not dropping:
            kept.append(line)
    return "\n".join([*kept, *lines]) + "\n"


def route(name: str, code: str, says: str, *lines: str) -> Wrong:
    """The plain service with one more route, written as block YAML."""
    block = "".join(f"    {line}\n" for line in lines)
    return Wrong(name, code, says, service=SERVICE + "  - name: extra\n" + block)


def platform(name: str, code: str, says: str, *lines: str, without: str = "") -> Wrong:
    return Wrong(name, code, says, platform=_edited(PLATFORM, lines, without))


CASES = (
    # syntax
    service("not-yaml", "GWC001", "not valid YAML", "owner: a‸: b"),
    service("control-character", "GWC002", "U+0007", "owner: a‸\x07b"),
    Wrong("empty", "GWC003", "empty", service="‸"),
    service("two-documents", "GWC004", "second document", "‸---", "a: 1"),
    Wrong("a-list", "GWC005", "mapping", service="‸- a\n"),
    service("too-deep", "GWC006", "nested", "hosts: " + "[" * 40 + "‸[" + "[" * 9 + "]" * 50),
    service("alias-bomb", "GWC007", "aliases",
            "a: &a [x,x,x,x,x,x,x,x,x,x]", "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]",
            "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]", "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]",
            "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]", "f: [‸*e,*e]"),
    service("too-deep-by-alias", "GWC006", "nested",
            "a: &a " + "[" * 30 + "]" * 30, "b: " + "[" * 15 + "‸*a" + "]" * 15),
    service("recursive-alias", "GWC008", "own anchor", "hosts: &h [‸*h]"),
    service("dangling-alias", "GWC009", "no anchor", "hosts: ‸*nowhere"),
    service("custom-tag", "GWC010", "tag", "owner: ‸!env OWNER"),
    service("duplicate-key", "GWC011", "duplicate key `service`", "‸service: other"),
    service("complex-key", "GWC012", "plain word", "‸[a]: 1"),
    service("merge-key", "GWC013", "merge key", "‸<<: {owner: a}"),
    # shape
    service("no-upstream", "GWC101", "`upstream` is missing", without="upstream"),
    service("no-kind", "GWC101", "`kind` is missing", without="kind"),
    route("no-path", "GWC101", "`path` is missing", "methods: [GET]"),
    service("unknown-key", "GWC102", "unknown key `timeouts_`", "‸timeouts_: {}"),
    service("unknown-nested-key", "GWC102", "unknown key `reqest`", "timeouts: {‸reqest: 10s}"),
    service("route-key-on-service", "GWC102", "unknown key `cost`", "‸cost: 2"),
    service("unknown-overlay-key", "GWC102", "unknown key `ttl`", "environments: {prod: {timeouts: {‸ttl: 1s}}}"),
    service("nested-environments", "GWC102", "cannot differ", "environments: {prod: {‸environments: {}}}"),
    service("renamed-by-environment", "GWC102", "cannot differ", "environments: {prod: {‸service: other}}"),
    service("bad-environment-name", "GWC107", "DNS label", "environments: {‸Prod: {owner: a}}"),
    service("too-many-environments", "GWC106", "holds 101",
            "‸environments: {" + ", ".join(f"e{n}: {{}}" for n in range(101)) + "}"),
    service("unknown-key-beside-header", "GWC102", "unknown key `foo`",
            "limits: [{per: {header: X-A, ‸foo: 1}, rate: 1/s}]"),
    service("list-wanted", "GWC103", "takes a list", "hosts: ‸api.example.com"),
    service("boolean-wanted", "GWC103", "takes true or false", "keep_base_path: ‸yes"),
    service("number-wanted", "GWC103", "takes a whole number", "retries: {attempts: ‸many}"),
    service("mapping-wanted", "GWC103", "takes a mapping", "timeouts: ‸10s"),
    service("wrong-kind", "GWC104", "`kind`", "kind: ‸Servcie", without="kind"),
    service("wrong-version", "GWC104", "apiVersion", "apiVersion: ‸gwc/v2", without="apiVersion"),
    service("unknown-word", "GWC104", "`retries`", "retries: ‸never"),
    service("unknown-method", "GWC104", "methods", "routes: [{name: a, path: /a, methods: [‸get]}]", without="routes"),
    service("duration-without-unit", "GWC105", "10s", "timeouts: {request: ‸10}"),
    service("bad-duration", "GWC105", "duration", "timeouts: {request: ‸10 s}"),
    service("zero-duration", "GWC105", "longer than zero", "timeouts: {request: ‸0s}"),
    service("bad-rate", "GWC105", "not a rate", "limits: [{per: ip, rate: ‸60 per minute}]"),
    service("zero-rate", "GWC105", "admits nothing", "limits: [{per: ip, rate: ‸0/min}]"),
    service("bad-size", "GWC105", "not a size", "max_body: ‸1mb"),
    service("bad-share", "GWC105", "not a share", "retries: {budget: ‸120%}"),
    service("number-too-large", "GWC106", "less than or equal", "retries: {attempts: ‸99}"),
    service("burst-of-zero", "GWC106", "greater than or equal", "limits: [{per: ip, rate: 5/s, burst: ‸0}]"),
    service("no-methods", "GWC106", "empty", "routes: [{name: a, path: /a, ‸methods: []}]", without="routes"),
    service("null", "GWC107", "no value", "owner: a", "timeouts:‸"),
    service("bad-host", "GWC107", "host name", "hosts: [‸a_b]"),
    service("zone-in-a-host", "GWC107", "host name", "hosts: [‸'fe80::1%x; y']"),
    service("zone-in-an-sni", "GWC107", "host name",
            "upstream: {endpoints: [{url: 'https://a'}], tls: {sni: ‸'::1%a b'}}", without="upstream"),
    platform("zone-in-a-network", "GWC107", "zone", "trusted_proxies: [‸'fe80::%x/64']"),
    service("half-a-millisecond", "GWC105", "milliseconds", "timeouts: {request: ‸0.5ms}"),
    service("half-a-byte", "GWC105", "whole number of bytes", "max_body: ‸0.5B"),
    service("endless-body", "GWC105", "more than", "max_body: ‸999999GiB"),
    service("endless-rate", "GWC105", "more than", "limits: [{per: ip, rate: ‸4294967296/s}]"),
    service("charge-in-a-header-of-http", "GWC107", "meaning of its own",
            "budget: {units: 1/s, charge: ‸Content-Type}"),
    platform("user-in-a-header-of-http", "GWC107", "meaning of its own", "identity: {user_header: ‸Host}",
             without="identity"),
    platform("empty-audience", "GWC107", "printable ASCII",
             "identity: {jwt: {issuer: 'https://i/', audience: [‸''], jwks: {url: 'https://i/'}}}", without="identity"),
    service("origin-with-its-own-port", "GWC107", "never matches", "cors: {origins: [‸'https://a.example.com:443']}"),
    service("origin-of-no-host", "GWC107", "not an origin", "cors: {origins: [‸'https://a..b']}"),
    service("origin-of-no-port", "GWC107", "not an origin", "cors: {origins: [‸'https://a:99999']}"),
    service("brackets-around-a-name", "GWC107", "IPv6", "upstream: ‸'http://[abc]:80'", without="upstream"),
    platform("listener-on-a-name", "GWC107", "needs an IP address", "listen: {http: ‸'gw.example.com:80'}",
             without="listen"),
    platform("metrics-above-the-root", "GWC107", "not a path", "metrics: {path: ‸/a/../b}"),
    platform("endless-database", "GWC107", "database number", "rate_limit_store: {redis: ‸'redis://h/123456'}"),
    service("bad-service-name", "GWC107", "DNS label", "service: ‸Notes", without="service"),
    service("bad-url", "GWC107", "http://host:port", "upstream: ‸ftp://a", without="upstream"),
    service("url-with-path", "GWC107", "has a path", "upstream: ‸http://a/x", without="upstream"),
    service("bad-header-name", "GWC107", "header name", 'headers: {request: {remove: [‸"X Y"]}}'),
    service("bad-header-name-as-a-key", "GWC107", "header name", 'headers: {request: {set: {‸"X Y": a}}}'),
    service("header-injection", "GWC107", "header value", 'headers: {request: {set: {X-A: ‸"a\\r\\nX-B: c"}}}'),
    service("retry-cause", "GWC107", "no cause", "retries: {when: [connect, ‸404]}"),
    route("relative-path", "GWC107", "starts with /", "path: ‸notes", "methods: [GET]"),
    route("rest-in-the-middle", "GWC107", "at the end only", "path: ‸/a/**/b", "methods: [GET]"),
    route("dot-segment", "GWC107", "normalised", "path: ‸/a/../b", "methods: [GET]"),
    route("half-a-parameter", "GWC107", "neither plain text", 'path: ‸"/a/{id}.json"', "methods: [GET]"),
    route("parameter-twice", "GWC107", "twice", 'path: ‸"/{a}/{a}"', "methods: [GET]"),
    service("header-twice-in-different-case", "GWC108", "twice", "headers: {request: {‸remove: [X-A, x-a]}}"),
    service("provider-twice", "GWC108", "twice", "auth: {‸any_of: [jwt, jwt]}"),
    service("no-providers", "GWC106", "empty", "auth: {‸any_of: []}"),
    service("set-and-removed", "GWC108", "both set and removed", "headers: {‸request: {set: {X-A: b}, remove: [x-a]}}"),
    service("framing-header", "GWC108", "belongs to the gateway", "headers: {‸request: {set: {Host: b}}}"),
    service("mixed-schemes", "GWC108", "mix", "‸upstream: {endpoints: [{url: http://a}, {url: https://b}]}",
            without="upstream"),
    platform("secret-of-two-consumers", "GWC108", "share a secret",
             "identity: {‸api_key: {consumers: [{name: a, secret: {env: K}}, {name: b, secret: {env: K}}]}}",
             without="identity"),
    service("method-twice", "GWC108", "twice", "routes: [{name: a, path: /a, ‸methods: [GET, GET]}]", without="routes"),
    platform("no-listener", "GWC108", "listens on nothing", '‸listen: {admin: "127.0.0.1:9901"}', without="listen"),
    platform("open-admin", "GWC107", "loopback", 'listen: {http: 80, admin: ‸"0.0.0.0:9901"}', without="listen"),
    platform("host-bits", "GWC107", "network", "trusted_proxies: [‸10.0.0.1/8]"),
    *(
        platform(f"secret-by-value-{n}", "GWC109", "",
                 "identity: {gateway_secret: {header: X-S, secret: " + value + "}}", without="identity")
        for n, value in enumerate(("{env: ‸hunter-2}", "{file: ‸hunter-2}", "{env: ‸'hunter-2 '}", "{x: ‸hunter-2}"))
    ),
    platform("password-by-value", "GWC109", "takes a mapping",
             "rate_limit_store: {redis: redis://h, password: ‸hunter-2}"),
    platform("key-by-value", "GWC109", "takes a mapping",
             "listen: {https: {port: 443, certificate: {file: /c}, key: ‸hunter-2}}", without="listen"),
    platform("api-key-by-value", "GWC109", "takes a mapping", "identity: {api_key: {consumers: [‸hunter-2]}}",
             without="identity"),
    *(
        platform(f"password-in-a-url-{n}", "GWC109", "without user", f"rate_limit_store: {{redis: ‸'{url}'}}")
        for n, url in enumerate(("redis://:hunter-2@h", "redis://u:p/hunter-2@h", "redis://h?password=hunter-2",
                                 "redis://:p@hunter-2@h", "u:hunter-2@h"))
    ),
    platform("secret-by-value", "GWC109", "mapping", "identity: {gateway_secret: {header: X-S, secret: ‸hunter-2}}",
             without="identity"),
    platform("unknown-bound", "GWC102", "unknown key", "bounds: {‸timeouts.total: {max: 1s}}"),
    platform("bad-waiver-date", "GWC107", "calendar",
             "waivers: [{service: notes, bound: auth, reason: r, until: ‸2027-02-30}]"),
    # the whole
    Wrong("two-services-of-one-name", "GWC201", "two policies", service=SERVICE.replace("notes\n", "‸notes\n", 1),
          others=(SERVICE,)),
    Wrong("no-platform", "GWC202", "no platform", platform="", service=SERVICE.replace("Service", "‸Service")),
    Wrong("route-name-twice", "GWC203", "are named",
          service=SERVICE + "  - {name: ‸list, path: /other, methods: [GET]}\n"),
    Wrong("routes-collide", "GWC204", "both match GET",
          service=SERVICE + "  - {name: again, path: ‸/notes, methods: [GET, POST]}\n"),
    service("undeclared-provider", "GWC205", "identity.api_key", "auth: {‸any_of: [api_key]}"),
    service("cluster-without-store", "GWC206", "store", "limits: [{per: ip, rate: 1/s, scope: ‸cluster}]"),
    service("identity-header", "GWC207", "identity.user_header", "headers: {request: {set: {‸X-User-Id: root}}}"),
    platform("request-id-as-user", "GWC207", "already", "identity: {user_header: ‸x-request-id}", without="identity"),
    platform("proof-as-user", "GWC207", "identity.user_header already",
             "identity: {user_header: X-U, gateway_secret: {header: ‸x-u, secret: {env: A}}}", without="identity"),
    platform("key-where-tokens-are", "GWC207", "identity.jwt already", 'identity:',
             "  api_key: {header: ‸Authorization, consumers: [{name: a, secret: {env: A}}]}",
             '  jwt: {issuer: "https://i/", audience: [a], jwks: {url: "https://i/"}}', without="identity"),
    service("limit-by-a-stripped-header", "GWC207", "counts nothing",
            "limits: [{per: {header: ‸x-user-id}, rate: 1/s}]"),
    service("answer-by-a-stripped-header", "GWC207", "keys no answer", "auth: none",
            "cache: {ttl: 1h, vary: {‸headers: [X-User-Id]}}"),
    service("inherited-identity-header", "GWC207", "identity.user_header",
            "headers: {request: {set: {‸X-User-Id: root}}}",
            "routes: [{name: a, path: /a, methods: [GET], headers: {request: {set: {X-B: c}}}}]", without="routes"),
    service("removed-identity-header", "GWC207", "identity.user_header",
            "headers: {request: {remove: [X-A, ‸x-user-id]}}"),
    service("backoff-of-two-levels", "GWC233", "longer than backoff.max",
            "retries: {attempts: 1, backoff: {max: 100ms}}",
            "routes: [{name: a, path: /a, methods: [GET], retries: {backoff: {base: ‸2s}}}]", without="routes"),
    Wrong("outside-bounds", "GWC210", "maximum of 5s", service=SERVICE + "timeouts: {request: ‸10s}\n",
          platform=PLATFORM + "bounds: {timeouts.request: {max: 5s}}\n"),
    Wrong("auth-required", "GWC210", "requires credentials", service=SERVICE + "auth: ‸none\n",
          platform=PLATFORM + "bounds: {auth: required}\n"),
    platform("expired-waiver", "GWC211", "expired", "bounds: {auth: required}",
             "waivers: [{service: notes, bound: auth, reason: r, until: ‸2020-01-01}]"),
    platform("waiver-for-nobody", "GWC212", "no service", "bounds: {auth: required}",
             "waivers: [{service: ‸nots, bound: auth, reason: r, until: 2099-01-01}]"),
    platform("waiver-of-nothing", "GWC213", "sets no bound",
             "waivers: [{service: notes, bound: ‸auth, reason: r, until: 2099-01-01}]"),
    Wrong("nobody-decides-auth", "GWC220", "nobody decides", service=SERVICE.replace("name: list", "name: ‸list"),
          platform=PLATFORM.replace("defaults: {auth: {any_of: [jwt]}}\n", "")),
    service("wildcard-credentials", "GWC223", "may not send credentials", 'cors: {‸origins: ["*"], credentials: true}'),
    route("cached-post", "GWC224", "cannot be cached", "path: /x", "methods: [POST]", "‸cache: {ttl: 1h}"),
    service("cache-without-ttl", "GWC225", "no ttl", "auth: none", "cache: {vary: {query: [a]}}"),
    service("public-cache-behind-auth", "GWC226", "public cache", "cache: {ttl: ‸1h}"),
    service("user-cache-in-public", "GWC227", "no user", "auth: none", "cache: {ttl: 1h, scope: ‸user}"),
    route("user-limit-in-public", "GWC228", "no user to count", "path: /x", "methods: [GET]", "auth: none",
          "limits: [{per: ‸user, rate: 1/s}]"),
    platform("missing-key-set", "GWC230", "cannot be read",
             "identity: {jwt: {issuer: 'https://i/', audience: [a], jwks: {file: ‸nowhere.json}}}", without="identity"),
    platform("unknown-feature", "GWC232", "not a feature", "targets: {nginx: {accept: [‸retry.backoff]}}"),
)  # fmt: skip
