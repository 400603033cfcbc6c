"""Values put back in place: so that whoever holds an array or a list of a state goes on holding it."""

from __future__ import annotations

from typing import Any


def overwrite(held: Any, value: Any) -> bool:
    """Give a mutable object the content of another one that is its like; False if it is not its like."""
    if type(held) is not type(value):
        return False
    if isinstance(held, list):
        held[:] = value
        return True
    if isinstance(held, dict):
        held.clear()
        held.update(value)
        return True
    form = getattr(held, "strides", None), getattr(held, "shape", None), getattr(held, "dtype", None)
    alike = form == (getattr(value, "strides", None), getattr(value, "shape", None), getattr(value, "dtype", None))
    if type(held).__name__ != "ndarray" or not alike or not held.flags.writeable:
        return False
    held[...] = value
    return True
