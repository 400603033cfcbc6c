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

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from flowcore.plan.cells import Numbers
from flowcore.plan.schedule import Schedule
from flowcore.plan.states import SETTLED, STARTED, WAITING
from flowcore.plan.stations import Station

_CRUMB = 1e-9  # of a message: what adding parts of one may come to beside the truth
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
    >>> schedule.followers([(0, 0)], room=1.0, weight=lambda node: 0.1, broad=8)
    [(1, 0), (2, 0)]
    """

    def followers(
        self, cells: Sequence[Cell], *, room: float, weight: Callable[[int], float], broad: int
    ) -> list[Cell]:
        """Give waiting cells that need nothing but these cells, each other, and what is done.

        Each comes behind all that makes its inputs. `weight` tells what part of a message a cell of
        a node takes; more than one is for those that may not ride. All that are given fit into `room`.

        The ride ends where it grows broader than it began, and than `broad`: more cells than that
        which need not wait for each other are for all workers to share.
        """
        found: list[Cell] = []
        row: Sequence[Cell] = cells
        broad, room = max(broad, len(cells)), room + _CRUMB
        lacking: dict[Cell, int] = {}  # what a cell waits for besides those that are with it
        weights: dict[int, float] = {}
        while row and room > 0.0:
            below: list[Cell] = []
            for consumer, numbers in self._fed(row, weights, weight):
                states = consumer.states
                for m in numbers:
                    if states[m] != WAITING:
                        continue
                    cell = consumer.number, m
                    left = lacking[cell] = lacking.get(cell, consumer.pending[m]) - 1
                    if not left and m not in consumer.skips:
                        room -= weights[consumer.number]
                        if room < 0.0:
                            break
                        below.append(cell)
                if room < 0.0:
                    break
            if len(below) > broad:
                break
            found += below
            row = below
        return found

    def _fed(
        self, cells: Sequence[Cell], weights: dict[int, float], weight: Callable[[int], float]
    ) -> Iterator[tuple[Station, Numbers]]:
        """Yield the cells that need one of these, once for each that they need, and may ride."""
        stations = self._stations
        for node, number in cells:
            one = (number,)
            for wire in stations[node].out:
                consumer = wire.consumer
                taken = weights.get(consumer.number)
                if taken is None:
                    taken = weights[consumer.number] = weight(consumer.number) if _is_plain(consumer) else math.inf
                if taken <= 1.0:
                    yield consumer, one if wire.link.same else wire.link.fed(one)

    def ride(self, cells: Sequence[Cell]) -> None:
        """These waiting cells are handed out with what makes their inputs."""
        for node, number in cells:
            self._stations[node].states[number] = STARTED
        self._open += len(cells)

    def unride(self, node: int, numbers: Numbers) -> None:
        """These cells, which rode, were not begun: they wait for their inputs again."""
        station = self._stations[node]
        station.mark(numbers, WAITING)
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
