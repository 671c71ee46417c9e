"""What happened to a request, on the model or on an engine: the same words for both."""

from __future__ import annotations

from dataclasses import dataclass, field

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Received:
    """One try, as the service received it."""

    method: str
    target: str
    headers: Headers

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass(slots=True)
class Seen:
    """`status` 0: the connection ended without an answer. `service` and `route` are empty where none matched, and None
    where nobody can tell. `begun` and `took` in seconds, from the beginning of the test."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    problem: str = ""
    limited_by: str = ""
    shadowed_by: tuple[str, ...] = ()
    service: str | None = ""
    route: str | None = ""
    received: list[Received] = field(default_factory=list)
    begun: float = 0.0
    took: float = 0.0

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def cache(self) -> str:
        return next(iter(self.values("x-cache")), "")

    @property
    def place(self) -> str:
        """The route that matched."""
        return f"{self.service}/{self.route}" if self.route else "no route"

    @property
    def words(self) -> str:
        """In short: what a reader wants to know of it."""
        if self.status == 0:
            return "the connection ended without an answer"
        parts = [f"{self.status}", self.problem, f"by {self.limited_by}" if self.limited_by else "", self.cache]
        return f"{' '.join(part for part in parts if part)} ({self.place})"

    @property
    def core(self) -> tuple[object, ...]:
        """What model and engine have to agree on. How a preflight is granted is the engine's choice."""
        if self.values(_GRANTED):
            return ("a preflight that is granted",)
        return self.status, self.problem, self.limited_by, self.cache, self.service, self.route


_GRANTED = "access-control-allow-methods"


@dataclass(slots=True)
class SeenStep:
    """All repetitions of a step."""

    number: int
    seen: list[Seen] = field(default_factory=list)

    @property
    def received(self) -> list[Received]:
        return [one for seen in self.seen for one in seen.received]
