"""The units of the policy language: durations, rates, sizes and shares, as SI numbers.

Durations are seconds, sizes bytes, rates tokens and a period in seconds, shares a fraction of one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gwc.frozen import dataclass

_DURATION_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}  # milliseconds
_RATE_PERIODS = {
    "s": 1, "sec": 1, "second": 1,
    "m": 60, "min": 60, "minute": 60,
    "h": 3600, "hour": 3600,
    "d": 86400, "day": 86400,
}  # fmt: skip
_SIZE_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_NUMBER = r"([0-9]{1,12})(?:\.([0-9]{1,6}))?"
_DURATION = re.compile(_NUMBER + r"(ms|s|m|h|d)\Z")
_RATE = re.compile(r"([0-9]{1,12})/([a-z]+)\Z")
_SIZE = re.compile(_NUMBER + r"(B|KB|MB|GB|KiB|MiB|GiB)\Z")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%\Z")

MAX_TOKENS = 1_000_000_000
"""Of a rate. More does not fit an engine's 32-bit counters."""
MAX_SIZE = 2**40
"""Bytes."""
MAX_DURATION = 366 * 86400.0
"""Seconds. Longer durations overflow an engine's millisecond counters sooner or later."""


class UnitError(ValueError):
    """A text that is not a value of its unit; the message says what would be one."""


@dataclass(frozen=True, slots=True, order=True)
class Rate:
    """`tokens` per `period` seconds."""

    tokens: int
    period: int

    @property
    def per_second(self) -> float:
        return self.tokens / self.period


def _shown(text: str) -> str:
    """Quoted, and cut short: what somebody pasted by mistake must not fill the screen."""
    return repr(text if len(text) <= 60 else text[:60] + "...")


def parse_duration(text: str) -> float:
    """Seconds; `250ms 2s 5m 24h 7d`."""
    match = _DURATION.match(text)
    if match is None:
        raise UnitError(f"{_shown(text)} is not a duration; write a number and ms, s, m, h or d, as in 250ms or 2s")
    scaled, scale = _scaled(match, _DURATION_UNITS)
    seconds = scaled / (scale * 1000)
    if scaled % scale:
        raise UnitError(f"{_shown(text)} is no whole number of milliseconds, which is what the gateways count in")
    if seconds > MAX_DURATION:
        raise UnitError(f"{_shown(text)} is longer than 366 days")
    return seconds


def parse_rate(text: str) -> Rate:
    """`5/s 60/min 1000/hour 10000/day`."""
    match = _RATE.match(text)
    if match is None or match[2] not in _RATE_PERIODS:
        raise UnitError(f"{_shown(text)} is not a rate; write a whole number per s, min, hour or day, as in 60/min")
    if int(match[1]) == 0:
        raise UnitError(f"{_shown(text)} admits nothing; a rate is at least 1 per period")
    if int(match[1]) > MAX_TOKENS:
        raise UnitError(f"{_shown(text)} is more than {MAX_TOKENS} per period")
    return Rate(int(match[1]), _RATE_PERIODS[match[2]])


def parse_size(text: str) -> int:
    """Bytes; `64KiB 1MiB 10MB`."""
    match = _SIZE.match(text)
    if match is None:
        raise UnitError(f"{_shown(text)} is not a size; write a number and B, KiB, MiB, GiB, KB, MB or GB, as in 1MiB")
    scaled, scale = _scaled(match, _SIZE_UNITS)
    if scaled % scale:
        raise UnitError(f"{_shown(text)} is no whole number of bytes")
    if scaled > MAX_SIZE * scale:
        raise UnitError(f"{_shown(text)} is more than 1024GiB")
    return scaled // scale


def _scaled(match: re.Match[str], units: Mapping[str, int]) -> tuple[int, int]:
    """The exact number in the smallest unit, times a power of ten that makes it whole; and that power."""
    whole, fraction, unit = match[1], match[2] or "", match[3]
    return int(whole + fraction) * units[unit], 10 ** len(fraction)


def parse_share(text: str) -> float:
    """A fraction of one; `20%`."""
    match = _SHARE.match(text)
    if match is None or float(match[1]) > 100:
        raise UnitError(f"{_shown(text)} is not a share; write a percentage from 0% to 100%, as in 20%")
    return float(match[1]) / 100


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads back to the same seconds."""
    if seconds == 0:
        return "0s"
    from decimal import Decimal

    exact = Decimal(str(seconds)) * 1000
    for unit in ("d", "h", "m", "s"):
        count = exact / _DURATION_UNITS[unit]
        if count == count.to_integral_value():
            return f"{int(count)}{unit}"
    return f"{exact.normalize():f}ms"


def format_rate(rate: Rate) -> str:
    return f"{rate.tokens}/{ {1: 's', 60: 'min', 3600: 'hour', 86400: 'day'}[rate.period] }"


def format_size(count: int) -> str:
    """The shortest text that `parse_size` reads back to the same bytes."""
    for unit in ("GiB", "MiB", "KiB", "GB", "MB", "KB"):
        if count and count % _SIZE_UNITS[unit] == 0:
            return f"{count // _SIZE_UNITS[unit]}{unit}"
    return f"{count}B"


def format_share(share: float) -> str:
    from decimal import Decimal

    return f"{(Decimal(str(share)) * 100).normalize():f}%"
