"""Claims about run/executors/near.py: whatever an engine loses, each cell ends once, and the right one is blamed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import pytest

import flowcore as fc
from flowcore import Checkpoint
from flowcore.run.cell import seat
from flowcore.run.executors.far import pack_answer
from flowcore.run.executors.ferry import Astray, Load, Traits, Unbegun
from flowcore.run.job import Interrupted, loads
from flowcore.testing import FakeClock, check_executor
from flowcore.testing.cells import field, overwritten, plus
from tests.run.executors.quays import Quay, first

LOST = Astray(cause="node7 is gone")
WHOLE = Traits(seconds=10.0)


def grid(count: int) -> tuple[fc.Flow, Any]:
    """Draw so many additions."""
    flow = fc.Flow()
    return flow, flow.add(plus, fc.each(x=range(count)))


def every_step(ckpt: Checkpoint = Checkpoint()) -> int:
    """Count five steps."""
    s = ckpt.state(done=0)
    for _ in ckpt.steps(5):
        s.done += 1
    return int(s.done)


def failed(flow: fc.Flow, quay: Quay, store: Path) -> fc.Run:
    """Run to the end, and past failures."""
    run = flow.start(executor=quay.make, store=store, progress=False, on_error="continue")
    with pytest.raises(fc.RunFailed):
        run.wait(60)
    return run


@pytest.mark.contract("F40", "P5")
def test_any_ferry_makes_an_executor_that_conforms() -> None:
    """With messages of all sizes."""
    check_executor(lambda **given: Quay().make(**given))
    check_executor(lambda **given: Quay(traits=Traits(most=1, places=True)).make(**given))


@pytest.mark.contract("F4", "F6")
def test_a_lost_message_goes_out_again_cell_by_cell(store: Path) -> None:
    """So that the next loss has one culprit; nobody has died of the first."""
    flow, node = grid(40)

    def fate(load: Load) -> Astray | None:
        return LOST if len(load.job.attempts) > 1 else None

    quay = Quay(fate, traits=WHOLE)
    run = flow.run(executor=quay.make, store=store, progress=False)

    assert {x: x + 1 for x in range(40)} == dict(run[node])
    assert any(size > 1 for size in quay.sizes)


@pytest.mark.contract("F6", "P5")
def test_one_that_is_lost_each_time_fails_alone(store: Path) -> None:
    """By the budget of a cell for deaths; its fellows have their values."""
    flow, node = grid(40)

    def fate(load: Load) -> Astray | None:
        return LOST if 7 in load.job.numbers else None

    quay = Quay(fate, traits=WHOLE)
    run = failed(flow, quay, store)

    assert ["plus[x=7]"] == [failure.cell for failure in run.failures]
    assert "node7 is gone" in str(run.failures[0].exception)
    assert {x: x + 1 for x in range(40) if x != 7} == dict(run[node])
    assert 3 == sum(load.job.numbers == [7] for load in quay.sent)


def test_messages_of_one_cell_leave_in_groups(store: Path) -> None:
    """A quarter of what may be on its way, or more: an engine charges for the call as well as for what is in it."""
    flow, node = grid(100)
    quay = Quay(traits=Traits(most=1, ahead=8))
    run = flow.run(executor=quay.make, store=store, progress=False)

    assert {x: x + 1 for x in range(100)} == dict(run[node])
    assert [1] * 100 == quay.sizes
    assert 16 == quay.groups[0] == max(quay.groups)
    assert min(quay.groups[:-1]) >= 4


def test_of_a_loops_steps_the_last_is_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They leave with the end of the message, where one for each step would be the larger part of it."""
    monkeypatch.setattr(seat, "TELL", 0.0)
    monkeypatch.setattr(seat, "_MOMENT", 0.0)
    flow, quay = fc.Flow(), Quay()
    node = flow.add(every_step)
    run = flow.run(executor=quay.make, store=store, progress=False)
    results = [result for answer in quay.answers for result in cast(list[list[Any]], loads(answer)[1])]
    told = [step for kind, _, step, *_ in results if kind == "metric"]

    assert 5 == run[node]
    assert [5] == told


def test_a_user_who_wants_one_message_ahead_gets_one(store: Path) -> None:
    """Cells are not held back for the sake of a group."""
    flow, node = grid(5)
    quay = Quay(traits=Traits(most=1, ahead=1), width=1)
    run = flow.run(executor=quay.make, store=store, progress=False)

    assert {x: x + 1 for x in range(5)} == dict(run[node])
    assert [1] * 5 == quay.groups


@pytest.mark.contract("F4")
def test_what_cannot_be_its_own_fault_costs_a_cell_nothing(store: Path) -> None:
    """Ten losses without suspicion are more than its budget for deaths."""
    flow, node = grid(1)
    quay = Quay(first(10, Astray(cause="preempted", suspect=False)))

    assert {0: 1} == dict(flow.run(executor=quay.make, store=store, progress=False)[node])


@pytest.mark.contract("P5")
def test_a_message_that_comes_back_unbegun_goes_out_again(store: Path) -> None:
    """Somebody called it back, and the run goes on."""
    flow, node = grid(3)
    quay = Quay(first(2, Unbegun()))

    assert {0: 1, 1: 2, 2: 3} == dict(flow.run(executor=quay.make, store=store, progress=False)[node])


@pytest.mark.contract("P5", "F35")
def test_a_sunk_ferry_fails_its_cells_and_does_not_hang(store: Path) -> None:
    """Those on their way, and those that were still to come; none of them is carried out here."""
    flow, _ = grid(200)
    quay = Quay(traits=Traits(most=1))

    def fate(load: Load) -> Astray | None:
        quay.sunk = "the scheduler at tcp://login1:8786 does not answer"
        assert quay.harbour is not None
        quay.harbour.changed()
        return None

    quay._fate = fate
    run = failed(flow, quay, store)

    told = [str(failure.exception).splitlines()[0] for failure in run.failures]
    assert [f"Nobody can carry out {failure.cell} any more: {quay.sunk}" for failure in run.failures] == told
    assert len(run.failures) >= 200 - len(quay.sent) > 0
    assert 1 == quay.closed


@pytest.mark.contract("P5")
def test_workers_that_never_begin_anything_end_the_run(store: Path) -> None:
    """Sent for ever, a message would keep the run busy for ever."""
    flow, _ = grid(1)
    quay = Quay(lambda load: pack_answer(0.0, [Interrupted(attempts=load.job.every)]))
    with pytest.raises(fc.RunFailed, match="do not begin them"):
        flow.run(executor=quay.make, store=store, progress=False)


@pytest.mark.contract("W2")
@pytest.mark.parametrize("answer", [b"", b"\x93", b"\x92\x00\x91\x92\xa4done\xc0"])
def test_an_answer_that_cannot_be_read_is_a_loss(answer: bytes, store: Path) -> None:
    """Of the first two, its cell makes up for; the run does not break."""
    flow, node = grid(1)

    assert {0: 1} == dict(flow.run(executor=Quay(first(2, answer)).make, store=store, progress=False)[node])


@pytest.mark.contract("P5")
def test_a_ferry_without_room_is_waited_for(store: Path) -> None:
    """Its engine has no worker yet; nothing is sent before it says that it has."""
    flow, node = grid(4)
    quay = Quay(width=0)
    run = flow.start(executor=quay.make, store=store, progress=False)
    while quay.harbour is None:
        run.wait(0.01)
    before = list(quay.sent)
    quay.wide = 2
    quay.harbour.changed()
    run.wait()

    assert [] == before
    assert {x: x + 1 for x in range(4)} == dict(run[node])


def test_messages_hold_what_suits_the_engine(store: Path) -> None:
    """With batches off, one cell each; else far fewer messages than cells."""
    flow, _ = grid(500)
    quays = [Quay(traits=Traits(most=1)), Quay(traits=WHOLE)]
    for i, quay in enumerate(quays):
        flow.run(executor=quay.make, store=store.with_name(f"store{i}"), progress=False)

    assert {1} == set(quays[0].sizes)
    assert 500 == len(quays[0].sent) > 10 * len(quays[1].sent)


@pytest.mark.contract("W5b")
def test_cells_of_a_chain_ride(store: Path) -> None:
    """A chain takes a few messages, and not one a link."""
    flow = fc.Flow()
    node = flow.add(plus, 0)
    for _ in range(60):
        node = flow.add(plus, node)
    quay = Quay(traits=WHOLE)
    run = flow.run(executor=quay.make, store=store, progress=False)

    assert 61 == run[node]
    assert len(quay.sent) < 12


def test_who_made_the_large_inputs_is_named(store: Path) -> None:
    """For an engine that can bring a message there; small inputs do not count."""
    flow = fc.Flow()
    made = flow.add(fc.compute(cache=False)(field_of_8000), 3, name="made")
    flow.add(overwritten, made, name="sum")
    flow.add(plus, flow.add(plus, 1, name="small"), name="next")
    quay = Quay(traits=Traits(most=1, places=True))
    flow.run(executor=quay.make, store=store, progress=False)
    serials = {load.job.name(0): load.serial for load in quay.sent}
    after = {load.job.name(0): load.after for load in quay.sent}

    assert {"made": [], "sum": [serials["made"]], "small": [], "next": []} == after


def field_of_8000(seed: int) -> Any:
    """Give an array of 320 kB."""
    import numpy as np

    return np.concatenate([field(seed)] * 8)


_began, _gates, _clock = threading.Event(), [threading.Event()], FakeClock()
_firsts: list[int] = []  # the steps at which loops began


def steps_without_end(start: int, *, ckpt: fc.Checkpoint = fc.Checkpoint()) -> int:
    """Count until told to stop."""
    state = ckpt.state(count=start)
    for step in ckpt.steps(10**9):
        if not _began.is_set():
            _firsts.append(step)
            _began.set()
        state.count += 1
    return int(state.count)


@pytest.mark.contract("P12")
def test_a_stop_reaches_a_loop_over_steps_in_a_process_that_is_not_ours(store: Path) -> None:
    """By the sign in the run's spool: it saves its state, and the next run goes on from there."""
    flow = fc.Flow()
    flow.add(fc.compute(ignore=("global:_firsts", "global:_began"))(steps_without_end), 0)
    _firsts.clear()
    ended = []
    for _ in range(2):
        _began.clear()
        run = flow.start(executor=Quay().make, store=store, progress=False)
        _began.wait(60)
        run.cancel()
        ended.append((run.wait(60), run.status))

    assert [(True, "interrupted")] * 2 == ended
    assert 2 == len(_firsts)
    assert 0 <= _firsts[0] < _firsts[1]


def wait_at_the_gate(x: int) -> int:
    """Let the time pass that a cell may take, by the clock that stands; wait until the test has seen the end of it."""
    if x == 1:
        _clock.advance(0.2)
        _gates[0].wait(60)
    return x


@pytest.mark.contract("F12")
def test_a_cell_that_overruns_its_timeout_is_left_behind(store: Path) -> None:
    """Alone: those behind it in its message are carried out."""
    flow = fc.Flow()
    task = fc.compute(timeout=0.2, cache=False, ignore=("global:_clock",))(wait_at_the_gate)
    node = flow.add(task, fc.each(x=range(4)), name="wait")
    _gates[0] = threading.Event()
    with _clock:
        run = failed(flow, Quay(traits=WHOLE), store)
    _gates[0].set()

    assert ["wait[x=1]"] == [failure.cell for failure in run.failures]
    assert {0: 0, 2: 2, 3: 3} == dict(run[node])
