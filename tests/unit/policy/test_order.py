"""The order of fields is the one that their models are marked with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from gwc.policy import order
from gwc.policy.cache import CachePolicy, StalePolicy
from gwc.policy.limits import BudgetPolicy, LimitPolicy
from gwc.policy.platform import PlatformPolicy
from gwc.policy.retries import RetriesPolicy
from gwc.policy.service import RoutePolicy
from gwc.policy.timeouts import TimeoutsPolicy
from gwc.policy.types import Model, Tighter
from gwc.policy.upstream import BreakerPolicy, UpstreamPolicy

SECTIONS: Mapping[type[BaseModel], str] = {
    TimeoutsPolicy: "timeouts",
    RetriesPolicy: "retries",
    LimitPolicy: "limits",
    BudgetPolicy: "budget",
    BreakerPolicy: "upstream.breaker",
    UpstreamPolicy: "upstream",
    StalePolicy: "cache.stale",
    CachePolicy: "cache",
    PlatformPolicy: "platform",
    RoutePolicy: "",
}
"""Where the fields of a model stand."""


def _marked(model: type[BaseModel]) -> Iterator[tuple[str, Tighter]]:
    for name, info in model.model_fields.items():
        yield from ((name, mark) for mark in info.metadata if isinstance(mark, Tighter))


def _models(model: type[BaseModel] = Model) -> Iterator[type[BaseModel]]:
    yield model
    for below in model.__subclasses__():
        yield from _models(below)


def test_the_table_says_what_the_models_are_marked_with() -> None:
    marked = {
        f"{SECTIONS[model]}.{name}".removeprefix("."): mark for model in SECTIONS for name, mark in _marked(model)
    }
    assert marked == order._ORDERS


def test_no_other_model_orders_anything() -> None:
    """Settings that routes share are marked where they are declared, in a base of the models."""
    known = {(name, mark) for model in SECTIONS for name, mark in _marked(model)}
    assert {found for model in _models() for found in _marked(model)} == known
