"""Durations in the fewest characters that tell them."""

from __future__ import annotations

_UNITS = ((1e-3, 1e-6, "µs"), (1.0, 1e-3, "ms"), (120.0, 1.0, "s"), (7200.0, 60.0, "min"), (172_800.0, 3600.0, "h"))


def duration(seconds: float) -> str:
    """Give a duration with two or three digits, and its unit.

    Examples
    --------
    >>> duration(0.0000031), duration(0.25), duration(3.21), duration(754), duration(9000), duration(1e6)
    ('3.1 µs', '250 ms', '3.2 s', '13 min', '2.5 h', '11.6 d')
    """
    if seconds <= 0:
        return "0 s"
    for limit, unit, name in _UNITS:
        if seconds < limit:
            number = seconds / unit
            return f"{number:.2g} {name}" if number < 99.5 else f"{number:.0f} {name}"
    return f"{seconds / 86_400:.1f} d"
