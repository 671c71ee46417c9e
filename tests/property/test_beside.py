"""What stands beside every target's files follows, service by service, from the platform and that service alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from compiling import gateway_of
from gwc.ir import Gateway
from gwc.observability import emit
from gwc.observability.metrics import FAMILIES, Family
from gwc.parts import Assembled, Part, made
from gwc.record import NAME, record_file
from property.strategies import policies

SOME = st.sampled_from(FAMILIES).flatmap(lambda one: st.just(frozenset(FAMILIES) - {one}) | st.just(frozenset([one])))
ALL = st.just(frozenset(FAMILIES))


def parts(gateway: Gateway, served: frozenset[Family]) -> dict[tuple[str, ...], str]:
    """The text of each part, by all that it is known by."""
    found = {}
    for path, file in beside(gateway, served).items():
        for part in (piece for piece in file.pieces() if isinstance(piece, Part)):
            key = (path, part.service, part.name, part.given)
            assert key not in found, "a part has a name of its own"
            found[key] = part.make().text
    return found


def beside(gateway: Gateway, served: frozenset[Family]) -> Mapping[str, Assembled]:
    return {**emit.files(gateway, served), NAME: record_file("some", "profile", gateway)}


@settings(max_examples=30)
@given(policies(), policies(), ALL | SOME)
def test_a_part_follows_from_its_own_service(
    one: dict[str, Any], other: dict[str, Any], served: frozenset[Family]
) -> None:
    """The others are gone, or different, and there are more of them."""
    gateway = gateway_of(one)
    before = parts(gateway, served)
    for service in gateway.services:
        after = parts(gateway_of({**_platform_and(service.name, one), **_added(other)}), served)
        of_it = {key for key in before.keys() & after.keys() if key[1] == service.name}
        assert {key: before[key] for key in of_it} == {key: after[key] for key in of_it}
        missed = {key[0] for key in before.keys() - of_it if key[1] == service.name}
        assert missed <= {NAME}, "the last line of the record ends without a comma, all else is as it was"


def _platform_and(service: str, generated: dict[str, Any]) -> dict[str, Any]:
    return {"platform": generated["platform"], service: generated[service]}


def _added(generated: dict[str, Any]) -> dict[str, Any]:
    """Its services under other names and paths."""
    services = [data for data in generated.values() if data["kind"] == "Service"]
    names = [f"new-{data['service'][:40]}" for data in services]
    return {
        name: {**data, "service": name, "base_path": f"/{name}"} for name, data in zip(names, services, strict=True)
    }


@settings(max_examples=20)
@given(policies(), ALL | SOME)
def test_pieces_are_whole_lines(generated: dict[str, Any], served: frozenset[Family]) -> None:
    for path, file in beside(gateway_of(generated), served).items():
        texts = [made(piece).text for piece in file.pieces()]
        assert file.text == "".join(texts)
        assert all(text.endswith("\n") for text in texts if text), path
        assert all(made(piece).fit for piece in file.pieces())
