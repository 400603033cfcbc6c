"""Numbers as people read them at a glance: times, rates, counts."""

from __future__ import annotations

_STEPS = ((1.0, "s"), (60.0, "min"), (3600.0, "h"))


def clocked(seconds: float) -> str:
    """Give a duration as on a stop-watch.

    Examples
    --------
    >>> clocked(7.9), clocked(754), clocked(3 * 3600 + 62)
    ('0:07', '12:34', '3:01:02')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def about(seconds: float) -> str:
    """Give a forecast, no more exact than it can be.

    Examples
    --------
    >>> about(0.3), about(41), about(100), about(5400), about(200_000)
    ('1 s', '41 s', '2 min', '1 h 30 min', '2 days 8 h')
    """
    if seconds < 91:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 91 and minutes != 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} day{'s' if days > 1 else ''} {hours} h"


def paced(rate: float) -> str:
    """Give a rate in a unit that makes it a handy number.

    Examples
    --------
    >>> paced(1234.5), paced(3.21), paced(0.2), paced(0.001)
    ('1234/s', '3.2/s', '12/min', '3.6/h')
    """
    for length, unit in _STEPS:
        if rate * length >= 1 or unit == "h":
            break
    value = rate * length
    return f"{value:.0f}/{unit}" if value >= 10 else f"{value:.1f}/{unit}"


def counted(number: int, noun: str) -> str:
    """Give a number and its noun.

    Examples
    --------
    >>> counted(1, "cell"), counted(2, "cell")
    ('1 cell', '2 cells')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
