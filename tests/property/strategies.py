"""Valid policies over the whole language, as the plain data that JSON and YAML both write down.

Validity that spans fields is built in (a per-user limit needs credentials, a public cache needs none), so that
nothing has to be filtered out and every example counts.
"""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st

Data = dict[str, Any]

CERTIFICATES = "/etc/gwc"
"""Where the policies say that certificates and secret files are; tests put a real directory in its place."""


def optional(required: Data, **rest: st.SearchStrategy[Any]) -> st.SearchStrategy[Data]:
    """A mapping with every key of `required`, and any of `rest`. `_` in a name stands for itself."""
    return st.fixed_dictionaries(required, optional=rest)


def durations(shortest_ms: int, longest_ms: int) -> st.SearchStrategy[str]:
    milliseconds = st.integers(shortest_ms, longest_ms).map(lambda n: f"{n}ms")
    seconds = st.integers(-(-shortest_ms // 1000), max(longest_ms // 1000, 1)).map(lambda n: f"{max(n, 1)}s")
    return milliseconds | seconds


labels = st.from_regex(r"[a-z]([a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True)
header_names = st.from_regex(r"X-[A-Z][a-z]{2,8}(-[0-9]{1,2})?", fullmatch=True).map(lambda name: f"{name}-T")
header_values = st.from_regex(r"([!-~]([ -~]{0,60}[!-~])?)?", fullmatch=True)
one_line = st.text(st.characters(exclude_categories=("Cc", "Cs", "Co", "Cn"), exclude_characters="\ufeff"), max_size=60)
claims = st.sampled_from(["sub", "email", "https://example.com/user", "preferred_username"])
scopes = st.from_regex(r"[a-z]{1,8}([.:][a-z]{1,8})?", fullmatch=True)
sizes = st.sampled_from(["1B", "4KiB", "1MiB", "10MB", "64MiB", "1GiB"])
shares = st.integers(1, 100).map(lambda n: f"{n}%")
rates = st.builds(lambda n, period: f"{n}/{period}", st.integers(1, 5000), st.sampled_from(["s", "min", "hour", "day"]))
counts = st.integers(1, 10_000)
methods = st.lists(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]), min_size=1, max_size=4, unique=True
)
environment_names = st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True)
secrets = st.fixed_dictionaries({"env": environment_names}) | st.just({"file": f"{CERTIFICATES}/secret"})
hosts = st.from_regex(r"[a-z]{1,8}\.example\.(com|org)", fullmatch=True)
ports = st.integers(1024, 65535)


def unique_lists(items: st.SearchStrategy[Any], largest: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, min_size=1, max_size=largest, unique=True)


timeouts = optional({}, connect=durations(10, 5000), request=durations(50, 120_000), idle=durations(100, 300_000))
backoff = st.sampled_from(
    [{"base": "10ms"}, {"max": "1s"}, {"base": "25ms", "max": "250ms"}, {"base": "1s", "max": "1s"}]
)
retries = st.just("none") | optional(
    {},
    attempts=st.integers(0, 10),
    when=unique_lists(st.sampled_from(["connect", "reset", 500, 502, 503, 504, 599]), 4),
    per_try=durations(50, 10_000),
    backoff=backoff,
    budget=shares,
    unsafe=st.booleans(),
)
origins = st.sampled_from(["https://app.example.com", "http://localhost:3000", "https://b.example"])
cors = st.just("none") | st.one_of(
    optional(
        {"origins": unique_lists(origins, 3)},
        methods=methods,
        headers=unique_lists(header_names, 3),
        credentials=st.booleans(),
        max_age=durations(1000, 86_400_000),
    ),
    optional(
        {"origins": st.just(["*"]), "credentials": st.just(False)},
        methods=methods,
        headers=unique_lists(header_names, 3),
        max_age=st.just("0s"),
    ),
)


@st.composite
def header_changes(draw: st.DrawFn) -> Data:
    names = draw(st.lists(header_names, max_size=4, unique=True))
    cut = draw(st.integers(0, len(names)))
    changes: Data = {"set": {name: draw(header_values) for name in names[:cut]}, "remove": names[cut:]}
    return {key: value for key, value in changes.items() if value or draw(st.booleans())}


headers = optional({}, request=header_changes(), response=header_changes())


def limits(keys: list[Any]) -> st.SearchStrategy[list[Data]]:
    per = st.sampled_from(keys)
    one = optional(
        {"per": per, "rate": rates},
        burst=counts,
        mode=st.sampled_from(["enforce", "shadow"]),
        scope=st.sampled_from(["gateway", "cluster"]),
    )
    return st.lists(one, max_size=3)


PUBLIC_KEYS: list[Any] = ["ip", "service", {"header": "X-Tenant"}]
PRIVATE_KEYS = [*PUBLIC_KEYS, "user"]


def caches(scope: str) -> st.SearchStrategy[Data]:
    query = unique_lists(st.sampled_from(["version", "page", "q", "a.b", "x-y_z~"]), 3)
    vary = optional(
        {}, query=query, headers=unique_lists(st.sampled_from(["Accept", "Accept-Language", "X-Tenant"]), 2)
    )
    stale = optional(
        {}, if_error=durations(1000, 86_400_000), while_revalidate=st.just("0s") | durations(1000, 3_600_000)
    )
    return optional(
        {"ttl": durations(1000, 86_400_000), "scope": st.just(scope)},
        vary=vary,
        stale=stale,
        negative_ttl=durations(1000, 60_000),
    )


literals = st.sampled_from(
    ["v1", "v2", "notes", "a.b", "x~y", "it's", "(1)", "a,b;c=d", "@me", "$ref", "!", "s&p", "A", "a+b"]
)


@st.composite
def paths(draw: st.DrawFn) -> str:
    parts = draw(st.lists(literals | st.just("{}"), max_size=4))
    named = [part if part != "{}" else "{p" + str(index) + "}" for index, part in enumerate(parts)]
    ending = draw(st.sampled_from(["", "/", "/**"])) if named else draw(st.sampled_from(["/", "/**"]))
    return "".join(f"/{part}" for part in named) + ending


def _shape(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


@st.composite
def _route(draw: st.DrawFn, name: str, path: str, verbs: list[str]) -> Data:
    public = draw(st.booleans())
    route: Data = {"name": name, "path": path, "methods": verbs}
    route |= draw(
        optional(
            {},
            description=one_line,
            timeouts=timeouts,
            retries=retries,
            max_body=sizes,
            cors=cors,
            headers=headers,
            cost=st.integers(0, 1000),
            limits=limits(PUBLIC_KEYS if public else PRIVATE_KEYS),
        )
    )
    route["auth"] = "none" if public else draw(auth)
    kind = draw(st.sampled_from(["plain", "plain", "cache", "stream", "websocket"]))
    if kind == "cache" and {"GET", "HEAD"} & set(verbs):
        route["cache"] = draw(caches("public" if public else "user"))
    elif kind == "websocket" and "GET" in verbs:
        route["websocket"] = True
    elif kind == "stream":
        route["stream"] = True
    return route


auth = st.one_of(
    st.just({"any_of": ["api_key"], "scopes": []}),  # a key has no scopes, inherited ones neither
    optional({"any_of": st.sampled_from([["jwt"], ["jwt", "api_key"]])}, scopes=unique_lists(scopes, 3)),
)


@st.composite
def routes(draw: st.DrawFn) -> list[Data]:
    wanted = draw(st.lists(st.tuples(paths(), methods), min_size=1, max_size=5))
    taken: dict[str, set[str]] = {}
    found = []
    for path, verbs in wanted:
        mine = taken.setdefault(_shape(path), set())
        free = [verb for verb in verbs if verb not in mine]
        if free:
            mine |= set(free)
            found.append(draw(_route(f"r{len(found)}", path, free)))
    return found


@st.composite
def upstreams(draw: st.DrawFn) -> Any:
    tls = draw(st.booleans())
    scheme = "https" if tls else "http"
    where = draw(unique_lists(st.builds(lambda n, p: f"{scheme}://127.0.0.{n}:{p}", st.integers(1, 9), ports), 3))
    if not tls and len(where) == 1 and draw(st.booleans()):
        return where[0]
    endpoints = [{"url": url} | draw(optional({}, weight=st.integers(1, 1000))) for url in where]
    concurrency = counts
    breaker = optional({"failures": st.integers(1, 100), "open": durations(1000, 60_000)})
    health = optional({"path": st.sampled_from(["/readyz", "/health?deep=1", "/"]), "every": durations(1000, 60_000)})
    rest = draw(optional({}, concurrency=concurrency, breaker=breaker, health=health))
    return {"endpoints": endpoints, **({"tls": draw(upstream_tls)} if tls else {}), **rest}


upstream_tls = st.sampled_from(
    [
        {},
        {"ca": {"file": f"{CERTIFICATES}/ca.crt"}},
        {"ca": {"file": f"{CERTIFICATES}/ca.crt"}, "sni": "assistant.internal"},
        {
            "client_certificate": {"file": f"{CERTIFICATES}/tls.crt"},
            "client_key": {"secret": {"file": f"{CERTIFICATES}/tls.key"}},
        },
    ]
)


@st.composite
def services(draw: st.DrawFn, index: int) -> Data:
    service: Data = {"apiVersion": "gwc/v1", "kind": "Service", "service": f"{draw(labels)}{index}"}
    service["auth"] = draw(auth)
    service["upstream"] = draw(upstreams())
    service["routes"] = draw(routes())
    service["base_path"] = f"/{draw(st.sampled_from(['s', 'api.v', 'x~']))}{index}"
    return service | draw(
        optional(
            {},
            owner=one_line,
            description=one_line,
            hosts=unique_lists(hosts, 2),
            keep_base_path=st.booleans(),
            timeouts=timeouts,
            retries=retries,
            max_body=sizes,
            cors=cors,
            headers=headers,
            limits=limits(PRIVATE_KEYS),
            budget=optional({"units": rates}, charge=header_names, scope=st.sampled_from(["gateway", "cluster"])),
        )
    )


https = optional(
    {
        "port": ports.map(lambda port: f"127.0.0.1:{port}"),
        "certificate": st.just({"file": f"{CERTIFICATES}/tls.crt"}),
        "key": st.just({"secret": {"file": f"{CERTIFICATES}/tls.key"}}),
    },
    min_version=st.sampled_from(["TLSv1.2", "TLSv1.3"]),
)


@st.composite
def listens(draw: st.DrawFn) -> Data:
    numbers = draw(st.lists(ports, min_size=3, max_size=3, unique=True))
    listen: Data = {"http": f"127.0.0.1:{numbers[0]}", "admin": f"127.0.0.1:{numbers[1]}"}
    if draw(st.booleans()):
        listen["https"] = draw(https) | {"port": f"127.0.0.1:{numbers[2]}", "redirect": draw(st.booleans())}
    return listen


issuers = st.one_of(
    st.just({"file": "keys/jwks.json"}), st.just({"url": "https://login.example.com/.well-known/jwks.json"})
).flatmap(
    lambda jwks: optional(
        {"audience": unique_lists(labels, 3), "jwks": st.just(jwks)},
        user=claims,
        scopes=claims,
        leeway=durations(0, 60_000),
        algorithms=unique_lists(st.sampled_from(["RS256", "ES256"]), 2),
    )
)


@st.composite
def identities(draw: st.DrawFn) -> Data:
    jwt = [{"issuer": f"https://id{n}.example.com/"} | draw(issuers) for n in range(draw(st.integers(1, 2)))]
    names = draw(unique_lists(labels, 3))
    # A key has to tell its consumer: no two share a secret.
    keys = [draw(secrets), *({"env": f"KEY_{index}_{draw(environment_names)}"} for index in range(1, len(names)))]
    consumers = [{"name": name, "secret": key} for name, key in zip(names, keys, strict=True)]
    rest = draw(optional({}, gateway_secret=st.fixed_dictionaries({"header": st.just("X-Gate"), "secret": secrets})))
    return {"jwt": jwt if len(jwt) > 1 else jwt[0], "api_key": {"consumers": consumers}, **rest}


@st.composite
def platforms(draw: st.DrawFn) -> Data:
    store = optional(
        {"redis": st.sampled_from(["redis://127.0.0.1:6379", "rediss://127.0.0.1:6380/3"])},
        password=st.fixed_dictionaries({"secret": secrets}),
        on_failure=st.sampled_from(["deny", "allow"]),
    ).map(lambda data: data | {"service": "127.0.0.1:8081"})
    platform: Data = {"apiVersion": "gwc/v1", "kind": "Platform", "listen": draw(listens())}
    platform |= {"identity": draw(identities()), "rate_limit_store": draw(store)}
    return platform | draw(
        optional(
            {},
            owner=one_line,
            description=one_line,
            trusted_proxies=unique_lists(st.sampled_from(["10.0.0.0/8", "192.0.2.1/32", "fd00::/8", "0.0.0.0/0"]), 3),
            request_id=optional({}, accept=st.sampled_from(["always", "from_trusted_proxies", "never"])),
            tracing=optional({"otlp": st.just("http://127.0.0.1:4318")}, sample=shares),
            metrics=st.just({"path": "/stats/all"}),
            access_log=st.just({"format": "json"}),
            errors=st.sampled_from([{"type": "https://errors.example.com/"}, {"type": "urn:x:%1%41;"}]),
            limits=limits(PUBLIC_KEYS),
            concurrency=counts,
            defaults=optional({}, timeouts=timeouts, retries=retries, max_body=sizes, cors=cors, headers=headers),
        )
    )


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Data]:
    """A platform and one to three services, by the name of the file that each belongs into."""
    found = [draw(services(index)) for index in range(draw(st.integers(1, 3)))]
    return {"platform": draw(platforms()), **{service["service"]: service for service in found}}


HOSTILE = (
    '"',
    "'",
    "\\",
    "$",
    "${x}",
    "$(headers.x)",
    "%REQ(x)%",
    "%%",
    ";",
    "; return 200 pwned;",
    "}",
    "{",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "#",
    "a\nb",
    "a\r\nSet-Cookie: x=1",
    "\x00",
    "\x7f",
    "\t",
    "é",
    "\u202e",
    "\U0001f600",
    "`id`",
    "<script>",
    "../../etc/passwd",
    "~^.*$",
    "*",
    "?",
    "|",
    "^",
    "[",
    "(",
    "a b",
    " ",
    "",
    "-",
    "]]",
    "--[[",
    "x" * 5000,
    "default",
    "include /etc/passwd",
    "null",
    "true",
    "0",
    string.punctuation,
)
"""What breaks a configuration file when somebody forgot to quote, or means something in one of its languages."""
