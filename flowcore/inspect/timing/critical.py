"""The chain of cells that a run's wall time is made of.

Owns :class:`CriticalPath`: from the cell that ended last, back through the input that
was there last, to the beginning of the run. Between two steps stands what the later one
waited for once its inputs were there, so steps and waits together are the wall time up
to the last end: shorten anything else, and the run takes as long as it did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from flowcore.dataclass import dataclass
from flowcore.inspect.html import Part, table
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.inspect.timing.attempts import Attempts
from flowcore.inspect.timing.readiness import Readiness
from flowcore.inspect.timing.waiting import waiting

_SHOWN = 12  # steps that are told where all are asked for
_WIDTH = 60  # characters of a cell's id


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One cell of the chain.

    Attributes
    ----------
    cell, node : str
        Its readable id, and its node's name.
    began, seconds : float
        When it began, in seconds since the run did, and how long it took, inputs and result included.
    waited : float
        Seconds since its last input was there, or since the run began.
    cause : str
        What most of that was spent waiting for: ``worker``, ``memory``, ``limit`` or ``engine``.
    worker : int
        The worker process, from 1 on; 0: none of flowcore's.
    """

    cell: str
    node: str
    began: float
    seconds: float
    waited: float
    cause: str
    worker: int = 0


class CriticalPath(Sequence[Step]):
    """The steps that decided how long a run took, first one first.

    Attributes
    ----------
    seconds : float
        From the beginning of the run to the end of the last step.
    waited : float
        How much of that no step was running.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = tuple(steps)
        self.seconds = self._steps[-1].began + self._steps[-1].seconds if self._steps else 0.0
        self.waited = sum(step.waited for step in self._steps)

    @overload
    def __getitem__(self, place: int) -> Step: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Step]: ...
    def __getitem__(self, place: Any) -> Any:
        return self._steps[place]

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps)

    def __str__(self) -> str:
        heading = f"critical path: {len(self)} cells, {self.seconds:.3g} s, of which {self.waited:.3g} s waiting"
        lines = [f"  {step.began:9.3f} s  {step.seconds:8.3f} s  {_told(step)}" for step in self._some()]
        return "\n".join([heading, *lines, *([f"  and {len(self) - _SHOWN} more"] if len(self) > _SHOWN else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows: list[list[Part]] = [
            [step.cell, f"{step.began:.3f}", f"{step.seconds:.3f}", f"{step.waited:.3f}", step.cause]
            for step in self._some()
        ]
        more = f"and {len(self) - _SHOWN} more cells" if len(self) > _SHOWN else ""
        return table("", ["cell", ">began (s)", ">took (s)", ">waited (s)", "for"], rows, more=more)

    def _some(self) -> list[Step]:
        """Give the longest steps, in order."""
        longest = sorted(self._steps, key=lambda step: step.seconds + step.waited)[-_SHOWN:]
        chosen = {id(step) for step in longest}
        return [step for step in self._steps if id(step) in chosen]


def critical_rows(recorded: Recorded, attempts: Attempts, readiness: Readiness) -> list[int]:
    """Give the attempts on the critical path, as places, the first one first; lost ones of its cells are among them."""
    import numpy as np

    if not len(attempts):
        return []
    rows_of: dict[tuple[int, int], list[int]] = {}
    for row, at in enumerate(zip(attempts.node.tolist(), attempts.number.tolist(), strict=True)):
        rows_of.setdefault(at, []).append(row)
    last = int(np.argmax(attempts.ends))
    found: list[int] = []
    for cell in readiness.chain((int(attempts.node[last]), int(attempts.number[last]))):
        found += reversed(rows_of.get(cell, ()))  # none, if it was not run: a choice, say, or an expansion
        if cell[1] >= recorded.space(cell[0]).count:
            break
    return found[::-1]


def critical_path(recorded: Recorded, attempts: Attempts, readiness: Readiness) -> CriticalPath:
    """Find the chain, and what its steps waited for."""
    import numpy as np

    rows = np.array(critical_rows(recorded, attempts, readiness), np.int64)
    if not len(rows):
        return CriticalPath(())
    ready = ready_of(attempts, readiness)
    waited = waiting(recorded, attempts, ready)
    causes = ("worker", "memory", "limit", "engine")
    steps: list[Step] = []
    ended = 0.0
    for row in rows.tolist():
        node, number, began = int(attempts.node[row]), int(attempts.number[row]), float(attempts.begins[row])
        steps.append(Step(
            cell=recorded.name(node, number), node=recorded.nodes[node].name, began=began,
            seconds=float(attempts.ends[row]) - began, waited=max(0.0, began - ended),
            cause=max(causes, key=lambda cause: float(waited[cause][row])), worker=int(attempts.worker[row]),
        ))  # fmt: skip
        ended = float(attempts.ends[row])
    return CriticalPath(steps)


def ready_of(attempts: Attempts, readiness: Readiness) -> Any:
    """Give when the inputs of each attempt's cell were there, and the attempts before it over."""
    import numpy as np

    ready = np.zeros(len(attempts))
    order = np.argsort(attempts.node, kind="stable")
    nodes, first = np.unique(attempts.node[order], return_index=True)
    for node, rows in zip(nodes.tolist(), np.split(order, first[1:]), strict=False):
        known, numbers = readiness.ready.get(node, np.zeros(0)), attempts.number[rows]
        inside = numbers < len(known)
        ready[rows[inside]] = known[numbers[inside]]
    for row in np.flatnonzero(attempts.how > 1).tolist():
        later = (attempts.node == attempts.node[row]) & (attempts.number == attempts.number[row])
        later[: row + 1] = False
        ready[later] = np.maximum(ready[later], attempts.ends[row])
    return np.minimum(ready, attempts.begins)


def _told(step: Step) -> str:
    cell = step.cell if len(step.cell) <= _WIDTH else f"{step.cell[: _WIDTH - 3]}..."
    return cell + (f"  after {step.waited:.3g} s waiting for: {step.cause}" if step.waited >= 1e-3 else "")
