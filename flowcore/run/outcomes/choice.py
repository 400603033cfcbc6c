"""A choice: what its condition says, and what the branch gives that it falls on.

Both are looked at as records, on the engine's thread, where user code never runs: a
condition that can only be unpickled, or that has no single truth, fails the cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from flowcore.errors import MissingFile
from flowcore.plan.encode import BadRecord, NoEncoding, ValueGone, decode
from flowcore.plan.graph import Constant, Container, Place, Ready, Shape
from flowcore.plan.records import combine, component_of, join_dict, join_list, join_tuple
from flowcore.plan.schedule import Schedule
from flowcore.run.books import Books
from flowcore.run.cell.failure import describe
from flowcore.run.job import Component, Failure, Record
from flowcore.run.ready.values import Classes, Values
from flowcore.run.ready.work import Work
from flowcore.store.codecs import Codec

Fail: TypeAlias = Callable[[int, Sequence[int], Failure], None]
BRANCHES = ("a", "b", "result")
RESULT = 2  # in place of a side: of a node that has the value of one branch, come what may


def side_of(work: Work, number: int, schedule: Schedule) -> int | None:
    """Tell which branch a cell has the value of; None while that is not known."""
    return RESULT if work.planned.node.kind == "result" else schedule.side(work.number, number)


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
    return record, component_of(record, fetch=codec.fetch), _classes(work, shape, number, values, codec)


def _classes(work: Work, shape: Shape, number: int, values: Values, codec: Codec) -> Classes:
    """Give the user classes met in the parts of an argument, each once (K10)."""
    found = dict.fromkeys(work.met)
    waiting = [shape]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Place):
            for origin in work.feeders[part.slot].origins(number):
                found.update(dict.fromkeys(values.classes(*origin)))
        elif isinstance(part, Container):
            waiting.extend(item for _, item in part.items)
        elif not isinstance(part.value, Ready):
            found.update(dict.fromkeys(codec.encode(part.value, keep=False).classes))
    return tuple(found)


def choose(work: Work, number: int, books: Books, codec: Codec, fail: Fail) -> None:
    """A choice whose condition is known falls on a branch; one whose branch is done has its value."""
    node = work.number
    side = side_of(work, number, books.schedule)
    try:
        if side is None:
            books.schedule.chose(node, number, 0 if truth(work, number, books.values, codec) else 1)
            return
        record, component, classes = chosen(work, number, side, books.values, codec)
    except (ValueGone, BadRecord, NoEncoding, MissingFile, TypeError, ValueError) as error:
        fail(node, [number], describe(error))
        return
    derived = combine("chosen", [books.run_id.encode(), str(node).encode(), str(number).encode()])
    if not component:
        books.values.nameless.add((node, number))
    books.put(node, number, record, component or derived, classes)
    if side != RESULT:  # that is the value of the cell that grew, and written down as such
        books.note(node, [number])
    books.count(node).done += 1
    books.schedule.done(node, [number])


def _record(shape: Shape, work: Work, number: int, values: Values, codec: Codec) -> Record:
    """Put the record of an argument together from those of its parts."""
    if isinstance(shape, Place):
        return work.feeders[shape.slot].records([number], values)[0]
    if isinstance(shape, Constant):
        return _written(shape.value, codec)
    parts = [_record(item, work, number, values, codec) for _, item in shape.items]
    if shape.kind == "dict":
        keys = [_written(key, codec) for key, _ in shape.items]
        return join_dict(list(zip(keys, parts, strict=True)))
    return join_list(parts) if shape.kind == "list" else join_tuple(parts)


def _written(value: object, codec: Codec) -> Record:
    return value.record if isinstance(value, Ready) else codec.encode(value, keep=False).record
