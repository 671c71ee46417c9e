"""A Gateway as it can run on this machine: on the loopback interface, with ports that are free."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.running.wanted import Wanted
from gwc.ir import Address, Gateway, Https, Listen, Origin

LOOPBACK = "127.0.0.1"
_HTTP = 8080
"""Where plain HTTP is served when the policies serve HTTPS alone."""


def localised(gateway: Gateway, wanted: Wanted) -> tuple[Gateway, tuple[str, ...]]:
    """The same gateway for clients of this machine alone, and what is different about it in words.

    Raises CommandError for certificates that this machine does not have.
    """
    listen = gateway.listen
    https = listen.https and _https(listen.https, wanted)
    said = [] if https is listen.https or https else [_left_out(listen.https)]
    http = _http(listen, https, wanted)
    admin = replace(listen.admin, host=LOOPBACK, port=wanted.admin_port or listen.admin.port)
    return replace(gateway, listen=replace(listen, http=http, https=https, admin=admin)), tuple(said)


def _http(listen: Listen, https: Https | None, wanted: Wanted) -> Address | None:
    if listen.http is not None:
        return replace(listen.http, host=LOOPBACK, port=wanted.port or listen.http.port)
    if https is None or wanted.port is not None:
        return Address(host=LOOPBACK, port=wanted.port or _HTTP)
    return None


def _https(https: Https, wanted: Wanted) -> Https | None:
    """None when its files are missing here and throw-away secrets are enough."""
    files = [https.certificate, *([https.key.name] if https.key.source == "file" else [])]
    missing = [file for file in files if not Path(file).is_file()]
    if not missing:
        return replace(https, address=replace(https.address, host=LOOPBACK))
    if wanted.dev_secrets:
        return None
    hint = "put the files there, choose another --env, or leave HTTPS out with --dev-secrets"
    raise CommandError(ExitCode.USAGE, f"this machine has no {' and no '.join(missing)}, which HTTPS needs", hint)


def _left_out(https: Https | None) -> str:
    assert https is not None, "only what was there is left out"
    return f"HTTPS on port {https.address.port} is left out: its certificate is not on this machine"


def addresses(gateway: Gateway) -> dict[str, tuple[Address, Origin | None]]:
    """Every address that the gateway listens on, with who chose it, by what it is for."""
    listen = gateway.listen
    https = listen.https.address if listen.https is not None else None
    found = {"http": listen.http, "https": https, "admin": listen.admin}
    return {name: (one, listen.provenance.get(name)) for name, one in found.items() if one is not None}


def check_free(gateway: Gateway, ours: frozenset[str]) -> None:
    """Raises CommandError for a port that somebody else has. `ours` are the addresses that we listen on already."""
    taken = list(_taken(gateway, ours))
    if taken:
        hint = "end what listens there, or choose others with --port and --admin-port"
        raise CommandError(ExitCode.ENVIRONMENT, "; ".join(taken), hint)


def _taken(gateway: Gateway, ours: frozenset[str]) -> Iterator[str]:
    for name, (address, origin) in addresses(gateway).items():
        if str(address) not in ours and (why := _why_not(address)):
            chosen = f" ({origin.span.file}:{origin.span.line})" if origin else ""
            yield f"port {address.port} for {name}{chosen} {why}"


def _why_not(address: Address) -> str:
    """Gateways share a port without a word, so it is tried without them."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            words = {errno.EADDRINUSE: "is in use", errno.EACCES: "needs more rights than you have"}
            return words.get(error.errno or 0, f"cannot be used: {error.strerror}")
    return ""


def unreachable(gateway: Gateway) -> tuple[tuple[Address, Origin], ...]:
    """The endpoints on this machine on which nothing listens, with the line of each."""
    every = [endpoint for service in gateway.services for endpoint in service.upstream.endpoints]
    own = {str(one.address): (one.address, one.provenance["address"]) for one in every if _is_here(one.address.host)}
    return tuple(found for found in own.values() if not _listens(found[0]))


def _is_here(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _listens(address: Address) -> bool:
    try:
        with socket.create_connection((address.host, address.port), timeout=1):
            return True
    except OSError:
        return False
