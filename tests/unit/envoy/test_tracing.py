"""Whose traceparent the tracer believes: Envoy's expressions know addresses as text alone."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gwc_envoy.tracing import tells_apart
from unit.envoy.policies import gateway
from unit.envoy.test_emit import bootstrap, manager

_TRACING = {"otlp": "https://collector.example.com:4318/base", "sample": "12.5%"}
_BEGINS = re.compile(r"source\.address\.startsWith\('([^']*)'\)")
_MATCHES = re.compile(r"source\.address\.matches\('([^']*)'\)")


def believed(network: str, peer: str) -> bool:
    """What the expression of the only trusted network says to a peer."""
    config = manager(gateway({"service": "a"}, tracing=_TRACING, trusted_proxies=[network]))
    mutations = config["early_header_mutation_extensions"][0]["typed_config"]["mutations"]
    (value,) = [
        header["header"]["value"]
        for mutation in mutations
        if (header := mutation.get("append")) and header["header"]["key"] == "traceparent"
    ]
    begins, patterns = _BEGINS.findall(value), [found.replace("\\\\", "\\") for found in _MATCHES.findall(value)]
    assert len(begins) == 1
    return peer.startswith(begins[0]) and all(re.search(pattern, peer) for pattern in patterns)


@settings(deadline=None)
@given(st.integers(1, 32), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_every_ipv4_network_is_told_apart(length: int, inside: int, other: int) -> None:
    network = ipaddress.ip_network((inside, length), strict=False)
    for number in (inside, other):
        address = ipaddress.ip_address(number)
        assert believed(str(network), f"{address}:41000") is (address in network)


@settings(deadline=None)
@example(116, 0x1000_0001_0001_0001_0001_0001_0001_1000, 0)
@given(st.integers(1, 128), st.integers(2**124, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_ipv6_networks_are_told_apart_or_said_not_to_be(length: int, inside: int, other: int) -> None:
    network = ipaddress.ip_network((inside, length), strict=False)
    if tells_apart(str(network)):
        for number in (inside, other):
            address = ipaddress.ip_address(number)
            assert believed(str(network), f"[{address}]:41000") is (address in network)


@pytest.mark.parametrize("network", ["2001:db8::/48", "::/0", "64:ff9b::/96"])
def test_a_prefix_with_several_spellings_is_not_believed(network: str) -> None:
    assert not tells_apart(network)
    config = manager(gateway({"service": "a"}, tracing=_TRACING, trusted_proxies=[network]))
    mutations = config["early_header_mutation_extensions"][0]["typed_config"]["mutations"]
    assert not [m for m in mutations if m.get("append", {}).get("header", {}).get("key") == "traceparent"]


def test_spans_go_to_the_collector_s_address_and_path() -> None:
    policy = gateway({"service": "a"}, tracing=_TRACING)
    provider = manager(policy)["tracing"]["provider"]["typed_config"]
    assert provider["http_service"]["http_uri"]["uri"] == "https://collector.example.com:4318/base/v1/traces"
    wrapped = provider["sampler"]["typed_config"]["wrapped_sampler"]["typed_config"]
    assert wrapped["sampling_percentage"] == {"numerator": 125_000, "denominator": "MILLION"}
    clusters = {c["name"]: c for c in bootstrap(policy)["static_resources"]["clusters"]}
    assert clusters["gwc.otlp"]["transport_socket"]["name"] == "envoy.transport_sockets.tls"


def test_hops_have_no_spans() -> None:
    policy = gateway({"service": "a", "routes": [{"name": "r", "path": "/r", "methods": ["GET"], "stream": True}]},
                     tracing=_TRACING)  # fmt: skip
    assert "tracing" in manager(policy)
    assert "tracing" not in manager(policy, "gwc.first_byte")
