"""A run of another process, told as events: what its observers would hear.

Owns the translation of a growing journal into :mod:`flowcore.events`. Promises that
each event is told once, in an order that an observer may rely on (a node before its
cells, the end last), that a run which died without a word ends as ``dead``, and that
looking costs no more than what is new. Never waits: whoever follows asks again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from flowcore import clock
from flowcore.events import Advanced, Cells, CellsParked, Event, NodeDrawn, Printed, RunEnded, RunStarted
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.plan.cells import Space
from flowcore.store.history import Stepped
from flowcore.store.output import read_output

_ASK = 1.0  # seconds between two looks whether a run that says nothing still lives


class Following:
    """Tells what is new in a run. One thread.

    Parameters
    ----------
    recorded : Recorded
        The run.
    printed : bool
        Whether to tell what its cells print, too.
    """

    def __init__(self, recorded: Recorded, *, printed: bool = True) -> None:
        self.recorded = recorded
        self.over = False
        self._printing = printed
        self._started = False
        self._drawn: dict[int, int | None] = {}  # node -> cells, as told
        self._counted: dict[int, tuple[int, ...]] = {}
        self._steps: dict[tuple[int, int], tuple[Stepped, float, float]] = {}  # as told, when, and steps a second
        self._parked = CellsParked()
        self._heard = 0  # pieces of output
        self._size = 0  # of the file that holds them, when it was read
        self._asked = -_ASK
        self._dead = False

    def more(self) -> list[Event]:
        """Give what happened since the last time; the last event of all is the run's end."""
        if self.over:
            return []
        now = self.recorded
        now.catch_up()
        if not now.facts and not self._is_over():
            return []
        events = [*self._begun(), *self._nodes(), *self._cells(), *self._loops(), *self._waiting(), *self._output()]
        if self._is_over():
            self.over = True
            events.append(RunEnded(run=now.id, status=now.status, seconds=self._seconds()))
        return events

    def _is_over(self) -> bool:
        """Tell whether nothing more will come; of a run without an end that is asked now and then."""
        if self.recorded.ended is not None or self._dead:
            return True
        if clock.monotonic() - self._asked < _ASK:
            return False
        self._asked = clock.monotonic()
        self._dead = self.recorded.status == "dead"  # asked twice at one look, the second answer is the first
        return self._dead

    def _seconds(self) -> float:
        now = self.recorded
        told = now.ended.counts.get("seconds") if now.ended is not None else None
        return float(told) if isinstance(told, int | float) else max(0.0, clock.wall() - now.began)

    def _begun(self) -> Iterator[Event]:
        if not self._started:
            self._started = True
            facts, workers = self.recorded.facts, self.recorded.facts.get("workers")
            yield RunStarted(
                run=self.recorded.id, flow=str(facts.get("flow", "")), nodes=len(self.recorded.nodes),
                workers=workers if isinstance(workers, int) else 0,
            )  # fmt: skip

    def _nodes(self) -> Iterator[Event]:
        """Tell nodes that are new, or of which more cells are known; those of known length are looked at once."""
        for number, info in self.recorded.nodes.items():
            if info.kind == "expand" or (self._drawn.get(number, -1) not in (-1, None) and self._is_static(number)):
                continue
            space = self.recorded.space(number)
            cells = space.count if space.complete else None
            if self._drawn.get(number, -1) != cells:
                self._drawn[number] = cells
                yield NodeDrawn(
                    node=number, name=info.name, kind=info.kind, group=info.group, cells=cells,
                    task=(info.task or "").rpartition(".")[2],
                )  # fmt: skip

    def _is_static(self, node: int) -> bool:
        space: Space = self.recorded.space(node)
        return space.static

    def _cells(self) -> Iterator[Event]:
        now = self.recorded
        running = now.running_of if now.ended is None else {}
        for node in self._drawn:
            counts = now.ledgers[node].counts
            told = (running.get(node, 0), counts.done, counts.hit, counts.failed, counts.skipped)
            if self._counted.get(node, (0,) * 5) != told:
                self._counted[node] = told
                yield Cells(node=node, started=told[0], done=told[1], hit=told[2], failed=told[3], skipped=told[4])

    def _loops(self) -> Iterator[Event]:
        now, moment = self.recorded, clock.monotonic()
        for at, step in now.loops.steps.items():
            known = self._steps.get(at)
            if known is not None and known[0] is step:
                continue
            rate = 0.0
            if known is not None and step.step > known[0].step and moment > known[1]:
                rate = (step.step - known[0].step) / (moment - known[1])
            self._steps[at] = (step, moment, rate)
            yield Advanced(
                node=at[0], cell=now.name(*at), step=step.step, steps=step.steps or None,
                seconds_left=(step.steps - step.step) / rate if step.steps and rate else None,
                numbers=tuple(step.numbers.items()),
            )  # fmt: skip

    def _waiting(self) -> Iterator[Event]:
        if self.recorded.parked != self._parked:
            self._parked = self.recorded.parked
            yield self._parked

    def _output(self) -> Iterator[Event]:
        now = self.recorded
        path, disk = now.store.layout.output(now.id), now.store.disk
        try:
            size = disk.stat(path).st_size if self._printing else self._size
        except OSError:  # nothing was printed so far
            return
        if size == self._size:
            return
        self._size = size
        lines = list(read_output(path, disk=disk))
        for line in lines[self._heard :]:
            if line.node in self._drawn:
                stream: Literal["stdout", "stderr"] = "stderr" if line.stream == "stderr" else "stdout"
                yield Printed(cell=now.name(line.node, line.number), stream=stream, text=line.text)
        self._heard = len(lines)
