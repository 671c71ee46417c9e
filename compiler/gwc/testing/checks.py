"""What a test names must be there: services, routes, limits, consumers, issuers, gateways and features (GWC15x)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from gwc.diagnostics import Diagnostic, Severity, Span
from gwc.document import Path
from gwc.features import FEATURES, limits
from gwc.ir import Gateway
from gwc.observability.access_log import CAUSES
from gwc.suggest import did_you_mean
from gwc.testing.language import Asking, Expectation, User
from gwc.testing.load import LoadedTests
from gwc.testing.plan import PlannedTest, planned

UNKNOWN, TIME, CLIENT = "GWC150", "GWC151", "GWC152"


def check_service(loaded: LoadedTests, gateway: Gateway) -> Iterator[Diagnostic]:
    name = loaded.tests.service
    if name is not None:
        yield from _known("service", name, [one.name for one in gateway.services], loaded.place(("service",)))


def check_tests(loaded: LoadedTests, gateway: Gateway, targets: Iterable[str]) -> Iterator[Diagnostic]:
    """For a file whose service is known."""
    checker = _Checker(loaded, gateway)
    yield from checker.asking(loaded.tests, ())
    for test in planned(loaded, gateway):
        yield from checker.test(test, list(targets))


def _known(what: str, name: str, known: Iterable[str], place: Span) -> Iterator[Diagnostic]:
    names = list(known)
    if name not in names:
        hint = did_you_mean(name, names) or (f"known: {', '.join(names[:40])}" if names else "there are none")
        yield Diagnostic(place, UNKNOWN, Severity.ERROR, f"unknown {what} `{name}`", hint)


class _Checker:
    def __init__(self, loaded: LoadedTests, gateway: Gateway) -> None:
        self._loaded, self._service = loaded, loaded.tests.service
        keys = gateway.identity.api_key
        self._consumers = [one.name for one in keys.consumers] if keys else []
        self._issuers = [one.issuer for one in gateway.identity.jwt]
        self._routes = [f"{one.name}/{route.name}" for one in gateway.services for route in one.routes]
        self._limits = [*(limit.id for _, limit in limits(gateway)), *CAUSES]

    def test(self, test: PlannedTest, targets: list[str]) -> Iterator[Diagnostic]:
        yield from self.asking(test.case, test.path)
        for name, feature in test.case.not_on.items():
            place = test.place((*test.path, "not_on", name))
            yield from _known("gateway", name, targets, place)
            yield from _known("feature", feature, FEATURES, place)
        last = 0.0
        for step in test.steps:
            if step.path != test.path:
                yield from self.asking(self._step(test, step.number), step.path)
            yield from self._expected(step.expect, (*step.path, "expect"))
            yield from self._clients({ask.client for ask in step.asks}, step.path)
            if step.at is not None and step.at < last:
                message = f"`at` lies before that of a step above it, which is {last:g}s"
                place = test.place((*step.path, "at"))
                yield Diagnostic(place, TIME, Severity.ERROR, message, "write the steps in the order of their times")
            last = max(last, step.at or 0.0)

    def _step(self, test: PlannedTest, number: int) -> Asking:
        return test.case.steps[number - 1]

    def asking(self, asking: Asking, path: Path) -> Iterator[Diagnostic]:
        if asking.api_key not in (None, "none"):
            yield from _known("consumer", str(asking.api_key), self._consumers, self._loaded.place((*path, "api_key")))
        if not isinstance(asking.user, User):
            return
        place = self._loaded.place((*path, "user"))
        if not self._issuers:
            message, hint = "the platform has no issuer of tokens", "identity.jwt in platform.yaml names one"
            yield Diagnostic(place, UNKNOWN, Severity.ERROR, message, hint)
        elif asking.user.issuer is not None:
            yield from _known("issuer", asking.user.issuer, self._issuers, place)

    def _expected(self, expect: Expectation, path: Path) -> Iterator[Diagnostic]:
        if expect.limited_by is not None:
            place = self._loaded.place((*path, "limited_by"))
            yield from _known("limit", expect.limited_by, self._limits, place)
        if expect.route not in (None, "none"):
            place = self._loaded.place((*path, "route"))
            yield from _known("route", qualified(str(expect.route), self._service or ""), self._routes, place)

    def _clients(self, clients: set[str], path: Path) -> Iterator[Diagnostic]:
        for client in sorted(clients):
            try:
                ip_address(client)
            except ValueError:
                message = f"`client` is {client!r}, which is no IP address"
                place = self._loaded.place((*path, "client"))
                yield Diagnostic(place, CLIENT, Severity.ERROR, message, "write one such as 203.0.113.7")
                return


def qualified(route: str, service: str) -> str:
    """`create` as `notes/create`."""
    return route if "/" in route else f"{service}/{route}"
