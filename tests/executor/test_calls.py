"""Claims about fc.Executor: it is a concurrent.futures.Executor, for all that can be asked of one that lives."""

from __future__ import annotations

import gc
import os
import threading
import traceback
import weakref
from collections.abc import Iterator
from concurrent import futures
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.testing.cells import plus
from tests.executor import called
from tests.executor.called import Door, through, times

DEADLINE = 60.0  # seconds; only turns a hang into a failure


def test_a_call_gives_what_the_function_gives(executor: fc.Executor) -> None:
    """With arguments by position and by name."""
    future = executor.submit(times, 21, factor=3)

    assert 63 == future.result(DEADLINE)
    assert (True, False, False, None) == (future.done(), future.running(), future.cancelled(), future.exception())


def test_parameters_may_have_any_name(executor: fc.Executor) -> None:
    """Those of `submit` and of methods among them."""
    named = {"fn": 1, "self": 2, "function": 3}

    assert named == executor.submit(dict, **named).result(DEADLINE)


@pytest.mark.parametrize(
    ("function", "arguments", "value"),
    [
        (lambda x: x + 1, (1,), 2),
        (partial(times, factor=5), (2,), 10),
        ("abc".upper, (), "ABC"),
        (fc.compute(plus), (1,), 2),
        (dict.fromkeys, ("a",), {"a": None}),
    ],
    ids=["lambda", "partial", "method", "task", "classmethod"],
)
def test_whatever_can_be_called_can_be_sent(
    executor: fc.Executor, function: Any, arguments: tuple[Any, ...], value: object
) -> None:
    """Functions without a path go by value, and a task counts as its function."""
    assert value == executor.submit(function, *arguments).result(DEADLINE)


def test_what_a_function_by_value_closes_over_is_fresh_for_each_call(executor: fc.Executor) -> None:
    """As are arguments: no call sees what another one did to them."""
    seen: list[int] = []

    def note(x: int) -> int:
        seen.append(x)
        return len(seen)

    assert [1] * 20 == list(executor.map(note, range(20)))


def test_an_argument_is_what_it_was_at_the_call(executor: fc.Executor, tmp_path: Path) -> None:
    """What becomes of it while the call waits is nobody's business."""
    doors = [Door(tmp_path, str(i)) for i in range(2)]
    held = [executor.submit(through, one) for one in doors]
    numbers, array = [1, 2], np.ones(100_000)
    future = executor.submit(lambda a, b: (a, float(b.sum())), numbers, array)
    numbers.append(3)
    array[:] = 0.0
    for one in doors:
        one.open()

    assert ([1, 2], 100_000.0) == future.result(DEADLINE)
    assert [None, None] == [one.result(DEADLINE) for one in held]


def test_an_exception_comes_back_with_its_place(executor: fc.Executor) -> None:
    """It is of its class, and what is printed of it names the line over there."""
    error = executor.submit(called.complain, "no such word").exception(DEADLINE)

    assert isinstance(error, LookupError)
    assert ("no such word",) == error.args
    assert "called.py" in "".join(traceback.format_exception(error))
    assert "raise LookupError(text)" in "".join(traceback.format_exception(error))


def test_the_cause_of_an_exception_comes_along(executor: fc.Executor) -> None:
    """As an exception, too."""

    def chained() -> None:
        try:
            called.complain("first")
        except LookupError as first:
            raise OSError("second") from first

    error = executor.submit(chained).exception(DEADLINE)

    assert isinstance(error, OSError)
    assert isinstance(error.__cause__, LookupError)


def test_an_exception_that_cannot_travel_is_described(executor: fc.Executor) -> None:
    """With its class, its text and its place."""
    error = executor.submit(called.stubborn).exception(DEADLINE)

    assert isinstance(error, fc.CallFailed)
    assert "called.stubborn raised tests.executor.called.Stubborn: 1 and 2" in str(error)
    assert "raise Stubborn(1, 2)" in str(error)


@pytest.mark.parametrize(("function", "kind"), [(called.recurse, RecursionError), (called.leave, SystemExit)])
def test_whatever_is_raised_is_that_calls_alone(executor: fc.Executor, function: Any, kind: type) -> None:
    """What ends other programs ends a call here."""
    assert isinstance(executor.submit(function).exception(DEADLINE), kind)
    assert 4 == executor.submit(times, 2).result(DEADLINE)


def test_a_callback_learns_of_the_end(executor: fc.Executor, door: Door) -> None:
    """One that is added before, and one after."""
    future = executor.submit(through, door, 5)
    heard: list[int] = []
    ended = threading.Event()
    future.add_done_callback(lambda f: (heard.append(f.result()), ended.set()))
    door.open()
    ended.wait(DEADLINE)
    future.add_done_callback(lambda f: heard.append(f.result() + 1))

    assert [5, 6] == heard


def test_callbacks_that_raise_disturb_nobody(executor: fc.Executor) -> None:
    """Not even with what would end their thread."""
    first = executor.submit(times, 1)
    first.add_done_callback(lambda _: called.leave())
    first.add_done_callback(lambda _: called.fail())

    assert [2, 4] == [first.result(DEADLINE), executor.submit(times, 2).result(DEADLINE)]


def test_a_callback_may_make_a_call(executor: fc.Executor) -> None:
    """It is made as any other."""
    made: list[futures.Future[int]] = []
    there = threading.Event()
    executor.submit(times, 1).add_done_callback(
        lambda f: (made.append(executor.submit(times, f.result())), there.set())
    )
    there.wait(DEADLINE)

    assert 4 == made[0].result(DEADLINE)


def test_only_what_has_not_begun_can_be_cancelled(executor: fc.Executor, tmp_path: Path) -> None:
    """It never runs; what runs goes on."""
    doors = [Door(tmp_path, str(i)) for i in range(2)]
    held = [executor.submit(through, one, "through") for one in doors]
    for one in doors:
        one.await_arrival()
    waiting = executor.submit((tmp_path / "trace").touch)
    cancelled = [held[0].cancel(), waiting.cancel(), waiting.cancelled(), held[0].running()]
    for one in doors:
        one.open()

    assert [False, True, True, True] == cancelled
    assert ["through", "through"] == [one.result(DEADLINE) for one in held]
    assert 2 == executor.submit(times, 1).result(DEADLINE)
    assert not (tmp_path / "trace").exists()
    with pytest.raises(futures.CancelledError):
        waiting.result()


def test_waiting_for_a_result_may_end(executor: fc.Executor, door: Door) -> None:
    """The call goes on."""
    future = executor.submit(through, door, 1)
    with pytest.raises(futures.TimeoutError):
        future.result(timeout=0)
    door.open()

    assert 1 == future.result(DEADLINE)


@pytest.mark.parametrize(
    ("until", "error"), [(futures.FIRST_COMPLETED, False), (futures.FIRST_EXCEPTION, True)], ids=["value", "error"]
)
def test_wait_ends_with_the_first(executor: fc.Executor, door: Door, until: str, error: bool) -> None:
    """The first to end, or to fail."""
    held = executor.submit(through, door)
    quick = executor.submit(called.complain, "x") if error else executor.submit(times, 1)
    done, not_done = futures.wait([held, quick], timeout=DEADLINE, return_when=until)
    door.open()

    assert ({quick}, {held}) == (done, not_done)
    assert set() == futures.wait([held, quick], timeout=DEADLINE).not_done


def test_futures_come_as_they_end(executor: fc.Executor, door: Door) -> None:
    """Not as they were made."""
    held = executor.submit(through, door, "late")
    quick = executor.submit(times, 1)
    order = futures.as_completed([held, quick], timeout=DEADLINE)
    first = next(order)
    door.open()

    assert [2, "late"] == [first.result(), next(order).result()]


def test_any_thread_may_make_calls(executor: fc.Executor) -> None:
    """Several at once."""
    with futures.ThreadPoolExecutor(4) as threads:
        sums = list(threads.map(lambda k: sum(executor.map(times, range(200), [k] * 200)), range(8)))

    assert [19_900 * k for k in range(8)] == sums


def test_map_keeps_the_order(executor: fc.Executor) -> None:
    """Of a thousand calls, with as many arguments as there are iterables; the shortest tells how many."""
    assert [x * x for x in range(1000)] == list(executor.map(times, range(1000), range(2000)))
    assert [] == list(executor.map(times, []))


@pytest.mark.parametrize("size", [2, 7, 1000])
def test_map_may_go_by_chunks(executor: fc.Executor, size: int) -> None:
    """The results are the same."""
    assert list(range(0, 200, 2)) == list(executor.map(times, range(100), chunksize=size))


def test_map_raises_where_a_call_did(executor: fc.Executor) -> None:
    """What comes before it is given."""
    results = executor.map(lambda x: 6 // x, [3, 2, 0, 1])

    assert [2, 3] == [next(results), next(results)]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_map_raises_what_its_iterable_raises(executor: fc.Executor) -> None:
    """At once; there is no hang."""

    def broken() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        executor.map(times, broken())
    assert 2 == executor.submit(times, 1).result(DEADLINE)


def test_map_has_a_timeout(executor: fc.Executor, door: Door) -> None:
    """It counts from the call of `map`, not from when one waits."""
    results = executor.map(through, [door], timeout=0)
    door.await_arrival()
    with pytest.raises(TimeoutError):
        next(results)
    door.open()


@pytest.mark.parametrize("size", [1, 3])
def test_map_makes_as_many_calls_ahead_as_it_may(executor: fc.Executor, size: int) -> None:
    """So an endless iterable does."""
    read: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            read.append(len(read))
            yield read[-1]

    results = executor.map(times, endless(), chunksize=size, buffersize=4)
    before = len(read)
    first = [next(results) for _ in range(5)]
    results.close()  # type: ignore[attr-defined]

    assert [0, 2, 4, 6, 8] == first
    assert (4 * size, 4 * size + 5 if size == 1 else 6 * size) == (before, len(read))


@pytest.mark.parametrize("wrong", [{"chunksize": 0}, {"buffersize": 0}, {"buffersize": "2"}])
def test_map_refuses_what_it_cannot_do(executor: fc.Executor, wrong: dict[str, Any]) -> None:
    """Before it reads anything."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        executor.map(times, iter([1]), **wrong)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2"])
def test_there_is_at_least_one_worker(wrong: Any) -> None:
    """Anything else is no number of workers."""
    with pytest.raises(ValueError, match="max_workers"):
        fc.Executor(wrong)


@pytest.mark.parametrize("option", ["mp_context", "max_tasks_per_child", "thread_name_prefix"])
def test_what_other_executors_have_is_refused(option: str) -> None:
    """By its name."""
    with pytest.raises(TypeError, match=option):
        fc.Executor(1, **{option: None})  # type: ignore[arg-type]


def test_a_call_keeps_no_argument(executor: fc.Executor, door: Door) -> None:
    """Whoever made it may let go of it at once."""
    argument = called.At("", called.fail)
    ref = weakref.ref(argument)
    future = executor.submit(through, door, argument)
    del argument

    assert ref() is None
    door.open()
    future.result(DEADLINE)


def test_map_keeps_no_result(executor: fc.Executor) -> None:
    """Each is gone when its taker lets go of it, without a search for cycles."""
    gc.disable()
    try:
        refs = []
        for value in executor.map(called.at, ["", ""], [called.fail, called.fail]):
            refs.append(weakref.ref(value))
            del value
            assert refs[-1]() is None
    finally:
        gc.enable()


def test_exceptions_are_part_of_no_cycle(executor: fc.Executor) -> None:
    """One from a worker, and one of a call that could not be made."""
    gc.disable()
    try:
        made = [executor.submit(called.ours), executor.submit(times, called.At("pickled", called.ours))]
        refs = [weakref.ref(future.exception(DEADLINE)) for future in made]  # type: ignore[arg-type]
        futures.wait(made)
        executor.submit(times, 1).result(DEADLINE)
        del made
        left = [ref() for ref in refs]
    finally:
        gc.enable()

    assert [None, None] == left


@pytest.mark.contract("P4")
def test_a_call_finds_the_process_as_it_was(executor: fc.Executor, tmp_path: Path) -> None:
    """What others made of directory and environment is put back, also by those in the same message."""
    found = set(executor.map(called.leave_traces, [str(tmp_path)] * 500))

    assert {(os.getcwd(), None)} == found


def test_a_call_that_fails_is_made_once(executor: fc.Executor, tmp_path: Path) -> None:
    """Whatever it and those before it in the same message have made of the process."""
    list(executor.map(called.leave_traces, [str(tmp_path)] * 500))
    made = [executor.submit(called.leave_traces, str(tmp_path), raises=True) for _ in range(500)]
    errors = {type(future.exception(DEADLINE)) for future in made}

    assert ({LookupError}, 500) == (errors, (tmp_path / "lines").stat().st_size)


def test_what_a_call_prints_appears_here(executor: fc.Executor, capsys: pytest.CaptureFixture[str]) -> None:
    """On the stream that it was printed to."""
    executor.submit(called.say, "hello from afar").result(DEADLINE)

    assert ("hello from afar\n", "hello from afar\n") == capsys.readouterr()


def test_large_arrays_travel_by_files_that_go(executor: fc.Executor, tmp_path: Path) -> None:
    """Many calls with one array have one file; nothing is left of it, nor of results."""
    array = np.arange(1_000_000.0)
    spool = executor._office._spool
    assert spool is not None
    doors = [Door(tmp_path, str(i)) for i in range(2)]
    held = [executor.submit(through, one) for one in doors]
    for one in doors:
        one.await_arrival()
    waiting = [executor.submit(np.add, array, i) for i in range(10)]
    files = [os.path.getsize(f"{spool.path}/{name}") for name in os.listdir(spool.path) if name.endswith(".npy")]
    for one in doors:
        one.open()
    sums = [future.result(DEADLINE) for future in (*held, *waiting)][2:]
    left = [name for name in os.listdir(spool.path) if name.endswith(".npy")]

    assert ([8_000_128], []) == (files, left)
    assert all(np.array_equal(array + i, total) for i, total in enumerate(sums))


def test_arrays_can_be_written_into_on_both_sides(executor: fc.Executor) -> None:
    """Each side has its own."""
    array = np.ones(100_000)
    total = executor.submit(called.overwrite, array).result(DEADLINE)
    back = executor.submit(called.fill, 100_000).result(DEADLINE)
    back += 1.0

    assert (700_000.0, 100_000.0, 1.0) == (total, float(array.sum()), back[0])
