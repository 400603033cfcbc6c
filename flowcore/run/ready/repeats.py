"""Cells of a run that draw the same random numbers are found, and told (contract K21)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowcore.doubts import RepeatedStream
from flowcore.notices import notice
from flowcore.plan.streams import RNG
from flowcore.run.ready.values import Values
from flowcore.run.ready.work import Work


class Repeats:
    """Finds cells of a run that draw the same numbers. The engine's thread.

    About 120 bytes a cell of a task that draws, and nothing for others.
    """

    def __init__(self, name: Callable[[int, int], str]) -> None:
        self._name = name
        self._seen: dict[int, tuple[int, int]] = {}
        self._told: set[str] = set()

    def look(self, work: Work, numbers: Sequence[int], values: Values) -> None:
        """Warn, once a task, if one of these cells has the stream of another."""
        task = work.planned.node.task
        assert task is not None, "only tasks draw"
        if task.name in self._told:
            return
        node, source = work.number, work.supplies[RNG]
        for number, entropy in zip(numbers, source.column(numbers, [], values), strict=True):
            first = self._seen.setdefault(int.from_bytes(entropy[:8], "little"), (node, number))
            if first != (node, number):
                self._told.add(task.name)
                at = work.planned.node.site
                notice(
                    RepeatedStream(task=task.name, first=self._name(*first), second=self._name(node, number), at=at), at
                )
                return
