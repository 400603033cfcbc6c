"""What of a run's values goes into the store's memory, and what stays in its history only.

Owns the rule that a record is kept under a key only if all that it points to is in the
store, if it has an identity and does not carry what ought to lie in a file of its own, and,
where it is a pickle, as the value of that key alone (contract S3). Does no input or output.
"""

from __future__ import annotations

from dataclasses import replace

from flowcore.plan.encode import BadRecord, references
from flowcore.plan.extension import KEPT
from flowcore.plan.pickled import is_pickled, sealed
from flowcore.plan.plain import are_scalars
from flowcore.plan.records import is_carried
from flowcore.store.trace import Trace


def kept(trace: Trace) -> tuple[Trace, dict[bytes, int]]:
    """Give the trace without what must not be kept, and the arrays it names, with their sizes."""
    if trace.skips or (all(trace.components) and are_scalars(trace.records)):
        return trace, {}
    keys, records = list(trace.keys), list(trace.records)
    sizes: dict[bytes, int] = {}
    for i, record in enumerate(records):
        named = _named(record)
        away = named is None or is_carried(record) or any(place != KEPT for _, _, place in named)
        if named is None or away or not trace.components[i]:
            keys[i] = records[i] = b""
        elif named:
            sizes.update((digest, size) for digest, size, _ in named)
        if is_pickled(records[i]):  # from here on it is the value of this key, and of no other
            records[i] = _sealed(records[i], keys[i])
            keys[i] = keys[i] if records[i] else b""
    if keys == trace.keys and records == trace.records:
        return trace, sizes
    return replace(trace, keys=keys, records=records), sizes


def _sealed(record: bytes, key: bytes) -> bytes:
    try:
        return sealed(record, key)
    except BadRecord:
        return b""


def _named(record: bytes) -> list[tuple[bytes, int, int]] | None:
    """Give digest, size and place of the arrays in a record; None if it cannot be read."""
    if not record:
        return []
    try:
        return references(record)
    except (BadRecord, ValueError):
        return None
