"""Claims about run/gate.py: what waits for what before it begins."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import current_thread
from typing import Any

import pytest

import flowcore as fc
from flowcore import machine
from flowcore.plan.prefetch import UNKNOWN
from flowcore.run.executors.protocol import elsewhere
from flowcore.run.workers import launching
from flowcore.store.directory import open_store
from flowcore.testing import FakeClock, FakeDevices, ScriptedExecutor
from tests.run.executors.quays import Quay

MIB = 1 << 20


def double(x: int) -> int:
    """Give twice as much."""
    return 2 * x


@contextmanager
def scripted(flow: fc.Flow, store: Path, **options: Any) -> Iterator[tuple[Any, ScriptedExecutor]]:
    """Begin a run whose cells are held; carry out what is left of it in the end."""
    script = ScriptedExecutor()
    run = flow.start(executor=script, store=store, progress=False, **options)
    try:
        yield run, script
        script.settle()
        script.run_all(lambda: False)
    except BaseException:
        run.cancel()
        raise
    finally:
        with suppress(fc.RunFailed):
            run.wait()


def one_by_one(flow: fc.Flow, store: Path, cells: int) -> list[str]:
    """Give the nodes whose cells begin, in their order, where one runs at a time."""
    script = ScriptedExecutor(most=1)
    run = flow.start(executor=script, store=store, progress=False)
    for _ in range(cells):
        script.wait(1)
        script.settle()
        script.held[0].run()
    run.wait()
    return [name for name, _ in script.started]


@pytest.fixture
def told(recwarn: pytest.WarningsRecorder) -> Callable[[], list[str]]:
    """Give what was told by warnings, so far."""
    return lambda: [str(one.message) for one in recwarn if one.category is fc.FlowcoreWarning]


def held(script: ScriptedExecutor) -> list[str]:
    """Give the names of the nodes whose cells are held, once the engine has seen to all there is."""
    script.settle()
    return [one.name for one in script.held]


# ---- limits and rates ------------------------------------------------------------------


def test_a_limit_counts_all_cells_of_a_task(store: Path) -> None:
    """Also where each is a node of its own, as in a comprehension."""
    task = fc.compute(limit=2)(double)
    with fc.Flow() as flow:
        for x in range(5):
            task(x)
    with scripted(flow, store) as (run, script):
        script.wait(2)

        assert 2 == len(held(script))
        script.held[0].run()
        script.wait(2)
        assert 2 == len(held(script))
    assert "done" == run.status


def test_a_rate_lets_so_many_begin_in_a_second(store: Path) -> None:
    """The next ones begin by a timer, when the first of the window are a second old, and not before."""
    task = fc.compute(limit="2/s")(double)
    with fc.Flow() as flow:
        task(fc.each(x=range(5)))
    with FakeClock() as clock, scripted(flow, store) as (run, script):
        script.wait(2)
        counts = [len(held(script))]
        for seconds in (0.9, 0.2, 0.9, 0.2):
            clock.advance(seconds)
            counts.append(len(held(script)))

        assert [2, 2, 4, 4, 5] == counts
    assert "done" == run.status


def test_a_rate_may_be_shared_by_name(store: Path) -> None:
    """What cells of one task began counts for the other."""
    one, other = fc.compute(limit="api:3/min")(double), fc.compute(limit="api:3/min")(abs)
    with fc.Flow() as flow:
        one(fc.each(x=range(2)))
        other(-7)
        other(-8)
    with FakeClock() as clock, scripted(flow, store) as (_, script):
        script.wait(3)
        first = len(held(script))
        clock.advance(61.0)
        script.wait(4)

        assert (3, 4) == (first, len(held(script)))


# ---- memory ----------------------------------------------------------------------------


def test_declared_memory_waits_until_there_is_room(store: Path, told: Callable[[], list[str]]) -> None:
    """So many cells at once as fit; what waits is told once, and for what."""
    task = fc.compute(memory="4 MiB")(double)
    with fc.Flow() as flow:
        task(fc.each(x=range(5)))
    with scripted(flow, store, memory="10 MiB") as (run, script):
        script.wait(2)

        assert 2 == len(held(script))
        script.held[0].run()
        script.wait(2)
        assert 2 == len(held(script))
    assert ["double waits for memory: a cell takes 4 MiB (declared); 8 MiB of 10 MiB are taken"] == told()
    assert "done" == run.status


def test_a_smaller_one_passes_the_one_that_waits(store: Path) -> None:
    """What fits need not lie idle behind what does not."""
    large, small = fc.compute(memory="9 MiB", priority=1)(double), fc.compute(memory="1 MiB")(abs)
    with fc.Flow() as flow:
        large(fc.each(x=range(2)))
        small(-1)
    with scripted(flow, store, memory="10 MiB") as (_, script):
        script.wait(2)

        assert ["double", "abs"] == held(script)


def test_what_is_larger_than_all_there_is_runs_alone(store: Path, told: Callable[[], list[str]]) -> None:
    """It begins when nothing else runs, and nothing begins beside it; a warning says so."""
    huge = fc.compute(memory="11 MiB", priority=1)(double)
    with fc.Flow() as flow:
        flow.add(abs, -1, name="first", after=[])
        huge(1)
        flow.add(abs, fc.each(x=range(3)), name="others")
    with scripted(flow, store, memory="10 MiB") as (run, script):
        script.wait(1)
        began = held(script)
    text = "double runs alone, and may be killed: a cell takes 11 MiB (declared), and there are 10 MiB in all"

    assert (["double"], [text], "done") == (began, told(), run.status)


def test_learned_memory_counts_as_if_declared(store: Path, told: Callable[[], list[str]]) -> None:
    """What cells of the task had at their highest in an earlier run."""
    earlier = open_store(store).begin()
    earlier.durations.learn(f"{__name__}.double", 1, 1.0, [6 * MIB])
    earlier.release()
    with fc.Flow() as flow:
        flow.add(double, fc.each(x=range(3)))
    with scripted(flow, store, memory="10 MiB") as (_, script):
        script.wait(1)

        assert 1 == len(held(script))
    assert "a cell takes 6 MiB (learned)" in told()[0]


def test_a_little_that_was_learned_is_not_counted(store: Path) -> None:
    """Every worker could have eight of it at once."""
    earlier = open_store(store).begin()
    earlier.durations.learn(f"{__name__}.double", 1, 1.0, [MIB])
    earlier.release()
    with fc.Flow() as flow:
        flow.add(double, fc.each(x=range(50)))
    with scripted(flow, store, memory="32 MiB", workers=2) as (_, script):
        script.wait(50)

        assert 50 == len(held(script))


# ---- want of memory --------------------------------------------------------------------


@pytest.mark.contract("F4")
def test_a_cell_that_died_of_memory_is_tried_again_alone(store: Path) -> None:
    """It waits for the others to end, and nothing begins beside it."""
    with fc.Flow() as flow:
        flow.add(double, fc.each(x=range(3)))
        flow.add(abs, -1, name="later", after=[flow.add(abs, -2, name="before")])
    with scripted(flow, store) as (run, script):
        before, first, second, third = script.wait(4)
        first.die(memory=True, peak=5 * MIB)
        beside = held(script)
        before.run()
        second.run()
        third.run()
        (again,) = script.wait(1)
        alone = held(script)
        again.run()
        script.wait(1, "later")

    assert ["before", "double", "double"] == beside
    assert ["double"] == alone
    assert first.number == again.number
    assert "done" == run.status


@pytest.mark.contract("F4")
def test_want_of_memory_has_a_budget_of_its_own(store: Path) -> None:
    """Two crashes and one want of memory are survived; a second want of memory is not, and says so."""
    with fc.Flow() as flow:
        flow.add(double, 1)
    with scripted(flow, store) as (run, script):
        for memory in (False, True, False, True):
            script.wait(1)[0].die(memory=memory, peak=7 * MIB)
    (failure,) = run.failures

    assert isinstance(failure.error, fc.WorkerDied)
    assert (4, True, 2, 2) == (failure.attempts, failure.error.memory, failure.error.attempt, failure.error.attempts)
    assert "Its peak memory was 7 MiB of the " in str(failure.error)
    assert "its last attempt had nothing beside it" in str(failure.error)


@pytest.mark.contract("F4")
def test_others_of_its_task_are_admitted_by_what_it_had(store: Path) -> None:
    """Once one has died with so much, no two of them run at once that do not fit."""
    with fc.Flow() as flow:
        flow.add(double, fc.each(x=range(4)), name="double")
    with scripted(flow, store, memory="10 MiB") as (_, script):
        for one in script.wait(4):
            one.die(memory=True, peak=6 * MIB)
        script.wait(1)

        assert 1 == len(held(script))


@pytest.mark.contract("F8")
def test_a_memory_error_beside_others_is_tried_again_alone(store: Path) -> None:
    """Also without retries; with nothing beside it, it fails at once."""
    with fc.Flow() as flow:
        flow.add(double, fc.each(x=range(2)))
    with scripted(flow, store) as (run, script):
        first, second = script.wait(2)
        first.fail(MemoryError())
        second.run()
        script.wait(1)[0].fail(MemoryError())
    (failure,) = run.failures

    assert (2, "MemoryError") == (failure.attempts, failure.error.type)


def killed_once(marker: str) -> int:
    """Be ended by SIGKILL, as the kernel does for want of memory, the first time."""
    try:
        open(marker, "x").close()
    except FileExistsError:
        return 1
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


@pytest.mark.contract("F4")
@pytest.mark.parametrize("counted", [True, False])
def test_the_kernels_count_tells_want_of_memory(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, counted: bool
) -> None:
    """A worker that SIGKILL ended while the control group counted one more such end has lacked memory."""
    kills = iter(range(1000)) if counted else iter([0] * 1000)
    monkeypatch.setattr(machine, "out_of_memory_kills", lambda: next(kills))
    monkeypatch.setattr(launching, "_kills", type(launching._kills)())  # noqa: SLF001
    flow = fc.Flow()
    flow.add(killed_once, str(tmp_path / "marker"), name="cell")
    run = flow.start(store=store, progress=False, workers=1)
    run.wait()
    tries = run._session.books.tries[0, 0]  # noqa: SLF001

    assert "done" == run.status
    assert (int(not counted), int(counted)) == (tries.crashed, tries.lacked)


# ---- devices ---------------------------------------------------------------------------


def devices_seen(x: int) -> str:
    """Tell which devices this process sees."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "all")


def test_each_cell_sees_its_own_devices(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One device a cell, never the same for two at once; two; and none of it for cells that ask for none."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with fc.Flow() as flow:
        one = fc.compute(gpus=1)(devices_seen)(fc.each(x=range(6)))
        both = fc.compute(gpus=2)(devices_seen)(
            7,
        )
        none = fc.compute(devices_seen)(8)
    with FakeDevices("a", "b"):
        run = flow.run(store=store, workers=2, progress=False)

    assert {"a", "b"} >= set(run[one].values())
    assert ("a,b", "all") == (run[both], run[none])


def test_devices_are_counted(store: Path, told: Callable[[], list[str]]) -> None:
    """With two devices, two cells run at once."""
    with fc.Flow() as flow:
        fc.compute(gpus=1)(double)(fc.each(x=range(4)))
    with FakeDevices("a", "b"), scripted(flow, store) as (_, script):
        script.wait(2)

        assert 2 == len(held(script))
    assert ["double waits for devices: a cell takes 1; 2 of 2 are taken"] == told()


@pytest.mark.contract("E2")
def test_more_devices_than_there_are_is_refused(store: Path) -> None:
    """Before anything runs, and by name."""
    with fc.Flow() as flow:
        flow.add(double, 1)
        fc.compute(gpus=3)(double)(2)
    with FakeDevices("a", "b"), pytest.raises(fc.BadOption, match=r"3 for a cell of double_2.*2 devices") as caught:
        flow.run(store=store, progress=False)

    assert "test_gate.py:" in caught.value.at
    assert not (store / "v1").exists()


def test_what_this_machine_has_does_not_bound_cells_elsewhere(store: Path, told: Callable[[], list[str]]) -> None:
    """Devices, memory and cores that a cluster's cells ask for are there, or not; a machine without them may drive."""
    quay = Quay()
    make = elsewhere(lambda **given: quay.make(**given))
    with fc.Flow() as flow:
        large = fc.compute(gpus=3, memory="900 GiB", cores=64)(double)(fc.each(x=range(8)))
    with FakeDevices("a"):
        run = flow.run(executor=make, store=store, workers=2, progress=False)

    assert {x: 2 * x for x in range(8)} == dict(run[large])
    assert [] == told()


# ---- where io runs, and in which order -------------------------------------------------


def thread_name(x: int) -> str:
    """Tell which thread this is."""
    return current_thread().name


def test_io_goes_to_the_executors_workers_if_told_so(store: Path) -> None:
    """`place="worker"` sends it there; without it, and without an executor, it stays on the driver."""

    def names(**options: Any) -> list[str]:
        with fc.Flow() as flow:
            here = fc.io(thread_name)(1)
            there = fc.io(place="worker")(thread_name)(2)
        run = flow.run(store=store, progress=False, **options)
        return [run[here].rstrip("_0123456789"), run[there].rstrip("_0123456789")]

    with ThreadPoolExecutor(1, thread_name_prefix="theirs") as pool:
        assert ["flowcore-io", "theirs"] == names(executor=pool)
    assert ["flowcore-io", "flowcore-io"] == names()


def test_a_long_chain_begins_before_many_short_cells(store: Path) -> None:
    """Though it was drawn last; in between, what was begun is finished."""
    with fc.Flow() as flow:
        flow.add(double, fc.each(x=range(3)), name="short")
        end: Any = 100
        for step in range(6):
            end = flow.add(double, end, name=f"step{step}")

    assert [f"step{step}" for step in range(6)] + ["short"] * 3 == one_by_one(flow, store, 9)


def test_learned_seconds_decide_which_way_is_longest(store: Path) -> None:
    """One slow cell begins before a chain of quick ones, in the run after the one that measured them."""
    earlier = open_store(store).begin()
    earlier.durations.learn(f"{__name__}.double", 1, 0.001)
    earlier.durations.learn("builtins.abs", 1, 60.0)
    earlier.release()
    with fc.Flow() as flow:
        flow.add(double, flow.add(double, flow.add(double, 1)))
        flow.add(abs, -1, name="slow")

    assert "slow" == one_by_one(flow, store, 4)[0]


def test_downloads_do_not_run_far_ahead_of_those_who_use_them(store: Path) -> None:
    """While cells that could use what was fetched wait, what is fetched and not used is bounded by bytes."""
    fetched: list[int] = []
    ahead: list[int] = []

    @fc.io
    def fetch(x: int) -> bytes:
        fetched.append(x)
        return x.to_bytes(4, "big") * (MIB // 4)

    @fc.compute(runner="inline", cache=False)
    def use(data: bytes) -> int:
        ahead.append(len(fetched) - len(ahead))
        return len(data)

    with fc.Flow() as flow:
        use(fetch(fc.each(x=range(300))))
    run = flow.run(store=store, memory="80 MiB", workers=2, progress=False)

    assert (300, 300, "done") == (len(fetched), len(ahead), run.status)
    assert max(ahead[UNKNOWN + 10 :]) <= 2 * 10  # once it is known what one weighs, an eighth of the memory


def test_a_gather_over_many_downloads_is_not_held_up(store: Path) -> None:
    """It needs them all, whatever they weigh."""

    @fc.io
    def fetch(x: int) -> bytes:
        return bytes(MIB)

    @fc.compute(runner="inline", cache=False)
    def total(data: list[bytes]) -> int:
        return sum(map(len, data))

    with fc.Flow() as flow:
        result = total(fc.gather(fetch(fc.each(x=range(100)))))
    run = flow.run(store=store, memory="8 MiB", progress=False)

    assert 100 * MIB == run[result]
