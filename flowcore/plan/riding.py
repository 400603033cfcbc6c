r"""Cells that are handed out before their inputs are there: riders (contract W5b).

A message to a worker may take along cells that wait for nothing but what is made earlier
in the same message. Two transitions come to those of `plan/schedule.py`::

    WAITING -- ride --> STARTED -> DONE | SKIPPED | FAILED | ...
    STARTED -- unride --> WAITING ...          (what was to make its inputs did not)

A rider is open as any started cell is. Nothing that becomes of its inputs meanwhile is
counted for it; so one that comes back counts all its inputs anew, and is decided as if it
had never left: where everything ends does not depend on who rode, and where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from flowcore.plan.cells import Numbers
from flowcore.plan.schedule import Schedule
from flowcore.plan.stations import SETTLED, State, Station

Cell: TypeAlias = tuple[int, int]  # node, number


class RidingSchedule(Schedule):
    """A schedule of which waiting cells may be handed out with what makes their inputs.

    Examples
    --------
    >>> from flowcore.plan.stations import Edge
    >>> schedule = RidingSchedule()
    >>> schedule.add(0, ())
    >>> schedule.add(1, (), [Edge(0)])
    >>> schedule.add(2, (), [Edge(1)])
    >>> schedule.want(2)
    >>> schedule.started(0, schedule.take(0, 1))
    >>> schedule.followers([(0, 0)], limit=8, may=lambda node: True)
    [(1, 0), (2, 0)]
    """

    def followers(self, cells: Sequence[Cell], *, limit: int, may: Callable[[int], bool]) -> list[Cell]:
        """Give up to `limit` waiting cells that need nothing but these cells, each other, and what is done.

        Each comes behind all that makes its inputs. `may` tells of which nodes cells may ride.
        """
        found: list[Cell] = []
        lacking: dict[Cell, int] = {}  # what a cell waits for besides those that are with it
        allowed: dict[int, bool] = {}
        for node, number in self._each(cells, found):
            for wire in self._stations[node].out:
                consumer = wire.consumer
                if consumer.number not in allowed:
                    allowed[consumer.number] = _is_plain(consumer) and may(consumer.number)
                if not allowed[consumer.number]:
                    continue
                for m in wire.link.fed([number]):
                    if consumer.states[m] != State.WAITING:
                        continue
                    cell = consumer.number, m
                    lacking[cell] = lacking.get(cell, consumer.pending[m]) - 1
                    if not lacking[cell] and m not in consumer.skips:
                        found.append(cell)
                        if len(found) >= limit:
                            return found
        return found

    @staticmethod
    def _each(cells: Sequence[Cell], found: list[Cell]) -> Iterator[Cell]:
        """Yield these cells, and what is found on the way."""
        yield from cells
        yield from found  # a list that grows is gone through to its end

    def ride(self, cells: Sequence[Cell]) -> None:
        """These waiting cells are handed out with what makes their inputs."""
        for node, number in cells:
            self._stations[node].states[number] = State.STARTED
        self._open += len(cells)

    def unride(self, node: int, numbers: Numbers) -> None:
        """These cells, which rode, were not begun: they wait for their inputs again."""
        station = self._stations[node]
        station.mark(numbers, State.WAITING)
        self._open -= len(numbers)
        for m in numbers:
            station.pending[m] = 0
            for wire in station.into:
                for n in wire.link.inputs(m).numbers:
                    station.pending[m] += 1
                    if wire.producer.states[n] in SETTLED:
                        wire.feed(m, wire.producer.states[n])
        self._decide(station, numbers)


def _is_plain(station: Station) -> bool:
    """Tell whether a node's cells wait for nothing but values: no choice, no growth, no row without a length."""
    if station.sides or station.graphs or not station.space.static:
        return False
    return all(wire.edge.mode == "need" and wire.link.static for wire in station.into)
