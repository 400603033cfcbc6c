"""Claims about plan/riding.py: cells may be handed out with what makes their inputs, and nothing ends otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.plan.cells import Numbers, Span
from flowcore.plan.riding import Cell, RidingSchedule
from flowcore.plan.states import State
from flowcore.plan.stations import Edge
from tests.plan.rider import Rider
from tests.plan.test_schedule import CHARACTERS
from tests.plan.world import Character, World


def many(limit: int) -> dict[str, Any]:
    """Give what lets so many cells ride, of any node."""
    return {"room": 1.0, "weight": lambda node: 1.0 / limit, "broad": 100}


@pytest.mark.parametrize("character", CHARACTERS.values(), ids=CHARACTERS.keys())
@given(seed=st.integers(0, 10**9))
def test_a_random_flow_with_riders_ends_as_the_oracle_says(character: Character, seed: int) -> None:
    """Whoever rides, is begun or comes back, and in which order: each cell runs once, and all ends as it must."""
    Rider(World(seed, character), 0).play()


class CountsNothingMissed(RidingSchedule):
    """Lets a rider that comes back wait for what it waited for when it left."""

    def unride(self, node: int, numbers: Numbers) -> None:
        station = self._stations[node]
        station.mark(numbers, State.WAITING)
        self._open -= len(numbers)
        self._decide(station, numbers)


class ForgetsFailures(RidingSchedule):
    """Does not see that an input has failed while the rider was away."""

    def unride(self, node: int, numbers: Numbers) -> None:
        decide, self._decide = self._decide, lambda *_: None  # type: ignore[method-assign, assignment]
        super().unride(node, numbers)
        self._decide = decide  # type: ignore[method-assign]
        self._stations[node].broken = set(self._stations[node].broken).difference(numbers)
        self._decide(self._stations[node], numbers)


class LosesCount(RidingSchedule):
    """Does not count riders among what is open."""

    def ride(self, cells: list[Cell]) -> None:  # type: ignore[override]
        super().ride(cells)
        self._open -= len(cells)


@pytest.mark.parametrize("saboteur", [CountsNothingMissed, ForgetsFailures, LosesCount])
def test_the_model_rejects(saboteur: type[RidingSchedule]) -> None:
    """A schedule broken on purpose does not pass for a good one."""
    characters = list(CHARACTERS.values())

    with pytest.raises(AssertionError):
        for seed in range(400):
            Rider(World(seed, characters[seed % len(characters)]), 0, saboteur).play()


def test_riders_do_ride() -> None:
    """The model above is one of riders: many leave, and a part of them comes back."""
    players = [Rider(World(seed, CHARACTERS["smooth"]), 0) for seed in range(100)]
    for player in players:
        player.play()

    assert 60 < sum(player.rode for player in players)
    assert 5 < sum(player.came_back for player in players)


def chain(length: int) -> RidingSchedule:
    """Give a chain of single cells, of which the first is begun."""
    schedule = RidingSchedule()
    schedule.add(0, ())
    for number in range(1, length):
        schedule.add(number, (), [Edge(number - 1)])
    schedule.want(length - 1)
    schedule.started(0, schedule.take(0, 1))
    return schedule


def test_a_chain_rides_as_far_as_the_limit() -> None:
    """Each link needs the one before and nothing else."""
    schedule = chain(10)

    assert [(1, 0), (2, 0), (3, 0)] == schedule.followers([(0, 0)], **many(3))
    assert 9 == len(schedule.followers([(0, 0)], **many(100)))


def test_who_may_not_ride_ends_the_ride() -> None:
    """What needs a node that has to be judged waits for it."""
    schedule = chain(10)

    assert [(1, 0), (2, 0)] == schedule.followers(
        [(0, 0)], room=1.0, weight=lambda node: 2.0 if node == 3 else 0.01, broad=9
    )


def test_a_ride_ends_where_it_grows_broad() -> None:
    """Four links of a chain, and then a fan of ten: these are for all workers to share, if ten are worth it."""
    schedule = chain(5)
    for number in range(5, 15):
        schedule.add(number, (), [Edge(4)])
        schedule.want(number)
    found = [len(schedule.followers([(0, 0)], room=1.0, weight=lambda node: 0.01, broad=broad)) for broad in (9, 10)]

    assert [4, 14] == found


def test_a_stencil_rides_in_a_triangle() -> None:
    """Of each row those whose neighbours are all in the message."""
    schedule = RidingSchedule()
    width, rows = 8, 4
    for row in range(rows):
        for column in range(width):
            near = [c for c in (column - 1, column, column + 1) if 0 <= c < width]
            schedule.add(row * width + column, (), [Edge((row - 1) * width + c) for c in near] if row else [])
    for column in range(width):
        schedule.want((rows - 1) * width + column)
    half = [(column, 0) for column in range(width // 2)]
    for node, _ in half:
        schedule.started(node, schedule.take(node, 1))

    assert [3, 2, 1] == [
        sum(node // width == row for node, _ in schedule.followers(half, **many(100))) for row in (1, 2, 3)
    ]


def test_a_grid_rides_cell_by_cell() -> None:
    """A node with axes is ridden by the cells that need a cell of the message, and gathers wait for all."""
    schedule = RidingSchedule()
    rates = (Span("rate", 3),)
    schedule.add(0, rates)
    schedule.add(1, rates, [Edge(0)])
    schedule.add(2, (), [Edge(1)])
    schedule.want(2)
    schedule.started(0, schedule.take(0, 3))

    assert [(1, 1)] == schedule.followers([(0, 1)], **many(100))
    assert [(1, 0), (1, 1), (1, 2), (2, 0)] == schedule.followers([(0, n) for n in range(3)], **many(100))


def test_a_rider_that_comes_back_after_its_maker_is_ready() -> None:
    """It had to wait for nothing else."""
    schedule = chain(3)
    schedule.ride([(1, 0), (2, 0)])
    schedule.done(0, [0])
    schedule.unride(2, [0])
    schedule.unride(1, [0])

    assert (1, 1) == schedule.ready()
    assert State.WAITING == schedule.state(2, 0)


def test_a_rider_whose_maker_failed_is_blocked_when_it_comes_back() -> None:
    """In whichever order that is heard."""
    before, after = chain(3), chain(3)
    for schedule in (before, after):
        schedule.ride([(1, 0), (2, 0)])
    before.failed(0, [0])
    for node in (2, 1):
        before.unride(node, [0])
        after.unride(node, [0])
    after.failed(0, [0])

    for schedule in (before, after):
        assert [State.FAILED, State.BLOCKED, State.BLOCKED] == [schedule.state(node, 0) for node in range(3)]
        assert schedule.finished
