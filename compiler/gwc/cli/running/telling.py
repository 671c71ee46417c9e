"""What a run says on standard error: where it listens, what changed, why a change is not served."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from gwc.cli.exits import CommandError
from gwc.cli.guard import say
from gwc.cli.running.attempt import Attempt
from gwc.cli.running.local import addresses
from gwc.cli.running.tokens import DevIssuer, Token
from gwc.cli.running.wanted import Wanted
from gwc.counted import counted
from gwc.diff import Change, diff
from gwc.ir import Address, Gateway, Origin
from gwc.report.changes import summary, what, who
from gwc.report.style import style_for
from gwc.report.text import counts, render_text

_MOST = 5
"""Changes, and endpoints, that are told one by one."""


def started(first: Attempt, gateway: Gateway, wanted: Wanted, issuer: DevIssuer | None) -> None:
    assert first.binary is not None
    routes = sum(len(service.routes) for service in gateway.services)
    listens = {name: str(address) for name, (address, _) in addresses(gateway).items()}
    public = " and ".join(f"{name}://{listens[name]}" for name in ("http", "https") if name in listens)
    say(f"{wanted.target} {first.binary.version} serves {counted(routes, 'route')} on {public}")
    say(f"admin: http://{listens['admin']}{gateway.metrics_path} and /ready")
    for remark in first.remarks:
        say(remark)
    if first.warnings():
        say(f"{counted(first.warnings(), 'warning')}: gwc compile -t {wanted.target} says which")
    _secrets(gateway, first.made_up)
    for token in issuer.tokens(gateway, wanted.dev_users) if issuer is not None else ():
        _token(token, _base(gateway))
    say(f"watching {wanted.policies}; Ctrl-C ends it")


def silent(endpoints: Sequence[tuple[Address, Origin]]) -> None:
    """Endpoints of services on which nothing listens."""
    if endpoints:
        places = [f"{address} ({origin.span.file}:{origin.span.line})" for address, origin in endpoints]
        more = f" and {len(places) - _MOST} more" if len(places) > _MOST else ""
        say(f"nothing listens on {', '.join(places[:_MOST])}{more}: requests for it are answered with 502 or 503")


def _secrets(gateway: Gateway, made_up: Mapping[str, str]) -> None:
    """Values that are good for nothing but this run, so that they may be shown."""
    if made_up:
        say("throw-away secrets, for this run alone (a service that is started elsewhere needs the same):")
        for name, value in sorted(made_up.items()):
            sys.stderr.write(f"  export {name}={value}\n")
    keys = gateway.identity.api_key
    for consumer in keys.consumers if keys is not None else ():
        if keys is not None and consumer.secret.source == "env" and consumer.secret.name in made_up:
            say(f"as {consumer.name}: curl -H '{keys.header}: {made_up[consumer.secret.name]}' {_base(gateway)}")


def _base(gateway: Gateway) -> str:
    listens = addresses(gateway)
    return next(f"{name}://{listens[name][0]}/..." for name in ("http", "https") if name in listens)


def _token(token: Token, base: str) -> None:
    scopes = f" with {' '.join(token.scopes)}" if token.scopes else ""
    say(f"as {token.user} of {token.issuer}{scopes}:")
    sys.stderr.write(f"  curl -H 'Authorization: Bearer {token.text}' {base}\n")


def reloaded(files: Sequence[str], before: Attempt, after: Attempt, seconds: float) -> None:
    assert before.gateway is not None and after.gateway is not None
    changes = diff(before.gateway, after.gateway)
    say(f"{_changed(files)}: reloaded in {seconds:.1f} s, {summary(changes)}")
    for change in changes[:_MOST]:
        sys.stderr.write(f"  {_line(change)}\n")
    if len(changes) > _MOST:
        sys.stderr.write(f"  and {len(changes) - _MOST} more: gwc diff tells them\n")
    _secrets(after.gateway, after.made_up)


def unchanged(files: Sequence[str]) -> None:
    say(f"{_changed(files)}: the gateway's configuration is the same as before, and is not reloaded")


def _line(change: Change) -> str:
    from gwc.report.excerpt import printable

    return printable(f"{change.level}: {who(change)}: {what(change)}")


def refused(files: Sequence[str], found: Attempt) -> None:
    """The findings with their lines, and what goes on."""
    job = found.job
    sys.stderr.write(render_text(job.report.diagnostics, job.texts, style_for(sys.stderr)))
    say(f"{_changed(files)}, and cannot be served ({counts(job.report.diagnostics)}): the gateway goes on as it was")


def failed(files: Sequence[str], error: CommandError | RuntimeError) -> None:
    say(f"error: {error}")
    if isinstance(error, CommandError) and error.hint:
        say(f"hint: {error.hint}")
    say(f"{_changed(files)}, and cannot be served: the gateway goes on as it was")


def _changed(files: Sequence[str]) -> str:
    if not files:
        return "the policies changed"
    return f"{', '.join(files[:3])}{f' and {len(files) - 3} more' if len(files) > 3 else ''} changed"
