"""Shapes of what a service writes, and of the sections that the platform's defaults hold, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gwc.policy import hosts, texts
from gwc.policy.shapes.making import (
    Convert,
    Shape,
    base_path,
    count,
    count_or_zero,
    counting,
    duration,
    duration_or_zero,
    flag,
    free_header,
    free_text,
    header,
    header_names,
    header_value,
    host_name,
    items_of,
    itself,
    known_texts,
    known_values,
    label,
    mapping,
    method,
    number,
    once,
    one_of,
    or_none,
    path_template,
    query,
    rate,
    refuse,
    route_name,
    scope,
    share,
    size,
    table,
    url,
)

MAX_ENVIRONMENTS = 100


class Timeouts(Shape):
    connect = request = idle = None


class Backoff(Shape):
    base: Any = None
    max: Any = None


class Retries(Shape):
    attempts = when = per_try = backoff = budget = unsafe = None


class Auth(Shape):
    any_of = scopes = None


class Cors(Shape):
    origins = methods = headers = credentials = max_age = None


class HeaderChanges(Shape):
    set: Any = None
    remove: Any = None


class Headers(Shape):
    request = response = None


class Vary(Shape):
    query = headers = None


class Stale(Shape):
    if_error = while_revalidate = None


class Cache(Shape):
    ttl = vary = stale = negative_ttl = scope = None


class HeaderKey(Shape):
    pass


class Limit(Shape):
    burst = None
    mode = "enforce"
    scope = "gateway"


class Budget(Shape):
    per = "user"
    charge = None
    scope = "gateway"


def _check_backoff(made: Any) -> None:
    refuse(made.base is not None and made.max is not None and made.base > made.max)


def _cause(value: Any) -> Any:
    known = value in ("connect", "reset") or (type(value) is int and 500 <= value <= 599)
    refuse(not known)
    return value


def _check_changes(made: Any) -> None:
    names = [name.lower() for name in made.set or ()]
    refuse(len(set(names)) < len(names) or {name.lower() for name in made.remove or ()}.intersection(names))


def _changes_but(owned: frozenset[str]) -> Convert:
    fields = {"set": table(header, header_value), "remove": header_names}

    def check(made: Any) -> None:
        _check_changes(made)
        refuse(any(name.lower() in owned for name in (*(made.set or ()), *(made.remove or ()))))

    return mapping(HeaderChanges, fields, check=check)


def _key(value: Any) -> Any:
    return value if value in ("ip", "user", "service") else _header_key(value)


_header_key = mapping(HeaderKey, {"header": header}, "header")
limits = known_values(
    items_of(
        mapping(
            Limit,
            {"per": _key, "rate": rate, "burst": count, "mode": one_of("enforce", "shadow"), "scope": counting},
            "per",
            "rate",
        )
    )
)
_backoff = mapping(Backoff, {"base": duration, "max": duration}, check=_check_backoff)
_vary = mapping(Vary, {"query": items_of(query, key=itself), "headers": header_names})
_stale = mapping(Stale, {"if_error": duration_or_zero, "while_revalidate": duration_or_zero})
SECTIONS: dict[str, Convert] = {
    "auth": or_none(
        mapping(
            Auth,
            {"any_of": items_of(one_of("jwt", "api_key"), 1, key=itself), "scopes": items_of(scope, key=itself)},
        )
    ),
    "timeouts": mapping(Timeouts, {"connect": duration, "request": duration, "idle": duration}),
    "retries": or_none(
        mapping(
            Retries,
            {
                "attempts": number(0, 10),
                "when": items_of(_cause, key=itself),
                "per_try": duration,
                "backoff": _backoff,
                "budget": share,
                "unsafe": flag,
            },
        )
    ),
    "max_body": size,
    "cors": or_none(
        mapping(
            Cors,
            {
                "origins": items_of(known_texts(hosts.origin), key=itself),
                "methods": items_of(method, key=itself),
                "headers": header_names,
                "credentials": flag,
                "max_age": duration_or_zero,
            },
        )
    ),
    "headers": mapping(
        Headers,
        {"request": _changes_but(texts.REQUEST_OWNED), "response": _changes_but(texts.RESPONSE_OWNED)},
    ),
    "cache": or_none(
        mapping(
            Cache,
            {
                "ttl": duration,
                "vary": _vary,
                "stale": _stale,
                "negative_ttl": duration,
                "scope": one_of("public", "user"),
            },
        )
    ),
}
SECTIONS = {name: known_values(convert) for name, convert in SECTIONS.items()}


class Sections(Shape):
    auth = timeouts = retries = max_body = cors = headers = cache = None


class Route(Sections):
    description = ""
    limits = ()
    cost = None
    stream = websocket = False


_route = once(
    mapping(
        Route,
        {
            **SECTIONS,
            "name": route_name,
            "description": free_text,
            "path": path_template,
            "methods": items_of(method, 1, key=itself),
            "limits": limits,
            "cost": count_or_zero,
            "stream": flag,
            "websocket": flag,
        },
        "name",
        "path",
        "methods",
    )
)


class SecretSource(Shape):
    env = file = None


class SecretReference(Shape):
    pass


class FileReference(Shape):
    pass


class Endpoint(Shape):
    weight = 100


class UpstreamTls(Shape):
    ca = sni = client_certificate = client_key = None


class Breaker(Shape):
    pass


class Health(Shape):
    pass


class Upstream(Shape):
    tls = concurrency = breaker = health = None


def _check_secret(made: Any) -> None:
    refuse((made.env is None) == (made.file is None))


def _check_tls(made: Any) -> None:
    refuse((made.client_certificate is None) != (made.client_key is None))


def _health_path(text: str) -> str:
    refuse(not texts.is_health_path(texts.PLAIN(text)))
    return text


def _check_upstream(made: Any) -> None:
    urls = [endpoint.url for endpoint in made.endpoints]
    if len(urls) > 1:
        refuse(len({url.scheme for url in urls}) > 1 or len({(url.host, url.port) for url in urls}) < len(urls))


secret_source = mapping(
    SecretSource, {"env": known_texts(texts.ENVIRONMENT), "file": known_texts(texts.SECRET_FILE)}, check=_check_secret
)
secret = mapping(SecretReference, {"secret": secret_source}, "secret")
file = mapping(FileReference, {"file": known_texts(texts.ABSOLUTE)}, "file")
_endpoints = once(
    items_of(mapping(Endpoint, {"url": url(("http", "https"), path=False), "weight": number(1, 10_000)}, "url"), 1)
)
_long_upstream = mapping(
    Upstream,
    {
        "endpoints": _endpoints,
        "tls": mapping(
            UpstreamTls,
            {"ca": file, "sni": host_name, "client_certificate": file, "client_key": secret},
            check=_check_tls,
        ),
        "concurrency": count,
        "breaker": mapping(Breaker, {"failures": number(1, 10_000), "open": duration}, "failures", "open"),
        "health": mapping(Health, {"path": known_texts(_health_path), "every": duration}, "path", "every"),
    },
    "endpoints",
    check=_check_upstream,
)


def _upstream(value: Any) -> Any:
    return _long_upstream({"endpoints": [{"url": value}]} if type(value) is str else value)


def _any_mapping(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise TypeError
    return value


def environments(value: Any) -> dict[str, Any]:
    refuse(len(value) > MAX_ENVIRONMENTS)
    made: dict[str, Any] = table(label, _any_mapping)(value)
    return made


class Service(Sections):
    owner = description = ""
    hosts = limits = ()
    base_path = budget = None
    keep_base_path = False
    environments: Mapping[str, Any] = {}


SERVICE: dict[str, Convert] = {
    **SECTIONS,
    "apiVersion": one_of("gwc/v1"),
    "kind": one_of("Service"),
    "service": label,
    "owner": free_text,
    "description": free_text,
    "hosts": items_of(host_name, key=itself),
    "base_path": base_path,
    "keep_base_path": flag,
    "upstream": _upstream,
    "limits": limits,
    "budget": mapping(
        Budget, {"per": one_of("user"), "units": rate, "charge": free_header, "scope": counting}, "units"
    ),
    "routes": items_of(_route, 1),
    "environments": environments,
}
