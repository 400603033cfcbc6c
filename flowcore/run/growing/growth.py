"""Cells that grow: their tasks returned flows, which are drawn into the run in their place (contract K30).

Owns which cells those are, what they drew and are waiting for, and what becomes of them.
A cell whose task returned a flow holds no worker: its nodes are added to the graph, the
schedule and the journal, and it waits like any cell; when the flow's result is there,
that is its value. Promises

* that it is kept under its own key only if every cell drawn in its place, at any depth,
  is kept: else a world read below it would be frozen;
* that a cell which draws itself again fails, and is not waited for for ever (:meth:`park`);
* that the names of drawn nodes are unique, and do not depend on the order of events.

Nothing recurses over growths, however deep. The engine's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flowcore.declare.node import Node
from flowcore.doubts import NotReproducible
from flowcore.errors import FlowcoreError, NotKeyable, NotStorable
from flowcore.growing import EndlessGrowth
from flowcore.plan.encode import BadRecord, ValueGone
from flowcore.plan.graph import Planned
from flowcore.plan.pickled import is_pickled
from flowcore.plan.records import combine, component_of
from flowcore.run.books import Books, Cell, Growing
from flowcore.run.cell.failure import describe
from flowcore.run.flight import Flight
from flowcore.run.growing.grown import DrawnFlow, DrawnNode, Grown
from flowcore.run.growing.planting import Planting
from flowcore.run.job import Failure, Keep
from flowcore.run.outcomes.equals import release_parked, settle_parked
from flowcore.run.outcomes.landing import Landing
from flowcore.run.outcomes.whenabouts import times_of_one
from flowcore.run.ready.work import Work
from flowcore.run.ready.written import Surround
from flowcore.run.told.chronicle import tell_drawn
from flowcore.store.cache import Trace

_LONG = 160  # characters of a name from which on it is shortened: a path of names may be as long as a run is deep
_DOUBTS: dict[str, Callable[..., Any]] = {kind.__name__: kind for kind in (NotKeyable, NotReproducible)}
UNREADABLE = (BadRecord, ValueGone, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)


class Growths:
    """The growing cells of one run.

    Parameters
    ----------
    books : Books
    landing : Landing
    surround : Surround
        What preparing a node of the run needs.
    ready : callable
        Told of each node that was drawn, and of the node of the cell that drew it: gives it
        its place in the schedule and in the graph.
    """

    def __init__(
        self, books: Books, *, landing: Landing, surround: Surround, ready: Callable[[Planned, int], None]
    ) -> None:
        self._books = books
        self._landing = landing
        self.surround = surround
        self._ready = ready
        self._planting = Planting(surround)
        self._names: set[str] | None = None  # of all nodes, once something grows

    # ---- growing ---------------------------------------------------------------------

    def take(self, grown: Grown) -> None:
        """Take in that the task of an attempt returned a flow."""
        flight = self._landing.end(grown.attempt)
        if flight is not None:
            self._plant(grown, flight)

    def _plant(self, grown: Grown, flight: Flight) -> None:
        """Draw a flow in the place of the cell that returned it."""
        books, cell, place = self._books, flight.cell(grown.attempt), flight.place(grown.attempt)
        work = books.works[cell[0]]
        if self._landing.stopping:
            books.schedule.interrupted(cell[0], [cell[1]])
            return
        growing = Growing(
            cell=cell, work=work, key=flight.key(grown.attempt),
            own=[column[0 if len(column) == 1 else place] for column in flight.batch.own],
            seconds=grown.seconds, times=times_of_one(grown, flight, books.began),
            cached=not grown.changed,
            first=books.graph.size, above=books.drawn.get(cell[0]), **self._naming(work, cell),
        )  # fmt: skip
        try:
            flow = DrawnFlow.unpack(grown.flow)
            drawn = [DrawnNode.unpack(packed) for packed in flow.nodes]
            planned = self._planting.nodes(flow, drawn, growing)
            for one in planned:
                self._ready(one, cell[0])
            self._prepare(growing, flow, [(drawn[one.number - growing.first], one) for one in planned], grown.live)
        except UNREADABLE as error:  # nothing that flowcore has packed; the cell is to blame, not the run
            self._fail(growing, describe(error))
            return
        self._grow(growing, [one.name for one in planned])

    def _prepare(
        self, growing: Growing, flow: DrawnFlow, nodes: Sequence[tuple[DrawnNode, Planned]],
        live: Sequence[Callable[..., object] | None],
    ) -> None:  # fmt: skip
        """Make the drawn nodes ready: what there was to look at has been looked at where they were drawn."""
        books, planned = self._books, [one for _, one in nodes]
        books.axes += tell_drawn(books.cache, planned, books.axes, by=growing.cell, codec=self.surround.codec)
        refreshed = books.fresh([growing.cell[0]], [growing.cell[1]]) == [True]
        for drawn, one in nodes:
            work = self._planting.work(flow, drawn, one, live[one.number - growing.first] if live else None)
            books.take_up(work)
            books.drawn[one.number] = growing
            books.hold(work.held)
            growing.held.extend(work.held)
            if refreshed:
                books.refresh[one.number] = None
            if one.node.task is not None:
                books.cache.node(one.number, work.facts())
                growing.cached = growing.cached and work.keys is not None and work.recipe.answers_for is None
        for kind, facts, site in flow.doubts:
            told = {name: tuple(fact) if isinstance(fact, list) else fact for name, fact in facts.items()}
            self.surround.tell(_DOUBTS[kind](**told), site)

    def _grow(self, growing: Growing, names: Sequence[str]) -> None:
        books = self._books
        assert self._names is not None, "made when the cell got its name"
        self._names.update(names)
        books.growths[growing.cell] = growing
        if growing.above is not None:
            growing.above.below.append(growing)
        growing.result = growing.first + len(names) - 1
        books.schedule.grow(*growing.cell, growing.result)

    # ---- names -----------------------------------------------------------------------

    def _naming(self, work: Work, cell: Cell) -> dict[str, Any]:
        """Give what the nodes that a cell draws are named by.

        That is the cell's id; but where a cell that grew draws one of the same task, and this
        one grows, they are steps of one loop, and counted: ``refine~2``, ``refine~3``.
        """
        name, above = self._landing.name(*cell), self._books.drawn.get(cell[0])
        if above is not None and _goes_on(work.planned.node, above):
            step, outer = above.step + 1, above.group[:-1]
            prefix = self._unused(f"{above.stem}~{step}")
            return {"stem": above.stem, "step": step, "prefix": prefix, "group": (*outer, prefix)}
        stem, outer = name, work.planned.node.group
        if len(name) > _LONG:
            stem = f"{name[: _LONG // 2]}...{combine('name', [name.encode('utf-8', 'surrogatepass')]).hex()[2:14]}"
            outer = outer[: _LONG // 20]
        prefix = self._unused(stem)
        return {"stem": stem, "step": 1, "prefix": prefix, "group": (*outer, prefix)}

    def _unused(self, prefix: str) -> str:
        """Give a prefix that no name begins with: a cell whose value was lost may have grown before."""
        if self._names is None:
            self._names = {planned.name for planned in self._books.graph.planned()}
        names, fresh, count = self._names, prefix, 1
        while fresh in names and f"{fresh}/" in names:
            count += 1
            fresh = f"{prefix}'{count}"
        names.update((fresh, f"{fresh}/"))
        return fresh

    # ---- settling --------------------------------------------------------------------

    def settle(self, node: int, numbers: list[int]) -> list[int]:
        """Let those of these cells, taken, whose drawing has come to its value be done; give the others."""
        growths = self._books.growths
        due = [growing for n in numbers if (growing := growths.pop((node, n), None)) is not None]
        for growing in due:
            self._settle(growing)
        settled = {growing.cell[1] for growing in due}
        return [n for n in numbers if n not in settled] if settled else numbers

    def _settle(self, growing: Growing) -> None:
        books, work, (node, number) = self._books, growing.work, growing.cell
        keys = self._landing.vouched(work, [number], [growing.key])
        if not keys:
            return
        if not growing.cached:
            keys = [b""]
            if work.keep == Keep.REQUIRED:
                self._fail(growing, self._not_kept(growing))
                return
        record, classes = books.values.record(growing.result, 0), books.values.classes(growing.result, 0)
        try:
            own = component_of(record, fetch=self.surround.codec.fetch)
        except (ValueGone, BadRecord) as error:
            self._fail(growing, describe(error))
            return
        component = own or self._landing.derived(node, number, keys[0])
        books.put(node, number, record, component, classes)
        books.keep(Trace(
            node=node, numbers=[number], keys=keys, own=[[part] for part in growing.own],
            components=[component if is_pickled(record) else own], records=[record], seconds=[growing.seconds],
            classes=[list(classes)] if classes else [], refresh=node in books.refresh, times=growing.times,
        ))  # fmt: skip
        books.count(node).done += 1
        books.schedule.done(node, [number])
        if work.claims is not None:
            books.settle_states(work.claims, [number], [growing.key])
        settle_parked(books, growing.key, growing.cell)
        self._forget(growing)

    def _fail(self, growing: Growing, error: FlowcoreError | Failure) -> None:
        self._landing.fail_all(growing.cell[0], [growing.cell[1]], error)
        release_parked(self._books, growing.key)

    def _not_kept(self, growing: Growing) -> NotStorable:
        """Say which of the nodes that a cell drew keeps it from being kept (contract E8)."""
        books, node = self._books, growing.work.planned.node
        drawn = (books.works[n] for n in range(growing.first, growing.result) if n in books.works)
        loose = [work.planned.name for work in drawn if work.planned.node.task is not None and work.keys is None]
        kind = f"flow in which {loose[0]} is not cached" if loose else "flow with a result that is not kept"
        return NotStorable(node=node.name, path="result", kind=kind, at=node.site, refused=True)

    def _forget(self, growing: Growing) -> None:
        """Let go of what only the drawn nodes needed: no cell of theirs will run any more."""
        books = self._books
        books.let_go(growing.result, 0, lives=False)
        books.unhold(growing.held)
        growing.held.clear()
        for number in range(growing.first, growing.result + 1):
            books.works.pop(number, None)
        if growing.above is not None:
            growing.above.below.remove(growing)

    # ---- growing without end ---------------------------------------------------------

    def park(self, cell: Cell, key: bytes, leader: Cell) -> bool:
        """Tell whether a cell may wait for an equal one; fail it if that one waits for it, and would for ever."""
        books = self._books
        above = books.drawn.get(cell[0])
        if above is None:
            return True
        circle = self._circle(above, leader)
        if circle:
            name = self._landing.name
            path = tuple(name(*one) for one in (*circle, cell))
            self._landing.fail_all(cell[0], [cell[1]], EndlessGrowth(cell=name(*cell), path=path))
            return False
        above.parked.append(key)
        return True

    def _circle(self, above: Growing, leader: Cell) -> list[Cell]:
        """Give growing cells from `leader` to one around `above`, each waiting for the next; empty if there are none.

        A growing cell waits for those that it drew and that grow, and for whatever these are parked behind.
        """
        around: set[Cell] = set()
        outer: Growing | None = above
        while outer is not None:
            around.add(outer.cell)
            outer = outer.above
        come_from: dict[Cell, Cell | None] = {leader: None}
        waiting = [leader]
        for cell in waiting:  # grows as it is walked
            if cell in around:
                return _path(cell, come_from)
            growing = self._books.growths.get(cell)
            if growing is None:
                continue
            awaited = [one.cell for one in growing.below]
            awaited += [self._books.computing[key] for key in growing.parked if key in self._books.computing]
            for one in awaited:
                if one not in come_from:
                    come_from[one] = cell
                    waiting.append(one)
        return []


def _goes_on(node: Node, above: Growing) -> bool:
    """Tell whether a node is the one in which a growing cell of the same task goes on."""
    task, first = node.task, above.work.planned.node.task
    if task is None or first is None or node.axes or node.name != f"{above.prefix}/{task.name}":
        return False
    return task.name == first.name and task.function.__module__ == first.function.__module__


def _path(last: Cell, come_from: dict[Cell, Cell | None]) -> list[Cell]:
    path: list[Cell] = []
    at: Cell | None = last
    while at is not None:
        path.append(at)
        at = come_from[at]
    return path[::-1]
