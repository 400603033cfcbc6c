"""How two values of a cell differ, in a few words: shape, dtype, and the first place where arrays do."""

from __future__ import annotations

from typing import Any

from flowcore.errors import ValueLost, ValueReleased
from flowcore.inspect.causes.differences import shown
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.plan.encode import BadRecord, ValueGone
from flowcore.plan.sketch import sketch
from flowcore.store.codecs import Codec

_CHUNK = 1 << 20  # elements compared at once


def difference_told(recorded: Recorded, node: int, number: int, record: bytes, codec: Codec) -> str:
    """Tell how the value in `record` differs from what a cell gave in an older run.

    Values that are not there any more are told by what is known of them.
    """
    try:
        old_record = recorded.record(node, number)
    except (ValueLost, ValueReleased):
        return f"a value that was not kept -> {sketch(record) if record else 'one that was not kept'}"
    if not record:
        return f"{sketch(old_record)} -> a value that was not kept"
    try:
        old, new = recorded.value(node, number), codec.decode(record)
    except (ValueLost, ValueReleased, ValueGone, BadRecord):
        return f"{sketch(old_record)} -> {sketch(record)}"
    return values_told(old, new) or f"{sketch(old_record)} -> {sketch(record)}"


def values_told(old: object, new: object) -> str:
    """Tell how two values differ; empty if they have to be told by sketches.

    Examples
    --------
    >>> values_told(1.0, 2.0)
    '1.0 -> 2.0'
    """
    kinds = (type(None), bool, int, float, complex, str, bytes)
    if type(old) in kinds and type(new) in kinds:
        return f"{shown(old)} -> {shown(new)}"
    if type(old).__module__ == type(new).__module__ == "numpy":
        return _arrays_told(old, new)
    return ""


def _arrays_told(old: Any, new: Any) -> str:
    if not hasattr(old, "shape") or not hasattr(new, "shape"):
        return ""
    if old.dtype != new.dtype or old.shape != new.shape:
        return f"{old.dtype} {old.shape} -> {new.dtype} {new.shape}"
    if old.shape == ():
        return f"{old[()]} -> {new[()]}"
    place = first_difference(old, new)
    if place is None:
        return ""
    at = ", ".join(map(str, place))
    return f"{old.dtype} {old.shape}, first differs at [{at}]: {old[place]} -> {new[place]}"


def first_difference(old: Any, new: Any) -> tuple[int, ...] | None:
    """Give the first index, row-major, at which two arrays of one shape and dtype differ in a bit."""
    import numpy as np

    if old.dtype.hasobject or old.dtype.kind == "T":
        return None
    one, two = np.asarray(old).reshape(-1), np.asarray(new).reshape(-1)
    for start in range(0, one.size, _CHUNK):
        a, b = (np.ascontiguousarray(flat[start : start + _CHUNK]) for flat in (one, two))
        differs = (a.view(np.uint8).reshape(a.size, -1) != b.view(np.uint8).reshape(b.size, -1)).any(axis=1)
        if differs.any():
            return tuple(int(i) for i in np.unravel_index(start + int(differs.argmax()), old.shape))
    return None
