"""What a cell was called with, as far as a message may tell: never data (contract S11).

Owns the few words said of each argument when a cell fails. Labels along axes are names,
and are told; everything else is told by kind, shape, dtype and a short digest, taken
from records. What is gathered is counted, and never joined for the sake of a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from flowcore.declare.node import Along, Gathered, label_of, label_told
from flowcore.plan.extension import BadRecord, ValueGone
from flowcore.plan.sketch import sketch
from flowcore.run.job import Part, Record
from flowcore.run.ready.inputs import FromAxis, FromGather
from flowcore.run.ready.values import Values
from flowcore.run.ready.work import Work

Told = tuple[tuple[str, str], ...]  # (parameter, what it was), in the order of the call


def arguments_told(work: Work, number: int, values: Values) -> Told:
    """Tell what a cell of `work` is called with.

    Parameters
    ----------
    work : Work
        The cell's node, made ready.
    number : int
        The cell's.
    values : Values
        Of the run; an input that is gone is told as such.
    """
    task = work.task
    parts = [*task.positional, *(part for _, part in task.keywords)]
    told = [_part(work, part, number, values) for part in parts]
    return tuple(zip(work.planned.arguments, told, strict=False))  # an item's key is no argument of the drawing


def _part(work: Work, part: Part, number: int, values: Values) -> str:
    kind, content = part[0], part[1]
    if kind == "const":
        return sketch(cast(Record, content))
    if kind == "slot":
        return _slot(work, cast(int, content), number, values)
    return f"{kind} of {len(cast(Sequence[object], content))}"


def _slot(work: Work, slot: int, number: int, values: Values) -> str:
    drawn, feed = work.planned.slots, work.feeders[slot]
    form = drawn[slot] if slot < len(drawn) else None  # None: a small constant
    if isinstance(form, Gathered) and isinstance(feed, FromGather):
        return f"{'dict' if form.labels else 'list'} of {feed.count(number)} from {form.node.name}"
    if any(not values.has(*origin) for origin in feed.origins(number)):
        return "gone"
    try:
        record = feed.records([number], values)[0]
    except (ValueGone, BadRecord):
        return "gone"
    if isinstance(form, Along) and isinstance(feed, FromAxis) and form.axis.labels is not None:
        place = feed.place(number)
        label = label_of(form.values[place])
        if label is not None and label == form.axis.labels[place]:
            return label_told(label)
    return sketch(record)
