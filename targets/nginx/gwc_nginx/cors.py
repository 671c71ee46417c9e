"""Cross-origin requests. Profile njs takes the policy's word as data; profile plain compares origins in maps."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from gwc.derived import per_gateway
from gwc.ir import Cors, Gateway
from gwc.routing import PathEntry
from gwc_nginx.conf import Directive, block, d
from gwc_nginx.quoting import q, qlit, regex
from gwc_nginx.values import values

VARIABLES = ("gwc_allow_origin", "gwc_allow_credentials", "gwc_vary")
"""Profile plain: what a route leaves for whoever writes the answer. Empty is not sent."""

_OURS = (
    *("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods"),
    *("Access-Control-Allow-Headers", "Access-Control-Expose-Headers", "Access-Control-Max-Age"),
)
"""Headers of a service that the policy's word replaces."""


def data(cors: Cors | None) -> dict[str, object] | None:
    if cors is None:
        return None
    return {
        "origins": " ".join(cors.origins),
        "credentials": cors.credentials,
        "methods": ", ".join(cors.methods),
        "headers": ", ".join(cors.headers),
        "maxAge": _seconds(cors),
    }


def of_gateway(gateway: Gateway) -> tuple[Cors, ...]:
    """The different ones, in the order of the policies: a place in it is a name."""
    return tuple(_different(gateway).values())


def number(gateway: Gateway, cors: Cors | None) -> int | None:
    return None if cors is None else _numbers(gateway)[values(cors)]


@per_gateway
def _numbers(gateway: Gateway) -> dict[Hashable, int]:
    return {said: number for number, said in enumerate(_different(gateway))}


def _different(gateway: Gateway) -> dict[Hashable, Cors]:
    found: dict[Hashable, Cors] = {}
    for service in gateway.services:
        for route in service.routes:
            if route.cors is not None:
                found.setdefault(values(route.cors), route.cors)
    return found


def maps(every: tuple[Cors, ...]) -> Iterator[Directive]:
    """`$gwc_origin_N` is what an answer says of the client's origin. Keys that are text would ignore case."""
    for index, cors in enumerate(every):
        cases = (d(q(rf"~^(?<gwc_origin>{regex(origin)})\z"), "$gwc_origin") for origin in cors.origins)
        anybody = (d("default", q("*")), d(q(""), q("")))
        named = (d("default", q("")), *cases)
        yield block("map", "$http_origin", f"$gwc_origin_{index}", of=anybody if cors.origins == ("*",) else named)
        credentials = (d("default", q("true" if cors.credentials else "")), d(q(""), q("")))
        yield block("map", f"$gwc_origin_{index}", f"$gwc_credentials_{index}", of=credentials)


def preflights(every: tuple[Cors, ...], correlation: Directive) -> Iterator[Directive]:
    """Where a preflight of a listed origin is answered."""
    for index, cors in enumerate(every):
        said = (
            ("Access-Control-Allow-Methods", ", ".join(cors.methods)),
            ("Access-Control-Allow-Headers", ", ".join(cors.headers)),
            ("Access-Control-Max-Age", _seconds(cors)),
        )
        yield block("location", "=", f"/_gwc/preflight/{index}", of=(
            d("internal"),
            *(d("add_header", name, qlit(value)) for name, value in said),
            *_set(index, "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
            *answers(),
            correlation,
            d("return", "204"),
        ))  # fmt: skip


def choices(entry: PathEntry, numbers: Sequence[int | None]) -> Iterator[Directive]:
    """A preflight asks about a method, which decides whose word counts; one that nobody grants goes no further where
    the path has OPTIONS of its own. `numbers` are those of its routes' policies."""
    for matched, index in zip(entry.routes, numbers, strict=True):
        if index is not None:
            methods = "|".join(regex(method) for method in matched.route.methods)
            yield d("set", "$gwc_asked", q(f"$request_method:$http_access_control_request_method:$gwc_origin_{index}"))
            yield block("if", "($gwc_asked", "~", q(rf"^OPTIONS:(?:{methods}):.") + ")", of=(
                d("rewrite", "^", f"/_gwc/preflight/{index}", "last"),
            ))  # fmt: skip
    if any("OPTIONS" in matched.route.methods and matched.route.cors is not None for matched in entry.routes):
        yield d("set", "$gwc_asked", q("$request_method:$http_access_control_request_method:$http_origin"))
        yield block("if", "($gwc_asked", "~", q(r"^OPTIONS:[^:]+:.") + ")", of=(d("return", "403"),))


def named(number: int | None) -> tuple[Directive, ...]:
    """What a route's answers say, problems included."""
    return () if number is None else _set(number, "Origin")


def hidden(cors: Cors | None) -> tuple[Directive, ...]:
    return () if cors is None else tuple(d("proxy_hide_header", name) for name in _OURS)


def forgotten() -> tuple[Directive, ...]:
    return tuple(d("set", f"${name}", q("")) for name in VARIABLES)


def answers() -> tuple[Directive, ...]:
    names = ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Vary")
    return tuple(
        d("add_header", name, f"${variable}", "always") for name, variable in zip(names, VARIABLES, strict=True)
    )


def _set(index: int, vary: str) -> tuple[Directive, ...]:
    values = (f"$gwc_origin_{index}", f"$gwc_credentials_{index}", vary)
    return tuple(d("set", f"${name}", q(value)) for name, value in zip(VARIABLES, values, strict=True))


def _seconds(cors: Cors) -> str:
    return str(int(cors.max_age))
