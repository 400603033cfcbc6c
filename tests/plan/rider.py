"""Plays a world through a schedule whose messages take riders along: `player.py`, with a worker that may die."""

from __future__ import annotations

from flowcore.plan.riding import RidingSchedule
from flowcore.plan.states import State
from tests.plan.player import Player
from tests.plan.world import Cell, World


class Rider(Player):
    """An engine that lets cells ride, and dice for what becomes of them."""

    schedule: RidingSchedule

    def __init__(self, world: World, order: int, schedule: type[RidingSchedule] = RidingSchedule) -> None:
        super().__init__(world, order, schedule)
        self.riding: dict[Cell, set[Cell]] = {}  # and what their message makes for them
        self.rode = 0
        self.came_back = 0

    def take_some(self) -> bool:
        """As ever; and what was begun may take others along."""
        before = set(self.taken)
        some = super().take_some()
        begun = [cell for cell in sorted(self.taken - before) if self.state(cell) == State.STARTED]
        if begun and self.rng.random() < 0.8:
            self.load(begun)
        return some

    def mark(self, cell: Cell) -> None:
        """Start most cells: what is parked takes nobody along."""
        n = self.number(cell)
        assert n is not None
        if self.rng.random() < 0.8:
            self.schedule.started(cell[0], [n])
        else:
            super().mark(cell)

    def load(self, begun: list[Cell]) -> None:
        """Let cells ride with these."""
        carriers = [(cell[0], n) for cell in begun if (n := self.number(cell)) is not None]
        may = {node: self.world.nodes[node].kind == "task" and self.rng.random() < 0.9 for node in self.added}
        part = 1.0 / self.rng.choice([1, 2, 8, 100])
        broad = self.rng.choice([1, 3, 100])
        found = self.schedule.followers(carriers, room=1.0, weight=lambda node: part if may[node] else 2.0, broad=broad)
        assert len(set(found)) == len(found)
        message, left = set(begun), set[Cell]()
        for node, n in found:
            rider = self.cell(node, n)
            inputs = {fed for edge in self.world.first_edges(rider) for fed in self.world.inputs(rider, edge)}
            makers = {cell for cell in inputs if cell in message}
            assert makers or inputs & left, "it waits for something in its message"
            for cell in inputs - makers - left:
                assert State.DONE == self.state(cell), "and for nothing else"  # type: ignore[arg-type]
            if inputs & left or not inputs - makers <= self.values:  # wanted late: it was let go
                left.add(rider)
                continue
            self.riding[rider] = makers  # type: ignore[assignment]
            message.add(rider)
            self.schedule.ride([(node, n)])
        self.rode += len(found) - len(left)

    def look(self) -> None:
        """See what has become of riders: begun, for what they need is made; come back; or still on their way."""
        super().look()
        for rider, makers in list(self.riding.items()):
            ended = [maker for maker in makers if maker not in self.riding and maker not in self.taken]
            failed = any(self.state(maker) != State.DONE for maker in ended)
            if self.rng.random() < 0.5:
                continue
            if failed or self.rng.random() < 0.1:
                self.come_back(rider)
            elif len(ended) == len(makers):
                del self.riding[rider]
                self.taken.add(rider)
                self.takes[rider] += 1

    def check_end(self, targets: list[int | Cell]) -> None:
        """Look once more: what came back last may have settled something."""
        super().look()
        super().check_end(targets)

    def come_back(self, rider: Cell) -> None:
        """A rider was not begun, and so none that needs it is."""
        n = self.number(rider)
        assert n is not None
        del self.riding[rider]
        self.came_back += 1
        self.schedule.unride(rider[0], [n])
