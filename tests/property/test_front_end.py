"""What holds for every policy, whatever is in it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from compiling import gateway_of
from gwc.ir_json import gateway_to_json
from property.strategies import policies


@settings(max_examples=200)
@given(policies())
def test_generated_policies_are_valid_and_resolve_to_the_same_gateway_twice(written: dict[str, Any]) -> None:
    assert gateway_to_json(gateway_of(written)) == gateway_to_json(gateway_of(written))


@settings(max_examples=50)
@given(policies(), st.randoms(use_true_random=False))
def test_the_order_of_keys_and_of_files_is_irrelevant(written: dict[str, Any], random: Any) -> None:
    files = list(written.items())
    random.shuffle(files)
    shuffled = {name: _shuffled(data, random) for name, data in files}
    assert gateway_of(shuffled) == gateway_of(written)


def _shuffled(data: Any, random: Any) -> Any:
    if isinstance(data, dict):
        items = list(data.items())
        random.shuffle(items)
        return {key: _shuffled(value, random) for key, value in items}
    return [_shuffled(item, random) for item in data] if isinstance(data, list) else data
