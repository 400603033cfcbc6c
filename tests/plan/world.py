"""A small random flow and what must become of it, by plain recursion: the oracle of `test_schedule.py`.

Cells go by labels here, never by numbers: a cell is (node, places along the node's axes).
Everything random is a function of a seed and of what it is about, not of the order of events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from flowcore.plan.cells import Span
from flowcore.plan.states import State
from flowcore.plan.stations import Edge, Mode

Places: TypeAlias = tuple[int, ...]
Cell: TypeAlias = tuple[int, Places]

MODES: tuple[Mode, ...] = ("need", "need", "need", "order", "drop", "drop-failed")


@dataclass(frozen=True, kw_only=True)
class Character:
    """How rough a world is."""

    failures: float = 0.1
    skips: float = 0.1
    interrupts: float = 0.0
    again: float = 0.0  # cells that are tried more than once
    losses: float = 0.0  # values that vanish, a cell
    late: bool = False  # some targets are wanted only in mid-run
    partial: bool = True  # not everything is wanted
    growth: bool = True


@dataclass(frozen=True)
class Drawn:
    """A node of a world."""

    number: int
    kind: str  # "task", "expand", "choose" or "grow"
    spans: tuple[Span, ...]
    edges: tuple[Edge, ...]
    held: bool
    lane: str
    priority: int


@dataclass(frozen=True)
class Row:
    """Labels along a dynamic axis below some other labels."""

    node: int
    at: dict[str, int]  # places along the axes before it
    source: Cell
    length: int | None  # None: never known


@dataclass
class World:
    """A flow whose every outcome is fixed by a seed, graphs that its cells turn into included."""

    seed: int
    character: Character = field(default_factory=Character)
    nodes: dict[int, Drawn] = field(default_factory=dict)
    graphs: dict[Cell, list[int]] = field(default_factory=dict)  # what cells grew into; the result comes last
    finals: dict[Cell, State] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = self.luck("world")
        self.drawn = self.draw(rng, rng.randint(2, 11), depth=0)

    def luck(self, *about: object) -> Random:
        """Give the chance that belongs to a subject."""
        return Random(f"{self.seed}/{about}")

    # ---- drawing ---------------------------------------------------------------------

    def draw(self, rng: Random, count: int, depth: int) -> list[int]:
        """Add a random flow that stands alone; give its nodes."""
        static = [Span(f"s{len(self.nodes)}_{i}", rng.choice([0, 1, 2, 2, 3])) for i in range(2)]
        numbers: list[int] = []
        for _ in range(count):
            axes = [*static, *(Span(f"d{n}", None, n) for n in numbers if self.nodes[n].kind == "expand")]
            numbers.append(self._node(rng, numbers, axes, depth))
        return numbers

    def _node(self, rng: Random, earlier: list[int], axes: list[Span], depth: int) -> int:
        spans: dict[Span, None] = {}
        for span in rng.sample(axes, min(len(axes), rng.choice([0, 1, 1, 2, 3]))):
            spans.update(dict.fromkeys(self._closed(span)))
        shuffled = self._shuffled(rng, list(spans)) if len(spans) <= 3 else []
        grows = self.character.growth and depth < 2
        kind = rng.choice(["task", "task", "task", "expand", "choose", "grow" if grows else "task"])
        feeders = rng.sample(earlier, min(len(earlier), rng.choice([0, 1, 1, 2, 3])))
        edges = [Edge(n, rng.choice(MODES), over=self._over(rng, n)) for n in feeders]
        if kind == "choose":
            branches = rng.sample(earlier, min(len(earlier), rng.choice([0, 1, 2, 3])))
            edges.extend(Edge(n, "branch", rng.randint(0, 1)) for n in branches)
        number = len(self.nodes)
        lane, priority = rng.choice(["", "io"]), rng.choice([0, 0, 1])
        self.nodes[number] = Drawn(number, kind, tuple(shuffled), tuple(edges), rng.random() < 0.2, lane, priority)
        return number

    def _closed(self, span: Span) -> list[Span]:
        """Give the axes that a dynamic axis lies below, and itself."""
        below = [] if span.length is not None else list(self.nodes[span.source].spans)
        return [*below, span]

    def _over(self, rng: Random, number: int) -> tuple[str, ...]:
        """Choose axes to gather, and with each those that lie below it."""
        if rng.random() < 0.7:
            return ()
        over: list[Span] = []
        for span in self.nodes[number].spans:
            if rng.random() < 0.5 or set(self._closed(span)) & set(over):
                over.append(span)
        return tuple(span.name for span in over)

    def _shuffled(self, rng: Random, spans: list[Span]) -> list[Span]:
        rng.shuffle(spans)
        ordered: dict[Span, None] = {}
        for span in spans:
            ordered.update(dict.fromkeys(self._closed(span)))
        return list(ordered)

    def graph_of(self, cell: Cell) -> list[int]:
        """Give the nodes that a cell turns into; the last one is the result, and has no axes."""
        if cell not in self.graphs:
            rng = self.luck("graph", cell)
            numbers = self.draw(rng, rng.randint(0, 3), depth=2 if cell[0] not in self.drawn else 1)
            edges = tuple(Edge(n, rng.choice(MODES)) for n in numbers)
            result = len(self.nodes)
            kind = "grow" if cell[0] in self.drawn and rng.random() < 0.3 else "task"
            self.nodes[result] = Drawn(result, kind, (), edges, held=False, lane="", priority=0)
            self.graphs[cell] = [*numbers, result]
        return self.graphs[cell]

    # ---- what chance has in store ----------------------------------------------------

    def fate(self, cell: Cell) -> State:
        """Tell what running a cell comes to."""
        at, rough = self.luck("fate", cell).random(), self.character
        for chance, state in (
            (rough.failures, State.FAILED),
            (rough.skips, State.SKIPPED),
            (rough.interrupts, State.INTERRUPTED),
        ):
            if at < chance:
                return state
            at -= chance
        return State.DONE

    def side(self, cell: Cell) -> int:
        """Tell on which branch a choice falls."""
        return self.luck("side", cell).randint(0, 1)

    def length(self, cell: Cell) -> int:
        """Tell how many labels a cell gives to its axis."""
        return self.luck("length", cell).choice([0, 1, 2, 3])

    # ---- the oracle ------------------------------------------------------------------

    def named(self, cell: Cell) -> dict[str, int]:
        """Give the places of a cell by axis."""
        return {span.name: at for span, at in zip(self.nodes[cell[0]].spans, cell[1], strict=True)}

    def below(self, number: int, agree: dict[str, int]) -> Iterator[Cell | Row]:
        """Give the cells of a node that agree with some labels, and the rows met on the way to them."""
        yield from self._walk(number, agree, ())

    def _walk(self, number: int, agree: dict[str, int], places: Places) -> Iterator[Cell | Row]:
        spans = self.nodes[number].spans
        if len(places) == len(spans):
            yield number, places
            return
        span = spans[len(places)]
        length = span.length
        if length is None:
            at = {s.name: place for s, place in zip(spans, places, strict=False)}
            source = (span.source, tuple(at[s.name] for s in self.nodes[span.source].spans))
            length = self.length(source) if self.final(source) == State.DONE else None
            yield Row(number, at, source, length)
        for place in range(length or 0):
            if agree.get(span.name, place) == place:
                yield from self._walk(number, agree, (*places, place))

    def inputs(self, cell: Cell, edge: Edge) -> Iterator[Cell | Row]:
        """Give what feeds a cell along an edge."""
        return self.below(edge.source, self.agreeing(self.named(cell), edge))

    def agreeing(self, places: dict[str, int], edge: Edge) -> dict[str, int]:
        """Give the places on which both ends of an edge must agree."""
        shared = {span.name for span in self.nodes[edge.source].spans} - set(edge.over)
        return {name: at for name, at in places.items() if name in shared}

    def final(self, cell: Cell) -> State:
        """Tell how a cell ends if it is wanted."""
        if cell not in self.finals:
            self.finals[cell] = self._final(cell)
        return self.finals[cell]

    def _final(self, cell: Cell) -> State:
        verdict = self.verdict(cell, self.first_edges(cell))
        if verdict == State.READY and self.nodes[cell[0]].kind == "choose":
            verdict = self.verdict(cell, self.chosen_edges(cell))
        if verdict == State.READY and self.nodes[cell[0]].kind == "grow":
            verdict = self._judge([("need", self.final((self.graph_of(cell)[-1], ())))])
        return self.fate(cell) if verdict == State.READY else verdict

    def first_edges(self, cell: Cell) -> list[Edge]:
        """Give the edges that a cell waits for at first."""
        return [edge for edge in self.nodes[cell[0]].edges if edge.mode != "branch"]

    def chosen_edges(self, cell: Cell) -> list[Edge]:
        """Give the edges that a choice waits for once it has fallen."""
        return [e for e in self.nodes[cell[0]].edges if e.mode == "branch" and e.side == self.side(cell)]

    def verdict(self, cell: Cell, edges: Iterable[Edge]) -> State:
        """Tell what its inputs make of a cell: READY, SKIPPED, BLOCKED, or WAITING for ever."""
        found: list[tuple[str, State]] = []
        for edge in edges:
            for fed in self.inputs(cell, edge):
                if not isinstance(fed, Row):
                    found.append((edge.mode, self.final(fed)))
                elif fed.length is None:
                    found.append((edge.mode, self.final(fed.source)))
        return self._judge(found)

    def _judge(self, found: list[tuple[str, State]]) -> State:
        if any(state in (State.FAILED, State.BLOCKED) and mode != "drop-failed" for mode, state in found):
            return State.BLOCKED
        if any(state in (State.WAITING, State.INTERRUPTED) for _, state in found):
            return State.WAITING
        if any(state == State.SKIPPED and mode in ("need", "branch") for mode, state in found):
            return State.SKIPPED
        return State.READY

    def wanted(self, targets: Iterable[int | Cell], *, surely: bool) -> set[Cell]:
        """Give all cells that these nodes and cells need.

        A blocked cell may or may not have been told what its rows hold before it was
        blocked: `surely` leaves out what only such cells ask for. It also leaves out what
        the cells of an empty row would have needed: that depends on who asked when.
        """
        seen: set[Cell] = set()
        waiting: list[Cell] = []
        for target in targets:
            found = self.below(target, {}) if isinstance(target, int) else [target]
            waiting.extend(self._meant(found, surely))
        while waiting:
            cell = waiting.pop()
            if cell in seen:
                continue
            seen.add(cell)
            for edge in self._asked(cell):
                ragged = any(span.length is None for span in self.nodes[edge.source].spans)
                if not (surely and ragged and self.final(cell) == State.BLOCKED):
                    waiting.extend(self._meant(self.inputs(cell, edge), surely))
            if self._grows(cell):
                waiting.append((self.graph_of(cell)[-1], ()))
        return seen

    def _meant(self, found: Iterable[Cell | Row], surely: bool) -> Iterator[Cell]:
        """Give cells, and what rows ask for: their source; perhaps also what their cells would need."""
        for one in found:
            if not isinstance(one, Row):
                yield one
                continue
            yield one.source
            if surely:
                continue
            for edge in self.nodes[one.node].edges:
                if edge.mode != "branch":
                    yield from self._meant(self.below(edge.source, self.agreeing(one.at, edge)), surely)

    def _asked(self, cell: Cell) -> list[Edge]:
        first = self.first_edges(cell)
        chooses = self.nodes[cell[0]].kind == "choose" and self.verdict(cell, first) == State.READY
        return first + (self.chosen_edges(cell) if chooses else [])

    def _grows(self, cell: Cell) -> bool:
        return self.nodes[cell[0]].kind == "grow" and self.verdict(cell, self.first_edges(cell)) == State.READY
