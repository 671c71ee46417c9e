"""The gateway of the policies on this machine: everything that clients see stays, everything around it is replaced.

Listeners and services are on loopback, issuers have keys of the run, secrets are made up, and counts that gateways
share are kept by the one there is.
"""

from __future__ import annotations

import contextlib
import random
import secrets
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Literal

from gwc.ir import Address, Budget, Gateway, Identity, Limit, Listen, Secret, Service
from gwc.model.gateway import network
from gwc.target import Artifact
from gwc.testing.plan import CLIENT, PlannedTest
from gwc.testing.tokens import Issuer

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Props:
    """What a run has in place of the real things. `environ` are the made-up secrets by variable."""

    issuers: Mapping[str, Issuer]
    secrets: Mapping[tuple[Literal["env", "file"], str], Secret]
    environ: Mapping[str, str]

    def value(self, secret: Secret) -> str:
        return self.environ[self.secrets[secret.source, secret.name].name]


def props(gateway: Gateway) -> Props:
    found = [one.secret for one in (gateway.identity.gateway_secret,) if one is not None]
    found += [one.secret for one in gateway.identity.api_key.consumers] if gateway.identity.api_key else []
    names = {(one.source, one.name): f"GWC_TEST_SECRET_{number}" for number, one in enumerate(found)}
    replaced = {(one.source, one.name): replace(one, source="env", name=names[one.source, one.name]) for one in found}
    environ = {name: secrets.token_hex(16) for name in names.values()}
    return Props({one.issuer: Issuer(one) for one in gateway.identity.jwt}, replaced, environ)


def staged(gateway: Gateway, props: Props, ports: Ports, clients: Clients) -> Gateway:
    """`gateway` as it is run here."""
    return replace(
        gateway,
        listen=_listen(gateway.listen, ports),
        trusted_proxies=clients.trusted(gateway.trusted_proxies),
        identity=_identity(gateway.identity, props),
        tracing=None,
        rate_limit_store=None,
        limits=tuple(map(_own, gateway.limits)),
        services=tuple(_service(service, ports.services[service.name]) for service in gateway.services),
    )


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the gateway listens, and where each service does."""

    listen: int
    admin: int
    services: Mapping[str, int]


def _listen(listen: Listen, ports: Ports) -> Listen:
    plain = listen.http or (listen.https.address if listen.https else Address(host=LOOPBACK, port=0))
    origin = listen.provenance.get("http") or listen.provenance["https"]
    return replace(
        listen,
        http=replace(plain, host=LOOPBACK, port=ports.listen),
        https=None,
        admin=replace(listen.admin, host=LOOPBACK, port=ports.admin),
        provenance={**listen.provenance, "http": origin},
    )


def _identity(identity: Identity, props: Props) -> Identity:
    proof, keys = identity.gateway_secret, identity.api_key
    return replace(
        identity,
        gateway_secret=proof and replace(proof, secret=props.secrets[proof.secret.source, proof.secret.name]),
        jwt=tuple(replace(one, jwks=props.issuers[one.issuer].key_set(), jwks_url=None) for one in identity.jwt),
        api_key=keys and replace(
            keys,
            consumers=tuple(replace(c, secret=props.secrets[c.secret.source, c.secret.name]) for c in keys.consumers),
        ),
    )  # fmt: skip


def _own(limit: Limit) -> Limit:
    return replace(limit, cluster=False)


def _budget(budget: Budget | None) -> Budget | None:
    return budget and replace(budget, cluster=False)


def _service(service: Service, port: int) -> Service:
    """One endpoint, so that what happens does not hang on which was chosen."""
    first = service.upstream.endpoints[0]
    endpoint = replace(first, scheme="http", address=replace(first.address, host=LOOPBACK, port=port), weight=100)
    return replace(
        service,
        upstream=replace(service.upstream, endpoints=(endpoint,), tls=None),
        limits=tuple(map(_own, service.limits)),
        budget=_budget(service.budget),
        routes=tuple(replace(route, limits=tuple(map(_own, route.limits))) for route in service.routes),
    )


@dataclass(slots=True)
class Clients:
    """Addresses of the test as addresses of this machine: all of 127.0.0.0/8 is loopback, on Linux. Those that count as
    one client are one here, too."""

    _here: dict[str, str] = field(default_factory=lambda: {network(CLIENT): LOOPBACK})
    _shown: dict[str, str] = field(default_factory=lambda: {LOOPBACK: CLIENT})

    @classmethod
    def of(cls, test: PlannedTest) -> Clients:
        clients = cls()
        for step in test.steps:
            for ask in step.asks:
                clients.here(ask.client)
                for name, value in ask.headers:
                    if name.lower() == "x-forwarded-for":
                        clients.chain(value)
        return clients

    def here(self, address: str) -> str:
        key = network(address)
        if key not in self._here:
            number = len(self._here) + 255  # 127.0.1.1 and on
            mapped = str(ip_address("127.0.0.0") + number + 1)
            self._here[key], self._shown[mapped] = mapped, address
        return self._here[key]

    def chain(self, value: str) -> str:
        """An X-Forwarded-For with its addresses as they are here."""
        return ", ".join(self.here(part) if _is_address(part) else part for part in map(str.strip, value.split(",")))

    def shown(self, value: str) -> str:
        """The other way round, for what a service received."""
        return ", ".join(self._shown.get(part, part) for part in map(str.strip, value.split(",")))

    def trusted(self, networks: Iterable[str]) -> tuple[str, ...]:
        """The addresses of this machine that stand for a trusted proxy."""
        known = [ip_network(one) for one in networks]
        return tuple(
            f"{here}/32" for here, address in self._shown.items() if any(ip_address(address) in one for one in known)
        )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def write(artifact: Artifact, directory: Path, environ: Mapping[str, str]) -> None:
    """What a compile with secrets leaves behind, in a directory that nobody else reads."""
    for name, output in artifact.files.items():
        path = _made(directory / name)
        path.write_text(output.text, encoding="utf-8")
        path.chmod(0o755 if output.executable else 0o644)
    for secret in artifact.secrets:
        path = _made(directory / secret.path)
        path.touch(mode=0o600)
        path.write_text(secret.render(tuple(environ[one.name] for one in secret.secrets)), encoding="utf-8")


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


_LOWEST, _HIGHEST = 10_000, 32_000
"""Below the ports that the kernel hands out to outgoing connections, one of which could be faster than the gateway."""


def free_ports(number: int) -> Iterator[int]:
    """Different ones, free at this moment."""
    with contextlib.ExitStack() as held:
        for _ in range(number):
            yield _bound(held)


def _bound(held: contextlib.ExitStack) -> int:
    for _ in range(200):
        sock = held.enter_context(socket.socket())
        with contextlib.suppress(OSError):
            sock.bind((LOOPBACK, random.randrange(_LOWEST, _HIGHEST)))  # noqa: S311 - no secret
            return int(sock.getsockname()[1])
    raise RuntimeError(f"no free port from {_LOWEST} to {_HIGHEST}")
