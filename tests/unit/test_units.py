from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwc import units
from gwc.units import Rate, UnitError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("2s", 2), ("1.5s", 1.5), ("5m", 300), ("24h", 86400), ("7d", 604800), ("0s", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "10", "10 s", "-1s", "1e3s", "s", "1h30m", "1S", "367d", "1s\n", "\u0661s", "0.5ms", "1.0005s"]
)
def test_no_durations(text: str) -> None:
    with pytest.raises(UnitError):
        units.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("5/s", Rate(5, 1)), ("60/min", Rate(60, 60)), ("1000/hour", Rate(1000, 3600)), ("1/day", Rate(1, 86400))],
)
def test_rates(text: str, rate: Rate) -> None:
    assert units.parse_rate(text) == rate


@pytest.mark.parametrize("text", ["0/s", "1000000001/s", "5", "5/", "5/week", "1.5/s", "-1/s", "5 / s"])
def test_no_rates(text: str) -> None:
    with pytest.raises(UnitError):
        units.parse_rate(text)


@pytest.mark.parametrize(
    ("text", "count"), [("64KiB", 65536), ("1MiB", 1048576), ("10MB", 10**7), ("0.5KiB", 512), ("0B", 0)]
)
def test_sizes(text: str, count: int) -> None:
    assert units.parse_size(text) == count


@pytest.mark.parametrize("text", ["1", "1mb", "1 MiB", "-1B", "1TiB", "0.5B", "1025GiB"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(UnitError):
        units.parse_size(text)


@pytest.mark.parametrize(("text", "share"), [("20%", 0.2), ("0%", 0), ("100%", 1), ("12.5%", 0.125)])
def test_shares(text: str, share: float) -> None:
    assert units.parse_share(text) == share


@pytest.mark.parametrize("text", ["20", "101%", "-1%", "0.2"])
def test_no_shares(text: str) -> None:
    with pytest.raises(UnitError):
        units.parse_share(text)


@given(st.integers(0, 366 * 86400 * 1000))
def test_a_formatted_duration_reads_back(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert units.parse_duration(units.format_duration(seconds)) == seconds


@given(st.integers(0, 10**12 - 1))
def test_a_formatted_size_reads_back(count: int) -> None:
    assert units.parse_size(units.format_size(count)) == count


@given(st.integers(1, 10**9), st.sampled_from([1, 60, 3600, 86400]))
def test_a_formatted_rate_reads_back(tokens: int, period: int) -> None:
    assert units.parse_rate(units.format_rate(Rate(tokens, period))) == Rate(tokens, period)


@given(st.integers(0, 1000))
def test_a_formatted_share_reads_back(thousandths: int) -> None:
    share = thousandths / 1000
    assert units.parse_share(units.format_share(share)) == pytest.approx(share)
