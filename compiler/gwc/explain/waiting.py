"""How long a client may wait, and how often the service may be asked, with the arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from gwc.ir import RetryCause, Route
from gwc.tries import SAFE_METHODS, pauses
from gwc.units import format_duration


@dataclass(frozen=True, slots=True)
class Worst:
    """`tries` at most; `seconds` until the answer is whole, None without a bound. `steps` is how it is worked out.

    Counted from the end of the request, as `timeouts.request` is.
    """

    tries: int
    seconds: float | None
    steps: tuple[str, ...]


def worst_case(route: Route, method: str) -> Worst:
    bound = route.timeouts.request
    tries, counted = _tries(route, method)
    together, sums = _together(route, method, tries)
    waits = bound if together is None else min(together, bound)
    steps = [counted, *sums, _bounded(together, bound)]
    if not (route.stream or route.websocket):
        return Worst(tries, waits, tuple(steps))
    what = "stream" if route.stream else "connection"
    steps[-1] += ", which is the wait for the first byte"
    steps.append(f"then the {what} may last; a silence of timeouts.idle {_d(route.timeouts.idle)} ends it")
    return Worst(tries, None, tuple(steps))


def _repeatable(route: Route, method: str) -> bool:
    """Whether every cause is one for this method, and not failed connections alone."""
    return method in SAFE_METHODS or route.retries.unsafe


def _may_hang(route: Route) -> bool:
    """Whether there is a cause that comes after the connection was made."""
    retries = route.retries
    return bool(retries.statuses) or RetryCause.RESET in retries.causes or retries.per_try is not None


def _tries(route: Route, method: str) -> tuple[int, str]:
    retries = route.retries
    if not retries.attempts:
        return 1, "1 try: retries.attempts is 0"
    counted = f"1 + retries.attempts {retries.attempts} = {retries.attempts + 1} tries"
    causes = [*(cause.value for cause in retries.causes), *map(str, retries.statuses)]
    if _repeatable(route, method):
        causes += ["per_try"] if retries.per_try is not None else []
        return 1 + retries.attempts, f"{counted} at most, when: {', '.join(causes)}"
    if RetryCause.CONNECT not in retries.causes:
        return 1, f"1 try: {method} is not repeated without unsafe: true, and `connect` is not among retries.when"
    return 1 + retries.attempts, f"{counted} at most: {method} is tried again only when no connection was made"


def _together(route: Route, method: str, tries: int) -> tuple[float | None, tuple[str, ...]]:
    """All tries and pauses, None where a try has no bound of its own; and the sum in words."""
    if tries == 1:
        return None, ()
    if _repeatable(route, method) and _may_hang(route):
        return _of_equal_tries(route, tries)
    return _of_failed_connections(route, tries)


def _of_equal_tries(route: Route, tries: int) -> tuple[float | None, tuple[str, ...]]:
    retries = route.retries
    if retries.per_try is None:
        return None, ("no per_try: any try may take all of the time that is left",)
    waits = pauses(retries)
    total = tries * retries.per_try + sum(waits)
    return total, (f"{tries} x per_try {_d(retries.per_try)} + pauses {_sum(waits)} = {_d(total)}",)


def _of_failed_connections(route: Route, tries: int) -> tuple[float | None, tuple[str, ...]]:
    retries, connect = route.retries, route.timeouts.connect
    waits = pauses(retries)
    failed = min(connect, retries.per_try or connect)
    lost = (tries - 1) * failed + sum(waits)
    said = f"{tries - 1} x connect {_d(failed)} + pauses {_sum(waits)} = {_d(lost)}"
    if retries.per_try is None:
        return None, (f"{said}, and the last try may take all of the time that is left",)
    return lost + retries.per_try, (f"{said}, + per_try {_d(retries.per_try)} = {_d(lost + retries.per_try)}",)


def _bounded(together: float | None, bound: float) -> str:
    if together is None:
        return f"timeouts.request bounds it all: {_d(bound)}"
    if together > bound:
        return f"timeouts.request ends it before: {_d(bound)}"
    return f"within timeouts.request {_d(bound)}: {_d(together)}"


def _sum(waits: tuple[float, ...]) -> str:
    return " + ".join(map(_d, waits))


def _d(seconds: float) -> str:
    return format_duration(round(seconds, 3))
