"""Tests -> what is asked, step by step, with everything that was left out filled in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gwc.diagnostics import Span
from gwc.document import Path
from gwc.ir import Gateway, Route
from gwc.model.matching import Matcher
from gwc.testing.language import Answer, Asking, Expectation, Headers, Moment, Step, TestCase, User
from gwc.testing.load import LoadedTests

CLIENT = "192.0.2.1"
"""From the documentation's networks: nobody's."""
ANY_HOST = "gateway.test"
"""What is asked for where a service serves every host."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a step, its placeholders filled. `user` and `api_key` are None for nobody and no key."""

    method: str
    target: str
    host: str
    client: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    user: User | None
    api_key: str | None
    https: bool


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """`at` is in seconds since the test began, `wait` since the end of the steps before; both None: at once then."""

    number: int
    path: Path
    request: str
    at: float | None
    wait: float
    at_once: bool
    asks: tuple[Ask, ...]
    answers: tuple[Answer, ...]
    expect: Expectation


@dataclass(frozen=True, slots=True)
class PlannedTest:
    loaded: LoadedTests
    case: TestCase
    path: Path
    steps: tuple[PlannedStep, ...]

    @property
    def file(self) -> str:
        return self.loaded.document.source.name

    @property
    def service(self) -> str:
        return self.loaded.tests.service or ""

    def place(self, path: Path) -> Span:
        return self.loaded.place(path)


def planned(loaded: LoadedTests, gateway: Gateway) -> Iterator[PlannedTest]:
    """The tests of a file that has passed the checks."""
    planner = _Planner(loaded, gateway)
    for index, case in enumerate(loaded.tests.tests):
        path: Path = ("tests", index)
        own: list[tuple[Step | TestCase, Path]] = [(case, path)]
        steps = [(step, (*path, "steps", number)) for number, step in enumerate(case.steps)] or own
        found = tuple(planner.step(number, case, *pair) for number, pair in enumerate(steps, 1))
        yield PlannedTest(loaded, case, path, found)


class _Planner:
    def __init__(self, loaded: LoadedTests, gateway: Gateway) -> None:
        self._file, self._gateway = loaded.tests, gateway
        service = next((one for one in gateway.services if one.name == loaded.tests.service), None)
        self._host = service.hosts[0] if service and service.hosts else ANY_HOST

    def step(self, number: int, case: TestCase, step: Step | TestCase, path: Path) -> PlannedStep:
        assert step.request is not None
        assert step.expect is not None
        levels: tuple[Asking, ...] = (step, case, self._file)
        asks = tuple(self._ask(levels, step, index) for index in range(step.repeat or 1))
        answers = _first(levels, "answer") or (Answer(),)
        wait = step.wait or 0.0
        return PlannedStep(number, path, step.request, step.at, wait, step.at_once, asks, answers, step.expect)

    def _ask(self, levels: tuple[Asking, ...], step: Step | TestCase, index: int) -> Ask:
        def filled(text: str) -> str:
            return text.replace("${n}", str(index))

        user, key, scheme = (_first(levels, name) for name in ("user", "api_key", "scheme"))
        if isinstance(user, User):
            user = user.model_copy(update={"name": filled(user.name)})
        method, _, target = (step.request or "").partition(" ")
        return Ask(
            method, filled(target), _first(levels, "host") or self._host, filled(_first(levels, "client") or CLIENT),
            tuple((name, filled(value)) for name, value in _headers(levels)), _body(step),
            user if isinstance(user, User) else None, None if key == "none" else key,
            (scheme or self._usual_scheme()) == "https",
        )  # fmt: skip

    def _usual_scheme(self) -> str:
        return "http" if self._gateway.listen.https is None else "https"


def _first(levels: tuple[Asking, ...], name: str) -> Any:
    return next((value for level in levels if (value := getattr(level, name)) is not None), None)


def _headers(levels: tuple[Asking, ...]) -> Iterator[tuple[str, str]]:
    """Header by header, the more specific level's value."""
    merged: dict[str, tuple[str, tuple[str, ...]]] = {}
    for level in reversed(levels):
        headers: Headers = level.headers
        merged |= {name.lower(): (name, values) for name, values in headers.items()}
    return ((name, value) for name, values in merged.values() for value in values)


def _body(moment: Moment) -> bytes:
    return moment.body.content if moment.body is not None else b""


def needed_scopes(gateway: Gateway, ask: Ask) -> frozenset[str]:
    """Those of the route that the request matches."""
    found = Matcher(gateway).match(ask.method, ask.host, ask.target.partition("?")[0]).route
    route: Route | None = found.route if found else None
    return frozenset(route.auth.scopes if route and route.auth else ())
