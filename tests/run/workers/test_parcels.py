"""Claims about run/workers/parcels.py: who ends once, who is late, and how much fits in a message."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.run.job import Done, Interrupted, Job, Result, TaskSpec
from flowcore.run.rides.riders import Riders
from flowcore.run.workers.parcels import LONG_SECONDS, MOST_CELLS, Pace, Parcel, attempts_of, narrowed, parted, settle

TASK = TaskSpec(id=1, name="task", function=("path", "module", "task"))


def parcel(attempts: list[int]) -> Parcel:
    """Give a parcel of these attempts."""
    records = [b"%d" % attempt for attempt in attempts]
    job = Job(task=TASK, attempts=attempts, numbers=list(range(len(attempts))), columns=[records])
    return Parcel(serial=1, job=job, short=True)


def done(attempts: list[int]) -> Done:
    """Give results that name their attempts."""
    return Done(
        attempts=attempts, records=[b"%d" % a for a in attempts], components=[b""] * len(attempts),
        seconds=[float(a) for a in attempts],
    )  # fmt: skip


@pytest.mark.contract("F40", "W8")
@given(st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=6), max_size=12))
def test_each_attempt_ends_once_whatever_arrives(messages: list[list[int]]) -> None:
    """Late, doubled and foreign attempts are dropped; what is left keeps its own columns."""
    parcels, ended = [parcel([1, 2, 3, 4]), parcel([5, 6, 7, 8])], []
    for attempts in messages:
        fresh = settle(parcels, attempts)
        kept = done(attempts) if fresh is None else narrowed(done(attempts), fresh)
        if isinstance(kept, Done):
            ended += kept.attempts
            assert [b"%d" % a for a in kept.attempts] == kept.records
            assert [float(a) for a in kept.attempts] == kept.seconds
    left = [attempt for one in parcels if (rest := parted(one.job, one.open)[0]) for attempt in rest.attempts]

    assert sorted({a for message in messages for a in message if a <= 8}) == sorted(ended)
    assert [*range(1, 9)] == sorted(ended + left)


@given(st.sets(st.integers(0, 7)))
def test_rest_is_what_has_not_ended_with_its_own_arguments(ended: set[int]) -> None:
    """Nothing is handed out again with a neighbour's arguments."""
    one = parcel([10 + i for i in range(8)])
    settle([one], sorted(10 + i for i in ended))
    rest, riders = parted(one.job, one.open)
    left = [10 + i for i in range(8) if i not in ended]

    assert [] == riders
    assert left == (rest.attempts if rest else [])
    assert rest is None or [[b"%d" % attempt for attempt in left]] == rest.columns


@pytest.mark.contract("W2")
@pytest.mark.parametrize(
    "result",
    [
        Done(attempts=[1, 2], records=[b""], components=[b"", b""], seconds=[0.0, 0.0]),
        Done(attempts=[1], records=[b""], components=[b""], seconds=[0.0], peaks=[1, 2]),
    ],
)
def test_columns_that_do_not_fit_together_are_refused(result: Result) -> None:
    """Nobody could say which cell ended how."""
    with pytest.raises(ValueError, match="column"):
        attempts_of(result)


def test_late_interruptions_are_narrowed() -> None:
    """Only those that were still open are interrupted."""
    one = parcel([1, 2, 3])
    settle([one], [2])
    fresh = settle([one], [1, 2, 3])

    assert [1, 3] == fresh
    assert Interrupted(attempts=[1, 3]) == narrowed(Interrupted(attempts=[1, 2, 3]), [1, 3])
    assert narrowed(Interrupted(attempts=[2]), []) is None


def test_pace_grows_fast_and_keeps_to_a_fair_share() -> None:
    """From single cells to thousands in a few messages; never more than an even share of what is ready."""
    pace, sizes = Pace(), []
    for _ in range(6):
        sizes.append(pace.cells(1, ready=100_000, workers=2))
        pace.learn(1, seconds=sizes[-1] * 2e-6, cells=sizes[-1])

    assert [1, 8, 72, 648, MOST_CELLS, MOST_CELLS] == sizes
    assert 500 == pace.cells(1, ready=1000, workers=2)
    assert 10 == pace.cells(1, ready=10, workers=2), "what is not worth two messages is one"
    assert 3 == pace.cells(1, ready=3, workers=1)


def test_what_an_earlier_run_measured_sizes_the_first_message() -> None:
    """Trusted for some cells only, since the code may have changed; a long cell goes singly at once."""
    pace = Pace()
    pace.expect(1, 2e-6)
    pace.expect(2, 2 * LONG_SECONDS)
    pace.expect(3, 0.0)

    assert [64, 1, 1] == [pace.cells(task, ready=100_000, workers=2) for task in (1, 2, 3)]
    assert [True, False, False] == [pace.short(task) for task in (1, 2, 3)]


def test_long_cells_go_singly_to_idle_workers() -> None:
    """A cell of 50 ms or more never waits behind another, nor another behind it."""
    pace = Pace()
    pace.learn(1, seconds=2 * LONG_SECONDS, cells=1)

    assert 1 == pace.cells(1, ready=1000, workers=2)
    assert not pace.short(1)
    assert not pace.short(2)


@pytest.mark.contract("W6")
@given(st.sets(st.integers(0, 7)), st.integers(1, 8))
def test_riders_do_not_go_out_again(ended: set[int], first: int) -> None:
    """They come back to whoever knows what has become of their makers; all else goes out."""
    job = replace(parcel([10 + i for i in range(8)]).job, riders=Riders(first=first, makers=[[-1] * (8 - first)]))
    left = {10 + i for i in range(8)} - {10 + i for i in ended}
    rest, riders = parted(job, left)

    assert sorted(left) == sorted([*(rest.attempts if rest else []), *riders])
    assert all(attempt >= 10 + first for attempt in riders)
    assert rest is None or (rest.riders is None and all(attempt < 10 + first for attempt in rest.attempts))


def test_what_tasks_in_one_message_cost_is_told_apart() -> None:
    """A cell that takes a millisecond, beside three of another task that take none, makes these no dearer."""
    pace, wagon = Pace(), replace(parcel([2, 3, 4]).job, task=replace(TASK, id=2))
    job = replace(parcel([1]).job, wagons=[wagon])
    results = replace(done([1, 2, 3, 4]), seconds=[1e-3, 0.0, 0.0, 0.0])
    pace.hear(job, [results], 1e-3 + 4e-5, 4, {1, 2})

    assert [1010, 10] == [round(1e6 * (pace.cost(task) or 0.0)) for task in (1, 2)]
    assert [1, 2, 3, 4] == job.every


def test_the_imports_of_a_task_are_not_its_cells() -> None:
    """What its first report took besides its function counts for no task of the message."""
    pace, warm = Pace(), {1}
    job = replace(parcel([1]).job, wagons=[replace(parcel([2]).job, task=replace(TASK, id=2))])
    pace.hear(job, [replace(done([1, 2]), seconds=[1e-3, 2e-3])], 5.0, 2, warm)

    assert [1000, 2000] == [round(1e6 * (pace.cost(task) or 0.0)) for task in (1, 2)]
    assert {1, 2} == warm


@pytest.mark.contract("W6")
def test_wagons_do_not_go_out_again() -> None:
    """All their cells ride."""
    job = replace(parcel([1, 2]).job, riders=Riders(first=2, makers=[[]]), wagons=[parcel([3, 4]).job])
    rest, riders = parted(job, [1, 2, 4])

    assert [4] == riders
    assert rest is not None
    assert [[1, 2], []] == [rest.attempts, rest.wagons]


def test_a_few_cells_go_out_in_one_message_a_worker() -> None:
    """What workers hold counts: a row of sixteen is two messages of eight, and not eight, four, two, one, one."""
    pace = Pace()
    pace.learn(1, 0.016, 160)
    first = pace.cells(1, 16, 2, [0, 0])
    second = pace.cells(1, 8, 2, [8, 0])
    late = pace.cells(1, 6, 2, [0, 8])

    assert [8, 8, 6] == [first, second, late]
    assert 4 == pace.cells(1, 8, 2), "as it was, where nothing is said of what they hold"
