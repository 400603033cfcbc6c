"""Claims about plan/schedule.py: whatever the order of events, the right cells run, once, and all ends as it must."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.plan.cells import Numbers, Selection, Span
from flowcore.plan.schedule import Schedule
from flowcore.plan.states import State
from flowcore.plan.stations import Edge, Rows, Station, Stations, Wire
from tests.plan.player import Player
from tests.plan.world import Character, World

CHARACTERS = {
    "rough": Character(),
    "smooth": Character(failures=0, skips=0),
    "everything": Character(failures=0.02, skips=0.02, partial=False),
    "stubborn": Character(again=0.3),
    "interrupted": Character(interrupts=0.1),
    "forgetful": Character(losses=0.3),
    "undecided": Character(late=True),
    "all at once": Character(failures=0.03, skips=0.03, interrupts=0.05, again=0.2, losses=0.2, late=True),
}
SEEDS = st.integers(0, 10**9)


# ---- the model -----------------------------------------------------------------------


@pytest.mark.parametrize("character", CHARACTERS.values(), ids=CHARACTERS.keys())
@given(seed=SEEDS)
def test_a_random_flow_ends_as_the_oracle_says(character: Character, seed: int) -> None:
    """Cells run once, after their inputs, if somebody wants them; values are let go of once, and in time.

    Two plays of the same world differ in the order of events alone.
    """
    for order in range(2):
        Player(World(seed, character), order).play()


class DecidesTooEarly(Schedule):
    """Takes the first settled input for the last."""

    def _tell(self, wire: Wire, fed: Numbers, state: State, stack: list[tuple[Station, Numbers, State]]) -> None:
        for m in fed:
            wire.consumer.pending[m] = min(1, wire.consumer.pending[m])
        super()._tell(wire, fed, state, stack)


class ForgetsTolerance(Schedule):
    """Takes every edge for one that needs."""

    def add(self, number: int, spans: tuple[Span, ...], edges: Sequence[Edge] = (), **options: object) -> None:  # type: ignore[override]
        mild = ("drop", "drop-failed", "order")
        strict = [Edge(e.source) if e.mode in mild else e for e in edges]
        super().add(number, spans, strict, **options)  # type: ignore[arg-type]


class ReleasesTooEarly(Schedule):
    """Takes the first use of a value for the last."""

    def _release(self, station: Station, numbers: Numbers) -> None:
        for wire in station.into:
            for n in wire.link.feeding(numbers):
                wire.producer.uses[n] = min(1, wire.producer.uses[n])
        super()._release(station, numbers)


class NeverReleases(Schedule):
    """Keeps what rows might have used."""

    def _release_above(self, changed: Sequence[Rows]) -> None:
        pass


class CountsRowsTwice(Schedule):
    """Lets those who wait for a row count its cells twice."""

    def _count(self, wire: Wire, m: int, selection: Selection) -> list[tuple[Station, Numbers | None]]:
        if not wire.link.static:
            wire.consumer.pending[m] += len(selection.numbers)
        return super()._count(wire, m, selection)


class WaitsForDeadRows(Schedule):
    """Forgets those who wait for a row when its source ends without a value."""

    def _tell_rows(
        self, station: Station, numbers: Numbers, state: State, stack: list[tuple[Station, Numbers, State]]
    ) -> None:
        pass


class TakesSidesEarly(Schedule):
    """Wants both branches of a choice."""

    def add(self, number: int, spans: tuple[Span, ...], edges: Sequence[Edge] = (), **options: object) -> None:  # type: ignore[override]
        super().add(number, spans, edges, **options)  # type: ignore[arg-type]
        for edge in edges:
            if edge.mode == "branch":
                self.want(edge.source)


class ForgetsLosses(Schedule):
    """Does not let waiting cells wait for a value that is made again."""

    def lost(self, node: int, numbers: Numbers, by: tuple[int, int] | None = None) -> None:
        if by is not None:
            super().again(*by[:1], by[1:])
        super().lost(node, numbers)


class QueuesTwice(Schedule):
    """Lines cells up that stand in line already."""

    def again(self, node: int, numbers: Numbers) -> None:
        super().again(node, numbers)
        super().again(node, numbers)


@pytest.mark.parametrize(
    "saboteur",
    [
        CountsRowsTwice,
        DecidesTooEarly,
        ForgetsLosses,
        ForgetsTolerance,
        NeverReleases,
        QueuesTwice,
        ReleasesTooEarly,
        TakesSidesEarly,
        WaitsForDeadRows,
    ],
)
def test_the_model_rejects(saboteur: type[Schedule]) -> None:
    """A schedule broken on purpose does not pass for a good one."""
    characters = list(CHARACTERS.values())

    with pytest.raises(AssertionError):
        for seed in range(400):
            Player(World(seed, characters[seed % len(characters)]), 0, saboteur).play()


# ---- order ---------------------------------------------------------------------------

RATES = (Span("rate", 3),)


def finish(schedule: Schedule, node: int, numbers: Sequence[int] | None = None) -> None:
    """Take cells of a node and give them a value."""
    taken = schedule.take(node, 1000)
    schedule.started(node, taken)
    schedule.done(node, taken if numbers is None else numbers)


def test_cells_of_a_node_go_in_order_in_takes_of_any_size() -> None:
    """A queue is handed out from its front, also where a take ends inside what came at once."""
    schedule = Schedule()
    schedule.add(0, (Span("x", 10),))
    schedule.want(0, [7, 8, 9])
    schedule.want(0)
    taken = [schedule.take(0, size) for size in (2, 3, 1, 4, 1)]

    assert [[7, 8], [9, 0, 1], [2], [3, 4, 5, 6], []] == taken


def test_priority_goes_before_depth_and_depth_before_drawing() -> None:
    """Of what is ready the higher priority goes first, then what lies deeper, then what was drawn first."""
    schedule = Schedule()
    for number in (0, 1, 2):
        schedule.add(number, ())
    schedule.add(3, (), [Edge(0)])
    schedule.add(4, (), priority=1)
    schedule.want(0)
    finish(schedule, 0)
    for number in (1, 2, 3, 4):
        schedule.want(number)
    order = []
    while (first := schedule.ready()) is not None:
        order.append(first[0])
        finish(schedule, first[0])

    assert [4, 3, 1, 2] == order


def test_lanes_do_not_see_each_other() -> None:
    """Each lane has a queue of its own."""
    schedule = Schedule()
    schedule.add(0, (), lane="io")
    schedule.add(1, RATES, lane="compute", priority=5)
    schedule.want(0)
    schedule.want(1)

    assert {"io", "compute"} == set(schedule.lanes())
    assert (0, 1) == schedule.ready("io")
    assert (1, 3) == schedule.ready("compute")
    assert schedule.ready("gpu") is None

    schedule.take(0, 1)

    assert schedule.ready("io") is None
    assert ["compute"] == schedule.lanes()


# ---- growth --------------------------------------------------------------------------


def ragged() -> Schedule:
    """Draw files (0), their list of items (1), a cell an item (2), a gather of each file's items (3)."""
    files, items = Span("file", 2), Span("item", None, 1)
    schedule = Schedule()
    schedule.add(0, (files,))
    schedule.add(1, (files,), [Edge(0)])
    schedule.add(2, (files, items), [Edge(0)])
    schedule.add(3, (files,), [Edge(2)], held=True)
    return schedule


def test_a_file_is_let_go_of_when_its_own_items_are_done() -> None:
    """A value is not kept because another cell's row is not known yet."""
    schedule = ragged()
    schedule.want(3)
    finish(schedule, 0)
    schedule.take(1, 2)
    schedule.expand(1, 0, 1)
    schedule.done(1, [0])
    before = schedule.released()
    finish(schedule, 2)

    assert [] == before
    assert [(0, 0)] == schedule.released()


@pytest.mark.parametrize("end", ["skipped", "failed"])
def test_a_row_that_never_comes_keeps_no_value(end: str) -> None:
    """What waited to be used by the cells of a row is let go of when its source ends without a value."""
    schedule = ragged()
    schedule.want(3)
    finish(schedule, 0)
    file, other = schedule.take(1, 2)
    getattr(schedule, end)(1, [file])

    assert [(0, file)] == schedule.released()
    assert {"skipped": State.SKIPPED, "failed": State.BLOCKED}[end] == schedule.state(3, file)
    assert State.WAITING == schedule.state(3, other)


def test_a_wanted_row_pulls_what_its_cells_will_need() -> None:
    """What cells of an unknown row need runs while its length is found out, and keeps its own inputs alive."""
    schedule = Schedule()
    items = Span("item", None, 2)
    schedule.add(0, ())  # settings
    schedule.add(1, (), [Edge(0)])  # a list of files, from the settings
    schedule.add(2, (), [Edge(1)])  # its items
    schedule.add(3, (), [Edge(0)])  # a model, from the settings
    schedule.add(4, (items,), [Edge(2), Edge(3)])
    schedule.want(4)
    finish(schedule, 0)

    assert (State.READY, State.READY) == (schedule.state(1, 0), schedule.state(3, 0))

    finish(schedule, 1)

    assert [] == schedule.released()


def test_a_space_drawn_in_mid_run_knows_the_rows() -> None:
    """A node that comes when a length is known has its cells at once."""
    schedule = Schedule()
    schedule.add(0, ())
    schedule.want(0)
    schedule.take(0, 1)
    schedule.expand(0, 0, 2)
    schedule.done(0, [0])
    schedule.add(1, (Span("item", None, 0),), [Edge(0)])
    schedule.want(1)

    assert (1, 2) == schedule.ready()


def test_two_axes_of_one_source_multiply() -> None:
    """A gather over two axes that the same value gives waits for each cell once."""
    schedule = Schedule()
    schedule.add(0, ())
    schedule.add(1, (Span("a", None, 0), Span("b", None, 0)), [Edge(0)])
    schedule.add(2, (), [Edge(1)])
    schedule.want(2)
    schedule.take(0, 1)
    schedule.expand(0, 0, 2)
    schedule.done(0, [0])
    finish(schedule, 1)

    assert (2, 1) == schedule.ready()


def test_a_branch_held_by_the_user_still_holds_what_is_above() -> None:
    """Whether a branch will be used is not known, so what it needs stays; also if it is a target itself."""
    schedule = Schedule()
    schedule.add(0, ())
    schedule.add(1, (), [Edge(0)], held=True)
    schedule.add(2, (), [Edge(0)])
    schedule.add(3, (), [Edge(2), Edge(1, "branch", 0)])
    schedule.want(3)
    finish(schedule, 0)
    finish(schedule, 2)

    assert (0, 0) not in schedule.released()


def grown() -> Schedule:
    """Let a cell (0) grow into a graph (1) whose value then vanishes when the cell asks for it."""
    schedule = Schedule()
    schedule.add(0, ())
    schedule.want(0)
    schedule.take(0, 1)
    schedule.add(1, ())
    schedule.grow(0, 0, 1)
    finish(schedule, 1)
    schedule.take(0, 1)
    schedule.lost(1, [0], by=(0, 0))
    return schedule


def test_a_grown_cell_waits_while_its_result_is_made_again() -> None:
    """It is not ready before there is a value to have."""
    schedule = grown()

    assert State.WAITING == schedule.state(0, 0)

    finish(schedule, 1)

    assert (0, 1) == schedule.ready()


def test_a_grown_cell_that_was_lost_has_forgotten_its_graph() -> None:
    """A cell that starts over does not count the end of an earlier graph."""
    schedule = grown()
    finish(schedule, 1)
    finish(schedule, 0)
    schedule.lost(0, [0])
    schedule.lost(1, [0])
    schedule.take(0, 1)
    schedule.add(2, ())
    schedule.grow(0, 0, 2)
    finish(schedule, 1)

    assert State.WAITING == schedule.state(0, 0)


def test_a_choice_does_not_count_its_condition_again() -> None:
    """A choice that waits for its branch is not moved by a condition that is made again."""
    schedule = Schedule()
    schedule.add(0, ())
    schedule.add(1, ())
    schedule.add(2, (), [Edge(0), Edge(1, "branch", 0)])
    schedule.want(2)
    finish(schedule, 0)
    schedule.take(2, 1)
    schedule.lost(0, [0])
    schedule.chose(2, 0, 0)
    finish(schedule, 0)

    assert State.WAITING == schedule.state(2, 0)

    finish(schedule, 1)

    assert (2, 1) == schedule.ready()


@pytest.mark.parametrize("end", [Schedule.done, Schedule.failed, Schedule.skipped, Schedule.interrupted])
def test_finished_means_that_nothing_more_will_happen(end: Callable[[Schedule, int, list[int]], None]) -> None:
    """The end of the only open cell ends the run, however it ends."""
    schedule = Schedule()
    schedule.add(0, ())
    schedule.add(1, (), [Edge(0)])
    schedule.want(0)
    before = schedule.finished
    end(schedule, 0, schedule.take(0, 1))

    assert (False, True) == (before, schedule.finished)


def test_stations_are_shared_by_equal_spans() -> None:
    """Nodes with equal spans have one space."""
    stations = Stations()

    assert stations.space(RATES) is stations.space((Span("rate", 3),))
