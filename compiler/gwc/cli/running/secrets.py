"""The secrets that policies refer to, on the machine of somebody who develops."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace

from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.secret_files import describe, read_secret
from gwc.ir import Gateway, Node, Secret


def secrets_of(node: object) -> Iterator[Secret]:
    """Every secret that is referred to below `node`."""
    if isinstance(node, Secret):
        yield node
    elif isinstance(node, Node):
        for one in fields(node):
            yield from secrets_of(getattr(node, one.name))
    elif isinstance(node, tuple):
        for item in node:
            yield from secrets_of(item)


def missing(gateway: Gateway) -> tuple[Secret, ...]:
    """Those without a value on this machine, each once, in the order of the Gateway."""
    needed = {(one.source, one.name): one for one in secrets_of(_used(gateway))}
    return tuple(one for one in needed.values() if not read_secret(one))


def _used(gateway: Gateway) -> Gateway:
    """Without the store of shared counts where nothing is counted in it."""
    from gwc.features import limits

    counts = [limit.cluster for _, limit in limits(gateway)]
    budgets = [service.budget.cluster for service in gateway.services if service.budget is not None]
    return gateway if any([*counts, *budgets]) else replace(gateway, rate_limit_store=None)


def throw_away(some: tuple[Secret, ...]) -> dict[str, str]:
    """A new value for each environment variable among them."""
    return {one.name: f"dev-{secrets.token_urlsafe(24)}" for one in some if one.source == "env"}


def check_there(some: tuple[Secret, ...], *, made_up: bool) -> None:
    """Raises CommandError naming every one that has no value."""
    if some:
        names = " and ".join(map(describe, some))
        hint = "set them where gwc runs" + ("" if made_up else ", or let --dev-secrets make throw-away ones up")
        raise CommandError(ExitCode.USAGE, f"no value for a secret: {names}", hint)


def provide(values: Mapping[str, str]) -> None:
    """To the gateway, and to a service that is started beside it."""
    os.environ.update(values)
