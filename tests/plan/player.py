"""Plays a world through a Schedule in a random order of events, and checks each step against the oracle."""

from __future__ import annotations

from collections import Counter, defaultdict
from random import Random

from flowcore.plan.schedule import Schedule
from flowcore.plan.states import State
from flowcore.plan.stations import Edge
from tests.plan.world import Cell, Row, World

SETTLED = {State.DONE, State.SKIPPED, State.FAILED, State.BLOCKED}
OPEN = {State.READY, State.PARKED, State.STARTED}
USING = OPEN | {State.WAITING, State.INTERRUPTED}


class Player:
    """What an engine is to a Schedule, with dice for an executor."""

    def __init__(self, world: World, order: int, schedule: type[Schedule] = Schedule) -> None:
        self.world = world
        self.rng = Random(f"{world.seed}/{order}/order")
        self.schedule = schedule()
        self.added: list[int] = []
        self.consumers: dict[int, list[tuple[int, Edge]]] = defaultdict(list)
        self.held: set[int] = set()
        self.taken: set[Cell] = set()  # and not settled since
        self.started: set[Cell] = set()
        self.takes: Counter[Cell] = Counter()
        self.allowed: Counter[Cell] = Counter()  # takes beyond the first
        self.phase: Counter[Cell] = Counter()  # 1: chose or grew
        self.values: set[Cell] = set()  # that an engine would still have
        self.let_go: Counter[Cell] = Counter()
        self.made: Counter[Cell] = Counter()
        self.lost = 0
        self.paused: list[int] = []

    # ---- the game --------------------------------------------------------------------

    def play(self) -> None:
        """Run the world to its end, and check the end."""
        self.add(self.world.drawn)
        targets = self.targets()
        late = [t for t in targets if self.world.character.late and self.rng.random() < 0.5]
        for target in targets:
            if target not in late:
                self.want(target)
        for _ in range(20_000):
            self.look()
            if late and (self.rng.random() < 0.1 or self.schedule.finished):
                self.want(late.pop())
            elif self.taken and self.rng.random() < 0.5:
                self.settle_some()
            elif self.take_some():
                continue
            elif self.paused:
                self.schedule.pause(self.paused.pop(), False)
            elif self.taken:
                self.settle_some()
            elif self.schedule.finished:
                break
        else:
            raise AssertionError("no end")
        self.check_end(targets)

    def add(self, numbers: list[int]) -> None:
        """Draw nodes."""
        for number in numbers:
            node = self.world.nodes[number]
            options = {"priority": node.priority, "lane": node.lane}
            self.schedule.add(number, node.spans, node.edges, held=node.held, **options)  # type: ignore[arg-type]
            self.added.append(number)
            self.held.update({number} if node.held else ())
            for edge in node.edges:
                self.consumers[edge.source].append((number, edge))
                if edge.mode == "branch":
                    self.hold(edge.source)

    def hold(self, number: int) -> None:
        """Note that values of a branch, and of all above it, are kept."""
        self.held.add(number)
        for edge in self.world.nodes[number].edges:
            self.hold(edge.source)

    def targets(self) -> list[int | Cell]:
        """Choose what is wanted."""
        rng = self.world.luck("targets")
        if not self.world.character.partial:
            return list(self.world.drawn)
        found: list[int | Cell] = []
        for number in rng.sample(self.world.drawn, rng.randint(1, min(3, len(self.world.drawn)))):
            node = self.world.nodes[number]
            cells = [cell for cell in self.world.below(number, {}) if not isinstance(cell, Row)]
            if cells and rng.random() < 0.3 and all(span.length is not None for span in node.spans):
                found.extend(rng.sample(cells, rng.randint(1, len(cells))))
            else:
                found.append(number)
        return found

    def want(self, target: int | Cell) -> None:
        """Ask for a node or a cell."""
        if isinstance(target, int):
            self.schedule.want(target)
        else:
            number = self.number(target)
            assert number is not None
            self.schedule.want(target[0], [number, number])

    # ---- taking ----------------------------------------------------------------------

    def take_some(self) -> bool:
        """Take a few ready cells; tell whether there were any."""
        lanes = self.schedule.lanes()
        for lane in self.rng.sample(lanes, len(lanes)):
            first = self.schedule.ready(lane)
            if first is None:
                continue
            node, count = first
            assert node not in self.paused
            if self.rng.random() < 0.05:
                self.schedule.pause(node)
                self.paused.append(node)
                return True
            waiting = [n for n, state in enumerate(self.schedule.states(node)) if state == State.READY]
            untaken = [n for n in waiting if self.cell(node, n) not in self.taken]
            assert count == len(untaken), "as many as are ready, each once"
            numbers = self.schedule.take(node, self.rng.choice([1, 2, 3, 100]))
            assert len(set(numbers)) == len(numbers) > 0
            assert set(numbers) <= set(untaken), "only ready cells, each once"
            for n in numbers:
                self.took(node, n)
            return True
        return False

    def took(self, node: int, n: int) -> None:
        """Check a cell that was taken; see whether all its inputs are really there."""
        cell = self.cell(node, n)
        rough = self.world.character
        self.taken.add(cell)
        self.takes[cell] += 1
        assert self.takes[cell] <= 1 + self.allowed[cell], "taken once"
        edges = self.world.chosen_edges(cell) if self.phase[cell] else self.world.first_edges(cell)
        for edge in edges:
            for fed in self.world.inputs(cell, edge):
                state = self.state(fed.source if isinstance(fed, Row) else fed)
                assert state in SETTLED or rough.losses or rough.late, "never before its inputs are settled"
        if self.rng.random() < rough.again:
            self.mark(cell)
            self.taken.discard(cell)
            self.allowed[cell] += 1
            self.schedule.again(node, [n])
        elif self.phase[cell] == 0 or self.world.nodes[node].kind == "choose":
            self.use_inputs(cell, edges)
        if cell in self.taken:
            self.mark(cell)

    def mark(self, cell: Cell) -> None:
        """Start or park a cell, or leave it taken."""
        n = self.number(cell)
        assert n is not None
        choice = self.rng.choice(["", "started", "parked"])
        if choice:
            getattr(self.schedule, choice)(cell[0], [n])

    def use_inputs(self, cell: Cell, edges: list[Edge]) -> None:
        """Find out that values are gone, and have them made again."""
        fed = [f for e in edges for f in self.world.inputs(cell, e) if not isinstance(f, Row)]
        done = list(dict.fromkeys(f for f in fed if self.state(f) == State.DONE))
        gone = [f for f in fed if self.state(f) not in SETTLED or (f in done and f not in self.values)]
        assert self.world.character.losses or self.world.character.late or not gone, "released too early"
        if done and self.rng.random() < self.world.character.losses and self.lost < 50:
            gone.append(self.rng.choice(done))
        if not gone:
            return
        first, *others = dict.fromkeys(gone)
        self.taken.discard(cell)
        self.allowed[cell] += 1
        self.lose(first, by=cell)
        for other in others:
            self.lose(other)

    def lose(self, cell: Cell, by: Cell | None = None) -> None:
        """Tell that a value vanished."""
        if self.state(cell) == State.DONE:
            self.lost += 1
            self.allowed[cell] += 1 + (self.phase[cell] > 0)
            self.phase[cell] = 0
            self.values.discard(cell)
        n = self.number(cell)
        assert n is not None
        if by is None:
            self.schedule.lost(cell[0], [n])
        else:
            m = self.number(by)
            assert m is not None
            self.schedule.lost(cell[0], [n], (by[0], m))

    # ---- settling --------------------------------------------------------------------

    def settle_some(self) -> None:
        """Let a few taken cells come to their end, or lose a value that nobody looked at."""
        if self.values and self.rng.random() < self.world.character.losses / 3 and self.lost < 50:
            self.lose(self.rng.choice(sorted(self.values)))
            return
        first = self.rng.choice(sorted(self.taken))
        if self.world.nodes[first[0]].kind in ("choose", "grow") and not self.phase[first]:
            self.turn(first)
            return
        fate = self.world.fate(first)
        batch = [first]
        for cell in sorted(self.taken):
            pending = self.world.nodes[cell[0]].kind in ("choose", "grow") and not self.phase[cell]
            if cell[0] == first[0] and cell != first and not pending and self.world.fate(cell) == fate:
                batch.extend([cell] if self.rng.random() < 0.7 else [])
        numbers = [n for n in map(self.number, batch) if n is not None]
        self.taken.difference_update(batch)
        if fate == State.DONE:
            self.values.update(batch)
            self.made.update(batch)
            if self.world.nodes[first[0]].kind == "expand":
                for cell, n in zip(batch, numbers, strict=True):
                    self.schedule.expand(cell[0], n, self.world.length(cell))
        getattr(self.schedule, fate.name.lower())(first[0], numbers)

    def turn(self, cell: Cell) -> None:
        """Let a choice fall, or a cell turn into a graph."""
        n = self.number(cell)
        assert n is not None
        self.phase[cell] = 1
        if self.world.nodes[cell[0]].kind == "choose":
            self.taken.discard(cell)
            self.allowed[cell] += 1
            self.schedule.chose(cell[0], n, self.world.side(cell))
            return
        graph = self.world.graph_of(cell)
        if graph[-1] in self.added:
            return  # made before and lost since: a value this time
        self.taken.discard(cell)
        self.allowed[cell] += 1
        self.held.add(graph[-1])
        self.add(graph)
        self.schedule.grow(cell[0], n, graph[-1])

    # ---- looking ---------------------------------------------------------------------

    def cell(self, node: int, n: int) -> Cell:
        """Give the labels of a cell."""
        return node, self.schedule.space(self.world.nodes[node].spans).coordinates(n)

    def number(self, cell: Cell) -> int | None:
        """Give the number of a cell, if it is known yet."""
        return self.schedule.space(self.world.nodes[cell[0]].spans).number(self.world.named(cell))

    def state(self, cell: Cell) -> State:
        """Give the state of a cell; one that is not known yet is UNWANTED."""
        n = self.number(cell)
        return State.UNWANTED if n is None else self.schedule.state(cell[0], n)

    def look(self) -> None:
        """Check what must hold between any two events."""
        states = {n: self.schedule.states(n) for n in self.added}
        assert self.schedule.finished == (not any(state in OPEN for column in states.values() for state in column))
        for node, n in self.schedule.released():
            cell = self.cell(node, n)
            assert node not in self.held
            assert State.DONE == self.state(cell)
            assert [] == self.users(cell), f"{cell}: never before its last consumer settled"
            self.let_go[cell] += 1
            if not (self.world.character.losses or self.world.character.late):
                assert cell in self.values, "released once"
            self.values.discard(cell)

    def users(self, cell: Cell) -> list[Cell | Row]:
        """Give who may still use a value: cells that are wanted and not settled, rows that may yet come."""
        found: list[Cell | Row] = []
        for consumer, edge in self.consumers[cell[0]]:
            names = {span.name for span in self.world.nodes[consumer].spans}
            places = {name: at for name, at in self.world.named(cell).items() if name in names}
            agree = self.world.agreeing(places, edge)
            for fed in self.world.below(consumer, agree):
                if isinstance(fed, Row):
                    if self.state(fed.source) not in SETTLED and not self.told(fed.source):
                        found.append(fed)
                elif self.state(fed) in USING and edge.mode != "branch":
                    found.append(fed)
        return found

    def told(self, source: Cell) -> bool:
        """Tell whether a source has given its length before."""
        return self.made[source] > 0

    def check_end(self, targets: list[int | Cell]) -> None:
        """Check that all ended as the oracle says, and no value lies about."""
        surely = self.world.wanted(targets, surely=True)
        perhaps = self.world.wanted(targets, surely=False)
        for cell in surely:
            assert self.world.final(cell) == self.state(cell), cell
        for node in self.added:
            for n, state in enumerate(self.schedule.states(node)):
                cell = self.cell(node, n)
                if cell in perhaps:
                    assert state in (State.UNWANTED, self.world.final(cell)), cell
                else:
                    assert State.UNWANTED == state, f"{cell} runs, and nobody wants it"
        for cell in self.values:
            if cell[0] not in self.held and self.consumers[cell[0]]:
                spaces = [self.schedule.space(self.world.nodes[m].spans) for m, _ in self.consumers[cell[0]]]
                assert self.users(cell) or not all(space.complete for space in spaces), f"{cell} is never released"
