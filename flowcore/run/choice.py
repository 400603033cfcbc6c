"""A choice: what its condition says, and what the branch gives that it falls on.

Both are looked at as records, on the engine's thread, where user code never runs: a
condition that can only be unpickled, or that has no single truth, fails the cell.
"""

from __future__ import annotations

from flowcore.plan.encode import decode
from flowcore.plan.graph import Constant, Place, Shape
from flowcore.plan.records import component_of, join_dict, join_list, join_tuple
from flowcore.run.job import Component, Record
from flowcore.run.values import Classes, Values
from flowcore.run.work import Work
from flowcore.store.codecs import Codec

BRANCHES = ("a", "b")


def truth(work: Work, number: int, values: Values, codec: Codec) -> bool:
    """Tell which way the condition of a cell falls.

    Raises
    ------
    ValueError, TypeError, BadRecord
        If its value has no truth, or can only be unpickled.
    ValueGone
        If it is an array that cannot be read any more.
    """
    record = _record(work.planned.arguments["condition"], work, number, values, codec)
    return bool(decode(record, fetch=codec.fetch))


def chosen(work: Work, number: int, side: int, values: Values, codec: Codec) -> tuple[Record, Component, Classes]:
    """Give the value of a cell from the branch it fell on, which is done."""
    shape = work.planned.arguments[BRANCHES[side]]
    record = _record(shape, work, number, values, codec)
    if isinstance(shape, Place):
        component = work.feeders[shape.slot].components([number], values)[0]
        origins = work.feeders[shape.slot].origins(number)
        return record, component, [c for origin in origins for c in values.classes(*origin)]
    return record, component_of(record, fetch=codec.fetch), ()


def _record(shape: Shape, work: Work, number: int, values: Values, codec: Codec) -> Record:
    """Put the record of an argument together from those of its parts."""
    if isinstance(shape, Place):
        return work.feeders[shape.slot].records([number], values)[0]
    if isinstance(shape, Constant):
        return codec.encode(shape.value, keep=False).record
    parts = [_record(item, work, number, values, codec) for _, item in shape.items]
    if shape.kind == "dict":
        keys = [codec.encode(key, keep=False).record for key, _ in shape.items]
        return join_dict(list(zip(keys, parts, strict=True)))
    return join_list(parts) if shape.kind == "list" else join_tuple(parts)
