"""Durations and sizes as a user writes them: numbers, or text with units.

Owns :func:`seconds` and :func:`size`. Promises to read an amount or to refuse it with examples
(:class:`~flowcore.errors.BadOption`); never guesses a unit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from flowcore.errors import BadOption

_PART = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?|\.[0-9]+)\s*([a-zµ]*)\s*", re.IGNORECASE)
_SECONDS = {
    1e-6: ("us", "µs", "microsecond", "microseconds"), 1e-3: ("ms", "millisecond", "milliseconds"),
    1.0: ("s", "sec", "secs", "second", "seconds"), 60.0: ("m", "min", "mins", "minute", "minutes"),
    3600.0: ("h", "hr", "hour", "hours"), 86400.0: ("d", "day", "days"), 604800.0: ("w", "week", "weeks"),
}  # fmt: skip
_DURATIONS = {name: factor for factor, names in _SECONDS.items() for name in names}
_SIZES = {"b": 1, "byte": 1, "bytes": 1} | {
    letter + ending: base**power
    for power, letter in enumerate("kmgtp", start=1)
    for ending, base in (("b", 1000), ("ib", 1024))
}


def seconds(value: object, *, option: str = "duration") -> float:
    """Read a duration: a number of seconds, or text with units.

    Raises
    ------
    BadOption
        If it cannot be read, or is negative or not finite.

    Examples
    --------
    >>> seconds("90s"), seconds("2 min"), seconds("1 day"), seconds("1h 30min"), seconds(0.5)
    (90.0, 120.0, 86400.0, 5400.0, 0.5)
    """
    expected = 'seconds as a number, or text such as "90s", "2 min", "1 day"'
    return _amount(value, _DURATIONS, option=option, expected=expected)


def size(value: object, *, option: str = "size") -> int:
    """Read a size: a number of bytes, or text with a unit.

    ``kB, MB, GB`` count in thousands, ``KiB, MiB, GiB`` in 1024.

    Raises
    ------
    BadOption
        If it cannot be read, or is negative or not finite.

    Examples
    --------
    >>> size("4 GiB"), size("1.5 kB"), size(512)
    (4294967296, 1500, 512)
    """
    expected = 'bytes as a number, or text such as "500 MB", "4 GiB"'
    return round(_amount(value, _SIZES, option=option, expected=expected))


def _amount(value: object, units: Mapping[str, float], *, option: str, expected: str) -> float:
    if isinstance(value, str):
        amount = _parsed(value, units)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        amount = float(value)
    else:
        amount = math.nan
    if not math.isfinite(amount) or amount < 0:
        raise BadOption(option=option, found=repr(value), expected=expected)
    return amount


def _parsed(text: str, units: Mapping[str, float]) -> float:
    """Sum up the parts of `text`, such as ``1h 30min``; nan if it cannot be read."""
    total, position, parts = 0.0, 0, 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            return math.nan
        number, unit = match.groups()
        factor = units.get(unit.lower())
        if unit == "":  # a bare number, if it is all there is
            factor = 1.0 if parts == 0 and match.end() == len(text) else None
        if factor is None:
            return math.nan
        total, position, parts = total + float(number) * factor, match.end(), parts + 1
    return total if parts else math.nan
