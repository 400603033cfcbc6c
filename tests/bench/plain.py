"""A function whose module loads nothing, for processes that are timed from start to end."""

from __future__ import annotations


def nothing(x: int) -> int:
    """Do nothing."""
    return x
