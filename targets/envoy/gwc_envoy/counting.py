"""What a route tells of the limits that its requests count for: to the filters, and to whoever explains a refusal."""

from __future__ import annotations

from gwc.ir import Budget, Gateway, Limit, LimitKey, Route, Service
from gwc_envoy import cluster
from gwc_envoy.limits import ANSWER, NAMESPACE, counts, key_of, numbers_of, refusal, told
from gwc_envoy.shared import Shared, of_the_last, shared
from gwc_envoy.stages import stage_of
from gwc_envoy.xds import Json

_Levels = tuple[tuple[Limit, ...], tuple[Limit, ...], tuple[Limit, ...]]
"""The limits of the platform, of a service and of a route."""


class Counting:
    """`private`: callers of the route are known. `together`: a service counts for all gateways."""

    def __init__(self, levels: _Levels, private: bool, together: bool) -> None:
        limits = [limit for level in levels for limit in level]
        own = [limit for limit in limits if not limit.cluster and counts(limit, private)]
        others = [limit for limit in limits if together and limit.cluster and counts(limit, private)]
        self._counting, self._numbers = [*own, *others], numbers_of(limits)
        self._told = {place: name for m in own for place, name in told(self._numbers[m.id], m).items()}
        self._named = [_named(limit) for limit in self._counting if self._is_named(limit)]
        self._actions: dict[int, tuple[Json, Json]] = {}
        self._notes: dict[tuple[int, int] | None, Json] = {}

    @property
    def early(self) -> list[Shared]:
        """What the filters learn from the route that count before anybody is asked who they are."""
        early = [limit for limit in self._counting if limit.key is LimitKey.IP]
        return [_named(limit) for limit in early if self._is_named(limit)]

    def _is_named(self, limit: Limit) -> bool:
        """Whether the first filter of its stage has it, which listens to the route itself."""
        return limit.cluster or self._numbers[limit.id] == 0

    def limiting(self, action: Json) -> Json:
        """A route's action, with what the filters learn from the route itself."""
        if not self._named:
            return action
        if id(action) not in self._actions:
            self._actions[id(action)] = action, Shared({**action, "rate_limits": self._named})
        return self._actions[id(action)][1]

    def notes(self, budget: Budget | None) -> Json:
        """What filters know of a route's limits: which of them they hold, `q` tokens in `w` seconds, and whose burst or
        window a number is."""
        units = None if budget is None else (budget.units.tokens, budget.units.period)
        if units not in self._notes:
            found = {NAMESPACE: self._told, ANSWER: self._answer(units)}
            self._notes[units] = {name: Shared(told) for name, told in found.items() if told}
        return self._notes[units]

    def _answer(self, units: tuple[int, int] | None) -> Json:
        enforced = [limit for limit in self._counting if not limit.shadow]
        rates = {limit.id: (limit.rate.tokens, limit.rate.period) for limit in enforced}
        rates |= {} if units is None else {"budget": units}
        if not rates:
            return {}
        policies = ", ".join([f'"{name}";q={tokens};w={period}' for name, (tokens, period) in rates.items()])
        bursts = {self._burst(limit): limit.id for limit in reversed(enforced)}
        return {"policies": policies, **bursts, **({} if units is None else {"period": units[1]})}

    def _burst(self, limit: Limit) -> str:
        """How a refusal by the limit shows: the filter, and the burst or what a window holds."""
        if limit.cluster:
            return f"burst:shared:{limit.rate.tokens}"
        return f"burst:{refusal(limit.key is LimitKey.IP, self._numbers[limit.id])}:{limit.burst}"


def counting(gateway: Gateway, service: Service, route: Route) -> Counting:
    """Routes without limits of their own mostly have the same."""
    levels = gateway.limits, service.limits, route.limits
    facts = route.auth is not None, cluster.counts(gateway)
    return Counting(levels, *facts) if route.limits else _of_a_service(levels, *facts)


_of_a_service = of_the_last(Counting)


def _named(limit: Limit) -> Shared:
    stage = cluster.stage_number(limit) if limit.cluster else stage_of(limit).number
    return _naming(limit.id, stage, limit.key, limit.header)


@shared
def _naming(name: str, stage: int, key: LimitKey, header: str | None) -> Json:
    named = {"generic_key": {"descriptor_key": "limit", "descriptor_value": name}}
    return {"stage": stage, "actions": [named, *key_of(key, header)]}
