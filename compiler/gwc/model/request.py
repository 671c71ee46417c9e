"""What the model is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True)
class Request:
    """`time` in seconds since 1970. `headers` have lower-case names. `user` is the verified one, empty for nobody.

    `credential` is its kind, "jwt" or "api_key"; empty: any that the route accepts. `scopes` None: all that are needed.
    `audience` false: the credential is good, and for somebody else's services.
    """

    time: float
    method: str
    host: str
    path: str
    query: str = ""
    client_ip: str = "127.0.0.1"
    user: str = ""
    credential: str = ""
    scopes: frozenset[str] | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: _NONE)
    body: int = 0
    audience: bool = True
    https: bool = False


@dataclass(slots=True)
class Answer:
    """What the service does if it is asked: status, seconds until it has answered, the actual cost if it tells one.

    `problem`: the gateway's own error in place of an answer, as in Outcome. `content` is kept with what is kept.
    """

    status: int = 200
    seconds: float = 0.0
    cost: int | None = None
    cacheable: bool = True
    problem: str = ""
    limited_by: str = ""
    retry_after: float | None = None
    content: object = None


@dataclass(slots=True)
class Outcome:
    """`problem` is the type of the gateway's own error, empty for none. `limited_by` as in the access log.

    `content` is that of the Answer that is served, kept or new, and `seconds` how long that took.
    """

    status: int
    service: str = ""
    route: str = ""
    problem: str = ""
    limited_by: str = ""
    shadowed_by: tuple[str, ...] = ()
    cache: str = ""
    cost: int = 0
    retry_after: float | None = None
    content: object = None
    seconds: float = 0.0

    @property
    def refused(self) -> bool:
        return bool(self.problem)
