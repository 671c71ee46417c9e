"""The platform's own part of the Gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gwc.diagnostics import Report, Span
from gwc.document import Document, Path
from gwc.features import FEATURES
from gwc.ir import (
    Accept,
    Address,
    ApiKeys,
    Consumer,
    GatewaySecret,
    Https,
    Identity,
    JwtProvider,
    Level,
    Listen,
    Origin,
    RateLimitStore,
    RequestId,
    Secret,
    TargetOptions,
    Tracing,
)
from gwc.policy.hosts import HostPort
from gwc.source import Source
from gwc.suggest import did_you_mean

if TYPE_CHECKING:
    from gwc.policy.identity import JwtPolicy
    from gwc.policy.platform import HttpsPolicy, PlatformPolicy
    from gwc.policy.secrets import SecretSource

ReadPublic = Callable[[Source, str], str]
"""Reads a public file that a policy names, relative to the policy. Raises OSError."""


class Top:
    """A node of one document, at `path`, and the level that wrote it. It is known by the key `named`."""

    __slots__ = ("document", "level", "named", "path")

    def __init__(self, document: Document, path: Path, level: Level, named: Path) -> None:
        self.document, self.path, self.level, self.named = document, path, level, named


class _Step:
    """From a top to a node below it, by way of the nodes `around`. The same for all tops: services write alike."""

    __slots__ = ("around", "path")

    def __init__(self, path: Path, around: _Step | None) -> None:
        self.path, self.around = path, around


@lru_cache(maxsize=10_000)
def _below(step: _Step, *name: str | int) -> _Step:
    return _Step((*step.path, *name), step)


_HERE = _Step((), None)


class Place:
    """A node at or below a top. A leaf that is not there is a default, said to be at the closest node around that is
    there, or else at the key that the top is known by."""

    __slots__ = ("_step", "top")

    def __init__(self, top: Top, step: _Step = _HERE) -> None:
        self.top, self._step = top, step

    @property
    def document(self) -> Document:
        return self.top.document

    @property
    def path(self) -> Path:
        return self.top.path + self._step.path

    def home(self) -> Span:
        around = self._step.around
        return self.document.span(self.top.named) if around is None else Place(self.top, around).span_at(self.path)

    def origin(self, *name: str | int) -> Origin:
        return Origin.placed(self, (*self.path, *name))

    def level_at(self, path: Path) -> Level:
        return self.top.level if self.document.has(path) else Level.DEFAULT

    def span_at(self, path: Path) -> Span:
        return self.document.written(path) or self.home()

    def origins(self, **leaves: str) -> Origins:
        """Leaf of the IR -> its origin, for the policy's key (dotted where it lies deeper)."""
        return self.origins_of(leaves)

    def origins_of(self, leaves: Mapping[str, str]) -> Origins:
        """As `origins`, for `leaves` that are kept: many nodes have the same."""
        return Origins(self.top, self._step, leaves)

    def below(self, *name: str | int) -> Place:
        return Place(self.top, _below(self._step, *name))


class Origins(Mapping[str, Origin]):
    """A provenance whose origins are made for whoever asks: of each leaf, that of a key, which is dotted where it lies
    deeper and empty for the node itself."""

    __slots__ = ("_keys", "_step", "_top")

    def __init__(self, top: Top, step: _Step, keys: Mapping[str, str]) -> None:
        self._top, self._step, self._keys = top, step, keys

    def __getitem__(self, leaf: str) -> Origin:
        key = self._keys[leaf]
        place = Place(self._top, self._step)
        return place.origin(*key.split(".")) if key else place.origin()

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def platform_place(document: Document) -> Place:
    return Place(Top(document, (), Level.PLATFORM, ("kind",)))


_ADDRESS = {"host": "", "port": ""}


def address(at: HostPort, place: Place) -> Address:
    return Address(host=at.host, port=at.port, provenance=place.origins_of(_ADDRESS))


def secret(source: SecretSource, place: Place) -> Secret:
    if source.env is not None:
        return Secret(source="env", name=source.env, provenance=place.origins(source="env", name="env"))
    assert source.file is not None
    return Secret(source="file", name=source.file, provenance=place.origins(source="file", name="file"))


def listen(policy: PlatformPolicy, top: Place) -> Listen:
    place, settings = top.below("listen"), policy.listen
    return Listen(
        http=address(settings.http, place.below("http")) if settings.http else None,
        https=_https(settings.https, place.below("https")) if settings.https else None,
        admin=address(settings.admin, place.below("admin")),
        provenance=place.origins(http="http", https="https", admin="admin"),
    )


def _https(policy: HttpsPolicy, place: Place) -> Https:
    return Https(
        address=address(policy.port, place.below("port")),
        certificate=policy.certificate.file,
        key=secret(policy.key.secret, place.below("key", "secret")),
        min_version=policy.min_version,
        redirect=policy.redirect,
        provenance=place.origins(
            address="port", certificate="certificate.file", key="key", min_version="min_version", redirect="redirect"
        ),
    )


def identity(policy: PlatformPolicy, top: Place, read: ReadPublic, report: Report) -> Identity:
    place, settings = top.below("identity"), policy.identity
    many = top.document.has(("identity", "jwt", 0))
    providers = tuple(
        _jwt(issuer, index, place.below("jwt", index) if many else place.below("jwt"), read, report)
        for index, issuer in enumerate(settings.jwt or ())
    )
    origins = place.origins(user_header="user_header", gateway_secret="gateway_secret", jwt="jwt", api_key="api_key")
    return Identity(
        user_header=settings.user_header,
        gateway_secret=_gateway_secret(policy, place.below("gateway_secret")),
        jwt=providers,
        api_key=_api_keys(policy, place.below("api_key")),
        provenance=origins,
    )


def _gateway_secret(policy: PlatformPolicy, place: Place) -> GatewaySecret | None:
    settings = policy.identity.gateway_secret
    if settings is None:
        return None
    kept = secret(settings.secret, place.below("secret"))
    return GatewaySecret(
        header=settings.header, secret=kept, provenance=place.origins(header="header", secret="secret")
    )


def _jwt(policy: JwtPolicy, index: int, place: Place, read: ReadPublic, report: Report) -> JwtProvider:
    keys = _key_set(policy.jwks.file, place.below("jwks", "file"), read, report) if policy.jwks.file else None
    return JwtProvider(
        name=f"jwt-{index}" if index else "jwt",
        issuer=policy.issuer,
        audiences=policy.audience,
        jwks=keys,
        jwks_url=str(policy.jwks.url) if policy.jwks.url else None,
        user_claim=policy.user,
        scope_claim=policy.scopes,
        algorithms=policy.algorithms,
        leeway=policy.leeway,
        provenance=place.origins(
            name="issuer", issuer="issuer", audiences="audience", jwks="jwks.file", jwks_url="jwks.url",
            user_claim="user", scope_claim="scopes", algorithms="algorithms", leeway="leeway",
        ),
    )  # fmt: skip


def _key_set(file: str, place: Place, read: ReadPublic, report: Report) -> str | None:
    import json  # of use to those alone who keep their keys in a file

    where = place.origin()
    try:
        keys = json.loads(read(place.document.source, file), parse_constant=_no_constant)
    except OSError as error:
        hint = "the path is relative to the policy file"
        report.error("GWC230", where.span, f"the key set {file} cannot be read: {error.strerror}", hint=hint)
        return None
    except (ValueError, RecursionError):
        report.error("GWC231", where.span, f"{file} is not JSON", hint='a key set is {"keys": [...]}')
        return None
    if fault := _fault_of_keys(keys):
        report.error("GWC231", where.span, f"{file}: {fault}")
        return None
    public = {"keys": [{name: key[name] for name in _PUBLIC & key.keys()} for key in keys["keys"]]}
    return json.dumps(public, sort_keys=True, separators=(",", ":"))


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_PUBLIC = frozenset({"kty", "use", "key_ops", "alg", "kid", "x5u", "x5c", "x5t", "x5t#S256", "n", "e", "crv", "x", "y"})
"""What RFC 7517 and 7518 define for public keys. Other members mean nothing to a verifier and are not inlined."""
_MATERIAL = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def _fault_of_keys(keys: Any) -> str | None:
    """Key material that must not be inlined is refused: the output may be committed and uploaded."""
    entries = keys.get("keys") if isinstance(keys, dict) else None
    if not isinstance(entries, list) or not entries or not all(isinstance(key, dict) for key in entries):
        return "not a key set with at least one key"
    for key in entries:
        if private := _PRIVATE & key.keys():
            return f"holds private key material (`{min(private)}`); publish the public keys alone"
        if key.get("kty") not in ("RSA", "EC"):
            return "a key is neither RSA nor EC"
        if missing := [name for name in _MATERIAL[key["kty"]] if not isinstance(key.get(name), str)]:
            return f"a key of type {key['kty']} lacks `{missing[0]}`"
    return None


def _api_keys(policy: PlatformPolicy, place: Place) -> ApiKeys | None:
    settings = policy.identity.api_key
    if settings is None:
        return None
    consumers = []
    for index, consumer in enumerate(settings.consumers):
        at = place.below("consumers", index)
        kept = secret(consumer.secret, at.below("secret"))
        consumers.append(Consumer(name=consumer.name, secret=kept, provenance=at.origins(name="name", secret="secret")))
    origins = place.origins(header="header", consumers="consumers")
    return ApiKeys(header=settings.header, consumers=tuple(consumers), provenance=origins)


def request_id(policy: PlatformPolicy, top: Place) -> RequestId:
    place, settings = top.below("request_id"), policy.request_id
    origins = place.origins(header="header", accept="accept")
    return RequestId(header=settings.header, accept=Accept(settings.accept), provenance=origins)


def tracing(policy: PlatformPolicy, top: Place) -> Tracing | None:
    place, settings = top.below("tracing"), policy.tracing
    if settings is None:
        return None
    return Tracing(
        otlp=str(settings.otlp), sample=settings.sample, provenance=place.origins(otlp="otlp", sample="sample")
    )


def store(policy: PlatformPolicy, top: Place) -> RateLimitStore | None:
    place, settings = top.below("rate_limit_store"), policy.rate_limit_store
    if settings is None:
        return None
    redis = HostPort(settings.redis.host, settings.redis.port)
    password = settings.password
    return RateLimitStore(
        redis=address(redis, place.below("redis")),
        redis_tls=settings.redis.scheme == "rediss",
        redis_database=int(settings.redis.path.strip("/") or 0),
        password=secret(password.secret, place.below("password", "secret")) if password else None,
        service=address(settings.service, place.below("service")) if settings.service else None,
        on_failure=settings.on_failure,
        provenance=place.origins(
            redis="redis", redis_tls="redis", redis_database="redis", password="password", service="service",
            on_failure="on_failure",
        ),
    )  # fmt: skip


def targets(policy: PlatformPolicy, top: Place, report: Report) -> dict[str, TargetOptions]:
    options = {}
    for name, settings in sorted(policy.targets.items()):
        place = top.below("targets", name)
        for index, feature in enumerate(settings.accept):
            if feature not in FEATURES:
                span = place.origin("accept", index).span
                hint = did_you_mean(feature, FEATURES) or "`gwc support` lists the names"
                report.error("GWC232", span, f"`{feature}` is not a feature", hint=hint)
        options[name] = TargetOptions(
            profile=settings.profile or "",
            accept=settings.accept,
            provenance=place.origins(profile="profile", accept="accept"),
        )
    return options
