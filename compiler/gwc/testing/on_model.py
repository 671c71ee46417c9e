"""Tests on the model: no network, no waiting, and a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time

from gwc.ir import Gateway
from gwc.model.edge import Edge
from gwc.model.wire import Asked, Credential, Exchange, Script
from gwc.testing.language import Answer, User
from gwc.testing.plan import Ask, PlannedStep, PlannedTest
from gwc.testing.seen import Received, Seen, SeenStep

BODY = b"{}"
"""What a service says where a test does not."""


class OutOfOrderError(Exception):
    """A step's `at` has passed when its turn comes: what goes before takes longer."""

    def __init__(self, step: PlannedStep, now: float) -> None:
        super().__init__(f"`at` is {step.at:g}s, and the step above it begins at {now:g}s")
        self.step = step


def noon(gateway: Gateway) -> float:
    """When tests begin: on the day of the run, where windows of an hour and less begin, too."""
    return datetime.combine(gateway.now, time(12), UTC).timestamp()


class ModelRun:
    """One test before a model that has just started."""

    def __init__(self, gateway: Gateway, secrets: Mapping[str, str], started: float | None = None) -> None:
        self._gateway, self._edge = gateway, Edge(gateway, secrets)
        self._started = noon(gateway) if started is None else started
        self._consumers = [one.name for one in gateway.identity.api_key.consumers] if gateway.identity.api_key else []

    def steps(self, test: PlannedTest) -> Iterator[SeenStep]:
        """Raises OutOfOrderError."""
        begins, ends = 0.0, 0.0
        for step in test.steps:
            start = ends + step.wait if step.at is None else step.at
            if start < begins:
                raise OutOfOrderError(step, begins)
            happened = SeenStep(step.number)
            begins = at = start
            for ask in step.asks:
                seen = self.ask(ask, step.answers, at)
                happened.seen.append(seen)
                ends = max(ends, at + seen.took)
                begins = max(begins, at)
                at = at if step.at_once else at + seen.took
            yield happened

    def ask(self, ask: Ask, answers: Sequence[Answer], at: float) -> Seen:
        """`at` seconds after the test began."""
        asked = Asked(
            self._started + at, ask.method, ask.host, ask.target, ask.headers, ask.client, len(ask.body),
            tuple(self._credentials(ask)), ask.https,
        )  # fmt: skip
        exchange = self._edge.exchange(asked, [script(answer) for answer in answers])
        return _seen(exchange, at)

    def _credentials(self, ask: Ask) -> Iterator[Credential]:
        if ask.user is not None:
            yield self._token(ask.user)
        if ask.api_key is not None:
            yield Credential("api_key", ask.api_key)

    def _token(self, user: User) -> Credential:
        providers = self._gateway.identity.jwt
        provider = next((one for one in providers if one.issuer == user.issuer), providers[0])
        name, scopes = user.claims.get(provider.user_claim, user.name), user.scopes
        if provider.scope_claim in user.claims:
            scopes = _listed(user.claims[provider.scope_claim])
        good = user.token == "good" and isinstance(name, str)  # noqa: S105 - a word, no token
        audience = user.audience is None or user.audience in provider.audiences
        held = None if scopes is None else frozenset(scopes)
        return Credential("jwt", str(name) if good else "", provider.name, held, audience)


def _listed(claim: object) -> tuple[str, ...]:
    """Scopes in either form that issuers use."""
    if isinstance(claim, str):
        return tuple(claim.split())
    return tuple(str(one) for one in claim) if isinstance(claim, list) else ()


def script(answer: Answer) -> Script:
    headers = tuple((name, value) for name, values in answer.headers.items() for value in values)
    body = BODY if answer.body is None else answer.body.encode()
    fail = answer.fail or ""
    return Script(answer.status, answer.delay, answer.delay, 0.0, (("Content-Type", answer.type), *headers), body, fail)


def _seen(exchange: Exchange, at: float) -> Seen:
    outcome = exchange.outcome
    return Seen(
        exchange.status, exchange.headers, exchange.body, exchange.problem, outcome.limited_by, outcome.shadowed_by,
        outcome.service, outcome.route,
        [Received(one.method, one.target, one.headers) for one in exchange.arrived], at, exchange.seconds,
    )  # fmt: skip
