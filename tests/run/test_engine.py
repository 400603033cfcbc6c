"""Claims about run/engine.py: what starts, when, and what does not."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.run.executors.inline import InlineExecutor
from flowcore.run.job import Job
from flowcore.testing import ScriptedExecutor
from flowcore.testing.cells import plus, refuse_odd, total


def begun(
    flow: fc.Flow, store: Path, *targets: object, most: int = 1000, **options: Any
) -> tuple[fc.Run, ScriptedExecutor]:
    """Start a flow on a script."""
    script = ScriptedExecutor(most=most)
    return flow.start(*targets, executor=script, store=store, progress=False, **options), script


def finished(run: fc.Run, script: ScriptedExecutor) -> fc.Run:
    """Carry out whatever comes, and wait for the end."""
    script.run_all(lambda: False)
    with contextlib.suppress(fc.RunFailed):
        assert run.wait(60.0)
    return run


def test_a_limit_bounds_what_runs_at_once(store: Path) -> None:
    """A cell takes the place of one that has ended."""
    flow = fc.Flow()
    flow.add(fc.compute(limit=2)(plus), fc.each(x=range(5)))
    run, script = begun(flow, store)
    held = []
    for _ in range(3):
        script.settle()
        held.append(len(script.held))
        script.held[0].run()
    finished(run, script)

    assert ([2, 2, 2], 5) == (held, len(script.started))


def test_a_named_limit_is_shared(store: Path) -> None:
    """By all tasks that name it."""
    flow = fc.Flow()
    for name in ("a", "b"):
        flow.add(fc.compute(limit="db:3")(plus), fc.each(x=range(4)), b=ord(name), name=name)
    run, script = begun(flow, store)
    script.settle()
    held = len(script.held)
    finished(run, script)

    assert (3, 8) == (held, len(script.started))


def test_a_full_task_does_not_hold_up_others(store: Path) -> None:
    """What has reached its limit is passed over."""
    flow = fc.Flow()
    flow.add(fc.compute(limit=1, priority=5)(plus), fc.each(x=range(3)), name="limited")
    flow.add(plus, fc.each(x=range(3)), b=7, name="free")
    run, script = begun(flow, store)
    script.settle()
    held = sorted(one.name for one in script.held)
    finished(run, script)

    assert ["free", "free", "free", "limited"] == held


def test_a_higher_priority_goes_first(store: Path) -> None:
    """Among ready cells, before what was drawn earlier."""
    flow = fc.Flow()
    for priority in (0, 5, -1, 2):
        flow.add(fc.compute(priority=priority)(plus), 1, b=priority, name=f"p{priority}")
    run, script = begun(flow, store, most=1)
    finished(run, script)

    assert ["p5", "p2", "p0", "p-1"] == [name for name, _ in script.started]


def test_cells_are_independent(store: Path) -> None:
    """A cell starts as soon as its inputs are there; a gather waits for all."""
    flow = fc.Flow()
    first = flow.add(plus, fc.each(x=[10, 20, 30]), name="first")
    second = flow.add(plus, first, b=5, name="second")
    flow.add(total, fc.gather(second), name="last")
    run, script = begun(flow, store)
    script.wait(3)[2].run()
    script.wait(1, "second")[0].run()
    script.settle()
    early = [one.name for one in script.held]
    finished(run, script)

    assert ["first", "first"] == early
    assert ("second", 2) == script.started[3]
    assert "last" == script.started[-1][0]


@pytest.mark.contract("F39")
def test_one_worker_is_enough_for_axes_known_in_the_run(store: Path) -> None:
    """No cell ever waits for a cell."""
    flow = fc.Flow()
    listed = flow.add(sorted, [3, 1, 2])
    summed = flow.add(total, fc.gather(flow.add(plus, fc.each(item=listed))))
    run, script = begun(flow, store, summed, most=1)

    assert 2 + 2 * 3 + 3 * 4 == finished(run, script)[summed]


def test_stop_starts_nothing_new(store: Path) -> None:
    """After a failure what runs may finish, and its results are kept; the rest is not run."""
    flow = fc.Flow()
    grid = flow.add(plus, fc.each(x=range(3)), name="grid")
    flow.add(plus, grid, b=50, name="after")
    run, script = begun(flow, store, on_error="stop")
    one, two, three = script.wait(3)
    one.fail(ValueError("no"))
    script.settle()
    two.run()
    three.run()
    with pytest.raises(fc.RunFailed, match="1 cell failed"):
        run.wait(60.0)

    assert (3, {1: 2, 2: 3}) == (len(script.started), dict(run[grid]))


def test_continue_runs_all_that_does_not_depend_on_a_failure(store: Path) -> None:
    """Only what needs the failed cell is not run."""
    flow = fc.Flow()
    grid = flow.add(refuse_odd, fc.each(x=range(4)))
    after = flow.add(plus, grid)
    run, script = begun(flow, store, on_error="continue")
    finished(run, script)

    assert ("failed", {0: 1, 2: 3}) == (run.status, dict(run[after]))
    assert [1, 3] == sorted(failure.labels["x"] for failure in run.failures)  # type: ignore[type-var]


def test_cancel_ends_what_runs(store: Path) -> None:
    """After a failure nothing is waited for."""
    flow = fc.Flow()
    flow.add(plus, fc.each(x=range(3)))
    run, script = begun(flow, store, on_error="cancel")
    script.wait(3)[0].fail(ValueError("no"))
    with pytest.raises(fc.RunFailed):
        run.wait(60.0)

    assert ([], 1) == (script.held, len(run.failures))


def test_a_stopped_run_can_be_run_again(store: Path) -> None:
    """What was finished is not run again."""
    flow = fc.Flow()
    grid = flow.add(plus, fc.each(x=range(3)))
    run, script = begun(flow, store)
    held = script.wait(3)
    run.cancel()
    held[1].run()
    script.settle()
    run.cancel()
    run.wait(60.0)
    fresh, again = begun(flow, store)
    finished(fresh, again)

    assert "done" == fresh.status
    assert ([("plus", 0), ("plus", 2)], {0: 1, 1: 2, 2: 3}) == (again.started, dict(fresh[grid]))


def test_given_values_replace_computed_ones(store: Path) -> None:
    """Their node does not run, nor what only it needs; others see the value."""
    flow = fc.Flow()
    first = flow.add(plus, 1, name="first")
    second = flow.add(plus, first, name="second")
    third = flow.add(plus, second, name="third")
    run, script = begun(flow, store, third, given={second: 100})
    finished(run, script)

    assert (101, [("third", 0)]) == (run[third], script.started)


def test_given_grids_come_by_label_or_in_order(store: Path) -> None:
    """A dict, a sequence, or the Grid of another run."""
    flow = fc.Flow()
    grid = flow.add(plus, fc.each(x=[1, 2]), name="grid")
    after = flow.add(plus, grid, name="after")
    other = flow.run(store=store, executor="inline", progress=False)[grid]
    answers = [
        dict(flow.run(after, given={"grid": given}, store=store, executor="inline", progress=False)[after])
        for given in ({2: 20, 1: 10}, [10, 20], other)
    ]

    assert [{1: 11, 2: 21}, {1: 11, 2: 21}, {1: 3, 2: 4}] == answers


def test_targets_run_what_they_need(store: Path) -> None:
    """By node or by name."""
    flow = fc.Flow()
    first = flow.add(plus, 1, name="first")
    flow.add(plus, first, b=8, name="beside")
    flow.add(plus, first, b=9, name="wanted")
    run, script = begun(flow, store, "wanted")
    finished(run, script)

    assert [("first", 0), ("wanted", 0)] == script.started


@pytest.mark.contract("P10")
def test_equal_cells_are_computed_once(store: Path) -> None:
    """The others wait, and have the same value."""
    flow = fc.Flow()
    nodes = [flow.add(plus, 1, b=2, name=name) for name in ("one", "two", "three")]
    run, script = begun(flow, store)
    script.settle()
    held = len(script.held)
    finished(run, script)

    assert (1, 1, [3, 3, 3]) == (held, len(script.started), [run[node] for node in nodes])
    assert [(1, 0), (0, 1), (0, 1)] == [(run.counts(node).done, run.counts(node).hit) for node in nodes]


def test_a_cell_equal_to_one_that_failed_tries_for_itself(store: Path) -> None:
    """One at a time, until one has a value."""
    flow = fc.Flow()
    nodes = [flow.add(plus, 1, b=2, name=name) for name in ("one", "two", "three")]
    run, script = begun(flow, store, on_error="continue")
    script.wait()[0].fail(ValueError("no"))
    finished(run, script)

    assert (2, ["one"]) == (len(script.started), [failure.cell for failure in run.failures])
    assert [3, 3] == [run[node] for node in nodes[1:]]


@pytest.mark.contract("F37")
def test_a_fault_in_an_executor_ends_the_run(store: Path) -> None:
    """Its exception reaches the user; nothing hangs."""

    class Faulty(InlineExecutor):
        def start(self, job: Job) -> None:
            raise ZeroDivisionError("a fault of the executor's own")

    def make(*, inbox: Any, codec: Any, **_: object) -> Faulty:
        return Faulty(inbox=inbox, codec=codec)

    flow = fc.Flow()
    flow.add(plus, 1)
    run = flow.start(executor=make, store=store, progress=False)
    with pytest.raises(ZeroDivisionError, match="the executor's own"):
        run.wait(60.0)

    assert "broken" == run.status
