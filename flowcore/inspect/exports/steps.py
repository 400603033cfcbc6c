"""The cells of a run as steps of a workflow, for formats that know tasks, parents and files.

Owns the reading: which cells count, what each needs, how long it took and which arrays
it gave. A cell that the store answered counts with the seconds it took when it ran.
What flowcore does between cells (the elements of a list, a branch taken) is no step:
whoever needs it, needs what that was made of.
"""

from __future__ import annotations

from flowcore.dataclass import dataclass
from flowcore.errors import FlowcoreError
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.inspect.timing.timeline import Timeline
from flowcore.plan.encode import BadRecord, references
from flowcore.plan.sketch import sketch
from flowcore.store.cache import Hit

_KINDS = frozenset({"compute", "io"})
Cell = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A cell that gave a value, in this run or an older one.

    Attributes
    ----------
    node, number : int
        The cell.
    name : str
        Its readable id.
    needs : tuple of (int, int)
        The steps that it needs.
    began : float or None
        Seconds since the run began; None: it was answered by the store, or the journal does not tell.
    seconds : float
        Inside the user's function, in this run or when it ran.
    worker : int
        From 1 on; 0: none of flowcore's.
    value : str
        What it gave: kind, shape, dtype and digest.
    files : tuple of (str, int)
        Digest and size of each array of it that is kept.
    """

    node: int
    number: int
    name: str
    needs: tuple[Cell, ...]
    began: float | None
    seconds: float
    worker: int
    value: str
    files: tuple[tuple[str, int], ...]


def steps_of(timeline: Timeline, recorded: Recorded) -> list[Step]:
    """Give the cells of a run that have a value, each after those it needs."""
    ran = _ran(timeline)
    of_node = {node: _with_value(recorded, node) for node, info in recorded.nodes.items() if info.kind in _KINDS}
    counted = {(node, number) for node, numbers in of_node.items() for number in numbers}
    found: list[Step] = []
    for node in timeline.readiness.order:
        for number in of_node.get(node, ()):
            began, seconds, worker = ran.get((node, number), (None, _older(recorded, node, number), 0))
            value, files = _given(recorded, node, number)
            found.append(Step(
                node=node, number=number, name=recorded.name(node, number), began=began, seconds=seconds,
                needs=_needs(timeline, node, number, counted), worker=worker, value=value, files=files,
            ))  # fmt: skip
    return found


def _with_value(recorded: Recorded, node: int) -> list[int]:
    known, states = recorded.space(node).count, ("done", "hit", "given")
    told = recorded.ledgers[node].index()
    return sorted(number for number in told if number < known and recorded.state(node, number) in states)


def _ran(timeline: Timeline) -> dict[Cell, tuple[float | None, float, int]]:
    a = timeline.attempts
    columns = (a.node, a.number, a.begins, a.seconds, a.worker, a.how)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {(node, number): (began, seconds, worker) for node, number, began, seconds, worker, how in rows if not how}


def _older(recorded: Recorded, node: int, number: int) -> float:
    """Give the seconds that a cell took when it ran, if the record that answered for it is there."""
    key = recorded.key(node, number)
    hit = recorded.archive.cache.judge([key])[0] if key and recorded.state(node, number) == "hit" else None
    return hit.seconds if isinstance(hit, Hit) else 0.0


def _needs(timeline: Timeline, node: int, number: int, counted: set[Cell]) -> tuple[Cell, ...]:
    found: dict[Cell, None] = {}
    waiting, seen = timeline.readiness.inputs(node, number), set[Cell]()
    while waiting:
        cell = waiting.pop()
        if cell in counted:
            found[cell] = None
        elif cell not in seen:
            seen.add(cell)
            waiting += timeline.readiness.inputs(*cell)
    return tuple(sorted(found))


def _given(recorded: Recorded, node: int, number: int) -> tuple[str, tuple[tuple[str, int], ...]]:
    try:
        record = recorded.record(node, number)
        files = tuple((digest.hex(), size) for digest, size, place in references(record) if not place)
    except (FlowcoreError, BadRecord):
        return "a value that was not kept", ()
    return sketch(record), files
