"""Numbers as people read them at a glance: times, rates, counts."""

from __future__ import annotations

from flowcore.errors import shorten
from flowcore.events import Advanced

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
    ('1 s', '41 s', '2 min', '1 h 30 min', '2 days 7 h')
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


def loop_told(loop: Advanced) -> str:
    """Tell how far a loop is.

    Examples
    --------
    >>> loop_told(Advanced(node=1, cell="erode", step=42, steps=100, seconds_left=70.0, numbers=(("mean", 1.25),)))
    'erode: step 42 of 100, mean=1.25, about 70 s left'
    """
    of = f" of {loop.steps}" if loop.steps is not None else ""
    parts = [f"step {loop.step}{of}", *(f"{name}={value:.4g}" for name, value in loop.numbers)]
    parts += [f"about {about(loop.seconds_left)} left"] if loop.seconds_left is not None else []
    return f"{shorten(loop.cell, 60)}: {', '.join(parts)}"


def counted(number: int, noun: str) -> str:
    """Give a number and its noun.

    Examples
    --------
    >>> counted(1, "cell"), counted(2, "cell")
    ('1 cell', '2 cells')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
