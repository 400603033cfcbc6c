"""Claims about run/outcomes/landing.py: each attempt has exactly one end, whatever is posted, in whichever order."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import flowcore as fc
from flowcore.plan.extension import KEPT, SPOOLED
from flowcore.plan.records import references
from flowcore.run.job import Died, Done, Interrupted, Result, TimedOut
from flowcore.testing import FakeClock, Held, ScriptedExecutor
from flowcore.testing.cells import field, overwritten, plus
from tests.faults import saboteurs_of_values

EVENTS = ("result", "death", "timeout", "cancel", "late result")


def posted(event: str, held: list[Held]) -> list[Result]:
    """Give what an executor would post for a batch of cells: the first of them is the one that dies or overruns."""
    attempts, first = [one.attempt for one in held], held[0].attempt
    if event == "death":
        return [Died(attempt=first, cause="signal 9 (SIGKILL)")]
    if event == "timeout":
        return [TimedOut(attempt=first, seconds=1.0, did="killed")]
    if event == "cancel":
        return [Interrupted(attempts=attempts)]
    done = [result for one in held for result in one.outcome() if isinstance(result, Done)]
    return [
        Done(
            attempts=attempts,
            records=[d.records[0] for d in done],
            components=[d.components[0] for d in done],
            seconds=[d.seconds[0] for d in done],
        )
    ]


@pytest.mark.contract("F40")
@pytest.mark.parametrize("together", [True, False], ids=["at once", "one by one"])
@pytest.mark.parametrize("cells", [1, 3])
def test_every_order_of_ends_is_one_end(cells: int, together: bool, store: Path) -> None:
    """The first word about an attempt counts; what comes later is dropped, and no cell is lost or done twice."""
    for number, order in enumerate(itertools.permutations(EVENTS)):
        script = ScriptedExecutor()
        flow = fc.Flow()
        grid = flow.add(plus, fc.each(x=range(cells)), b=1000 * number)
        run = flow.start(executor=script, store=store, on_error="continue", progress=False)
        held = script.wait(cells)
        words = [posted(event, held) for event in order]
        for word in [[*itertools.chain(*words)]] if together else words:
            script.post(word)
            script.settle()  # the cell may have begun again by the next word, which is about its first attempt
        for one in held:
            one.post([])
        script.settle()
        again = {one.number for one in script.held}
        while script.held:
            script.held[0].run()
            script.settle()
        first = [next(e for e in order if n == 0 or e not in ("death", "timeout")) for n in range(cells)]
        late = {n for n in range(cells) if first[n] in ("death", "cancel")}
        try:
            run.wait(60.0)
        except fc.RunFailed:
            assert "timeout" == first[0], order
        counts = run.counts(grid)

        assert late == again, order
        assert {n: n + 1000 * number for n in range(cells) if first[n] != "timeout"} == dict(run[grid]), order
        assert (0, cells - ("timeout" == first[0])) == (counts.started, counts.done), order
        assert (cells + len(late)) == len(script.started), order


@pytest.mark.contract("F4")
def test_a_cell_survives_two_deaths(store: Path) -> None:
    """The third death of a worker under it fails it, and says so."""
    flow = fc.Flow()
    flow.add(plus, 1)
    script = ScriptedExecutor()
    run = flow.start(executor=script, store=store, progress=False)
    for _ in range(3):
        script.wait()[0].die("signal 11 (SIGSEGV)")
    with pytest.raises(fc.RunFailed, match="SIGSEGV"):
        run.wait()

    assert 3 == run.failures[0].attempts
    assert isinstance(run.failures[0].error, fc.WorkerDied)


def test_retries_wait_longer_each_time(store: Path) -> None:
    """Exponential with jitter: from half to one and a half of 10 s, then of 20 s, and so on."""
    flow = fc.Flow()
    answer = flow.add(fc.compute(retries=4, backoff="10s")(plus), 1)
    script = ScriptedExecutor()
    held: list[int] = []
    with FakeClock() as clock:
        run = flow.start(executor=script, store=store, progress=False)
        for wait in (10.0, 20.0, 40.0, 80.0):
            script.wait()[0].fail(OSError("busy"))
            script.settle()
            clock.advance(wait * 0.49)
            script.settle()
            held.append(len(script.held))
            clock.advance(wait * 1.02)
            script.settle()
            held.append(len(script.held))
        script.wait()[0].run()
        run.wait()

    assert ([0, 1] * 4, 2) == (held, run[answer])


def test_budgets_are_counted_apart(store: Path) -> None:
    """A death takes nothing from the retries of a cell that raises."""
    flow = fc.Flow()
    answer = flow.add(fc.compute(retries=1)(plus), 1)
    script = ScriptedExecutor()
    run = flow.start(executor=script, store=store, progress=False)
    script.wait()[0].die()
    script.wait()[0].fail(OSError("busy"))
    script.wait()[0].die()
    script.wait()[0].run()
    run.wait()

    assert 2 == run[answer]


def test_a_skip_is_no_failure_and_is_not_tried_again(store: Path) -> None:
    """Whatever retries there are; what needs it is skipped too."""
    flow = fc.Flow()
    first = flow.add(fc.compute(retries=3)(plus), 1)
    second = flow.add(plus, first)
    script = ScriptedExecutor()
    run = flow.start(executor=script, store=store, progress=False)
    script.wait()[0].skip("no data")
    run.wait()

    assert ("done", 1, 1) == (run.status, len(script.started), run.counts(first).skipped)
    with pytest.raises(fc.ValueLost, match="skipped"):
        run[second]


@pytest.mark.contract("F25")
def test_a_lost_input_is_made_again(store: Path) -> None:
    """Its maker runs once more, then the cell; nobody has failed."""
    flow = fc.Flow()
    array = flow.add(field, 1)
    total = flow.add(overwritten, array)
    script = ScriptedExecutor()
    run = flow.start(executor=script, store=store, progress=False)
    script.wait()[0].run()
    (held,) = script.wait(1, "overwritten")
    ((digest, _, _),) = references(held.job.columns[0][0])
    (blob,) = store.glob("v1/arrays/*/*.npy")
    blob.unlink()
    held.lose(digest)
    script.wait(1, "field")[0].run()
    script.wait(1, "overwritten")[0].run()
    run.wait()

    assert ["field", "overwritten", "field", "overwritten"] == [name for name, _ in script.started]
    assert np.arange(5000.0).sum() * 2 == run[total]


def lose(times: int, store: Path) -> tuple[fc.Run, list[int]]:
    """Have a cell lose its input so often; give the run, at whose end it has it, and where each input lay."""
    flow = fc.Flow()
    flow.result = flow.add(overwritten, flow.add(field, 1))
    script = ScriptedExecutor()
    run = flow.start(executor=script, store=store, progress=False)
    places: list[int] = []
    for _ in range(times):
        script.wait(1, "field")[0].run()
        (held,) = script.wait(1, "overwritten")
        ((digest, _, place),) = references(held.job.columns[0][0])
        places.append(place)
        for blob in store.glob("v1/arrays/*/*.npy"):
            blob.unlink()
        held.lose(digest)
    if times < 4:
        script.wait(1, "field")[0].run()
        (held,) = script.wait(1, "overwritten")
        places += [place for _, _, place in references(held.job.columns[0][0])]
        held.run()
    return run, places


@pytest.mark.contract("F25", "P4")
def test_what_vanishes_again_and_again_goes_by_the_spool(store: Path) -> None:
    """Twice it is made again for the store; the third time it is handed over, and nobody has failed."""
    run, places = lose(3, store)
    run.wait()

    assert [KEPT, KEPT, KEPT, SPOOLED] == places
    assert np.arange(5000.0).sum() * 2 == run["overwritten"]


@pytest.mark.contract("F25", "P5")
def test_what_vanishes_from_the_spool_as_well_is_lost(store: Path) -> None:
    """The cell that needs it fails, and says so: nothing is made again for ever."""
    run, places = lose(4, store)
    with pytest.raises(fc.RunFailed, match="cannot be read"):
        run.wait()

    assert [KEPT, KEPT, KEPT, SPOOLED] == places
    assert ["overwritten"] == [failure.node for failure in run.failures]


@pytest.mark.contract("H7", "F25")
def test_a_store_that_is_asked_once_too_often_is_seen(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is kept again after its third loss fails the test of it."""
    saboteurs_of_values.kept_for_ever(monkeypatch.setattr)
    with pytest.raises(AssertionError):
        test_what_vanishes_again_and_again_goes_by_the_spool(store)
