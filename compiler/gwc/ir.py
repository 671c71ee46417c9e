"""The Gateway: what the policies mean once every default, level, bound and environment is settled.

Plain frozen data in SI units: seconds, bytes, fractions of one. A field is `None` only where absence is the meaning
("no cache"), never because somebody left it out. Every node remembers in
`provenance` where each of its leaves came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Literal

from gwc.frozen import dataclass, field
from gwc.origin import Level as Level
from gwc.origin import Origin as Origin
from gwc.origin import Provenance as Provenance
from gwc.origin import Shared as Shared
from gwc.units import Rate

_NOWHERE: Provenance = MappingProxyType({})


class _Placed:
    """Where a node was written stands beside its values, so that nodes of the same values can share them.

    `placed` is its provenance, or what stands for it and for those of nodes around.
    """

    __slots__ = ("placed",)
    placed: Provenance | Shared


def _provenance(node: _Placed) -> Provenance:
    placed = node.placed
    return placed.of(node) if isinstance(placed, Shared) else placed


_Placed.provenance = property(_provenance, _Placed.placed.__set__)  # type: ignore[attr-defined, misc, union-attr]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Node(_Placed):
    """Base of all IR nodes. `provenance` maps a field's name to its origin and takes no part in equality."""

    provenance: Provenance = field(default_factory=lambda: _NOWHERE, compare=False, repr=False)

    # What dataclasses would write for each of the classes below, which takes them most of the time of an import.
    def __eq__(self, other: object) -> bool:
        return self.__class__ is other.__class__ and vars(self) == vars(other)

    def __hash__(self) -> int:
        from dataclasses import fields

        return hash(tuple(getattr(self, one.name) for one in fields(self) if one.compare))

    def __repr__(self) -> str:
        from dataclasses import fields

        shown = (f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
        return f"{type(self).__name__}({', '.join(shown)})"

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "provenance": self.provenance}

    def __setstate__(self, state: dict[str, object]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Address(Node):
    """A host (name or IP literal without brackets) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Secret(Node):
    """A reference to a secret on the gateway's host: an environment variable or an absolute path. Never its value."""

    source: Literal["env", "file"]
    name: str


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Https(Node):
    """The listener for HTTPS."""

    address: Address
    certificate: str  # absolute path of a PEM chain on the gateway's host
    key: Secret
    min_version: Literal["TLSv1.2", "TLSv1.3"]
    redirect: bool  # plain HTTP answers 308 to the https URL


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Listen(Node):
    """Where the gateway listens."""

    http: Address | None
    https: Https | None
    admin: Address


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class GatewaySecret(Node):
    """Proof to the service that a request passed the gateway."""

    header: str
    secret: Secret


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class JwtProvider(Node):
    """One issuer. `jwks` is the inlined JSON Web Key Set, or None when the keys are fetched from `jwks_url`."""

    name: str
    issuer: str
    audiences: tuple[str, ...]
    jwks: str | None
    jwks_url: str | None
    user_claim: str
    scope_claim: str
    algorithms: tuple[str, ...]
    leeway: float


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Consumer(Node):
    """Who an API key stands for."""

    name: str
    secret: Secret


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ApiKeys(Node):
    """The header that carries an API key, and who has one."""

    header: str
    consumers: tuple[Consumer, ...]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Identity(Node):
    """How callers are known."""

    user_header: str
    gateway_secret: GatewaySecret | None
    jwt: tuple[JwtProvider, ...]
    api_key: ApiKeys | None


class Accept(StrEnum):
    """Whose request id and traceparent are kept."""

    ALWAYS = "always"
    FROM_TRUSTED_PROXIES = "from_trusted_proxies"
    NEVER = "never"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RequestId(Node):
    """The header of request ids, and whose are kept."""

    header: str
    accept: Accept


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Tracing(Node):
    """Where spans go, and how many of them."""

    otlp: str  # base URL of an OTLP/HTTP collector
    sample: float


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RateLimitStore(Node):
    """Where gateways count together."""

    redis: Address
    redis_tls: bool
    redis_database: int
    password: Secret | None
    service: Address | None  # gRPC address of the rate limit service (Envoy)
    on_failure: Literal["deny", "allow"]


class LimitKey(StrEnum):
    IP = "ip"
    USER = "user"
    SERVICE = "service"
    HEADER = "header"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Limit(Node):
    """A token bucket: at most `burst` at once, refilled evenly at `rate`. `id` is unique in the Gateway and stable."""

    id: str
    key: LimitKey
    header: str | None  # lower-case name, for LimitKey.HEADER
    rate: Rate
    burst: int
    shadow: bool
    cluster: bool


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Budget(Node):
    """`units` per user in each clock-aligned period of `units.period` seconds, over the whole service."""

    units: Rate
    charge: str | None  # response header with the actual cost
    cluster: bool


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Endpoint(Node):
    """One server of a service."""

    scheme: Literal["http", "https"]
    address: Address
    weight: int


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class UpstreamTls(Node):
    """Always verified. `ca` None means the host's own trust store; `sni` None the endpoint's host name."""

    ca: str | None
    sni: str | None
    client_certificate: str | None
    client_key: Secret | None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Breaker(Node):
    """After so many consecutive failures, no traffic for `open` seconds."""

    failures: int
    open: float


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Health(Node):
    """A path that is asked `every` so many seconds."""

    path: str
    every: float


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Upstream(Node):
    """The service behind the gateway."""

    endpoints: tuple[Endpoint, ...]
    tls: UpstreamTls | None  # None exactly when the endpoints are plain http
    concurrency: int | None
    breaker: Breaker | None
    health: Health | None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Auth(Node):
    """Any one of `providers` ("jwt", "api_key") is enough; every scope is needed."""

    providers: tuple[str, ...]
    scopes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Timeouts(Node):
    """In seconds; `request` includes the retries."""

    connect: float
    request: float
    idle: float


class RetryCause(StrEnum):
    CONNECT = "connect"
    RESET = "reset"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Retries(Node):
    """`attempts` counts the extra tries; 0 is none. `budget` caps retries as a share of live requests."""

    attempts: int
    causes: tuple[RetryCause, ...]
    statuses: tuple[int, ...]
    per_try: float | None
    backoff_base: float
    backoff_max: float
    budget: float | None
    unsafe: bool


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class HeaderChanges(Node):
    """Names keep their case; `remove` and `set` never name the same header. Removal comes first.

    `provenance` also has each header by itself: `set.x-team`, `remove.x-debug`.
    """

    set: tuple[tuple[str, str], ...]
    remove: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Headers(Node):
    """What changes on the way in and on the way out."""

    request: HeaderChanges
    response: HeaderChanges


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Cors(Node):
    """`origins` holds exact origins, or the single entry "*"."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    credentials: bool
    max_age: float


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Cache(Node):
    """Lifetimes in seconds, and what keys an answer."""

    ttl: float
    vary_query: tuple[str, ...]  # sorted
    vary_headers: tuple[str, ...]  # lower case, sorted
    stale_if_error: float
    stale_while_revalidate: float
    negative_ttl: float | None
    per_user: bool


class SegmentKind(Enum):
    """Ordered by precedence: a literal wins over a parameter, which wins over a rest."""

    LITERAL = 0
    PARAM = 1
    REST = 2


@dataclass(frozen=True, slots=True)
class Segment:
    """`text` is a literal's text, a parameter's name, or empty for the rest."""

    kind: SegmentKind
    text: str


_SHAPES = {kind: (kind.value, "") if kind is not SegmentKind.LITERAL else None for kind in SegmentKind}


Shape = tuple[tuple[int, str], ...]
_Cut = tuple[str, tuple[Segment, ...], Shape]


class PathTemplate:
    """A path cut at its slashes: `/a/{b}/**` is LITERAL a, PARAM b, REST. `/` is one empty literal.

    Services write the same paths below bases of their own, so a path is kept in two pieces that others share, and put
    together for whoever asks.
    """

    __slots__ = ("_base", "_own")
    __match_args__ = ("text", "segments")
    _base: _Cut | None
    _own: _Cut

    def __init__(self, text: str, segments: tuple[Segment, ...]) -> None:
        self._base = None
        self._own = text, segments, tuple([_SHAPES[s.kind] or (0, s.text) for s in segments])

    @property
    def text(self) -> str:
        return self._own[0] if self._base is None else self._base[0] + self._own[0]

    @property
    def segments(self) -> tuple[Segment, ...]:
        return self._own[1] if self._base is None else self._base[1] + self._own[1]

    @property
    def shape(self) -> Shape:
        """Equal for templates that match the same paths; sorts the more specific first."""
        return self._own[2] if self._base is None else self._base[2] + self._own[2]

    def under(self, base: PathTemplate) -> PathTemplate:
        """The path that begins with all of `base`."""
        path = PathTemplate.__new__(PathTemplate)
        path._base = base._own if base._base is None else (base.text, base.segments, base.shape)
        path._own = self._own if self._base is None else (self.text, self.segments, self.shape)
        return path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PathTemplate) and (self.text, self.segments) == (other.text, other.segments)

    def __hash__(self) -> int:
        return hash((self.text, self.segments))

    def __repr__(self) -> str:
        return f"PathTemplate(text={self.text!r}, segments={self.segments!r})"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Route(Node):
    """`path` is what the client asks for, the service's base path included."""

    name: str
    description: str
    path: PathTemplate
    methods: tuple[str, ...]  # upper case, sorted
    auth: Auth | None  # None: public
    timeouts: Timeouts
    retries: Retries
    limits: tuple[Limit, ...]
    cost: int
    max_body: int
    cors: Cors | None
    headers: Headers
    cache: Cache | None
    stream: bool
    websocket: bool


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Service(Node):
    """`strip` is the prefix taken off before forwarding: the base path, or nothing with `keep_base_path`."""

    name: str
    owner: str
    description: str
    hosts: tuple[str, ...]  # lower case; empty: every host
    base_path: str  # "" or "/x", never with a trailing slash
    strip: str
    upstream: Upstream
    limits: tuple[Limit, ...]
    budget: Budget | None
    routes: tuple[Route, ...]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TargetOptions(Node):
    """`profile` "" means the target's first. `accept` names features below exact that were taken knowingly."""

    profile: str
    accept: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Gateway(Node):
    """Everything that a target may know. Services are sorted by name, routes in the order of their policy."""

    environment: str | None
    now: date
    listen: Listen
    trusted_proxies: tuple[str, ...]  # CIDRs
    identity: Identity
    request_id: RequestId
    tracing: Tracing | None
    metrics_path: str
    access_log: Literal["json"]
    error_type_base: str
    rate_limit_store: RateLimitStore | None
    limits: tuple[Limit, ...]
    concurrency: int | None
    services: tuple[Service, ...]
    targets: Mapping[str, TargetOptions]
