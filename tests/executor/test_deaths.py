"""Claims about fc.Executor: whatever goes wrong with one call costs that call, and nothing hangs."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.run.offered.custody import Custody
from flowcore.store.fs import DISK
from flowcore.store.spool import Spool
from tests.executor import called
from tests.executor.called import At, Door, die, through, times

DEADLINE = 30.0  # seconds; only turns a hang into a failure


@pytest.mark.contract("F1")
@pytest.mark.parametrize(
    ("function", "arguments", "cause"),
    [
        (die, (), "SIGKILL"),
        (os.abort, (), "SIGABRT"),
        (ctypes.string_at, (0,), "SIGSEGV"),
        (os._exit, (0,), "exit code 0"),
        (os._exit, (3,), "exit code 3"),
    ],
    ids=["killed", "aborted", "crashed", "left", "left with a code"],
)
def test_a_call_whose_process_ends_fails_alone(
    executor: fc.Executor, function: Any, arguments: tuple[Any, ...], cause: str
) -> None:
    """Its error says how the process ended; the executor goes on."""
    error = executor.submit(function, *arguments).exception(DEADLINE)

    assert isinstance(error, fc.WorkerDied)
    assert cause in error.cause
    assert 4 == executor.submit(times, 2).result(DEADLINE)


def test_the_error_tells_where_it_crashed_and_what_was_said(executor: fc.Executor) -> None:
    """The Python stack of the thread that crashed, and the last lines of stderr."""

    def last_words() -> None:
        called.say("farewell")
        ctypes.string_at(0)

    error = executor.submit(last_words).exception(DEADLINE)

    assert isinstance(error, fc.WorkerDied)
    assert "in last_words" in error.stack
    assert "threading.py" not in error.stack
    assert "farewell" in error.stderr


@pytest.mark.contract("F1", "W6")
def test_calls_in_the_same_message_are_not_taken_along(executor: fc.Executor) -> None:
    """Of three hundred quick ones, the three that end their process fail, and no other."""
    list(executor.map(called.die_at, range(300), [-1] * 300))  # from now on they are known to be quick
    made = [executor.submit(called.die_at, x, 99 if x < 100 else 150 if x < 200 else 299) for x in range(300)]
    ended = [future.exception(DEADLINE) or future.result() for future in made]

    assert [99, 150, 299] == [x for x, value in enumerate(ended) if isinstance(value, fc.WorkerDied)]
    assert [x for x in range(300) if x not in (99, 150, 299)] == [x for x in ended if isinstance(x, int)]


@pytest.mark.parametrize(
    ("act", "kind"), [(called.fail, ZeroDivisionError), (called.leave, SystemExit), (called.end, fc.WorkerDied)]
)
def test_an_argument_that_cannot_be_read_costs_its_call(executor: fc.Executor, act: Any, kind: type) -> None:
    """Whether reading it raises, or ends the process."""
    error = executor.submit(times, At("read", act)).exception(DEADLINE)

    assert isinstance(error, kind)
    assert 4 == executor.submit(times, 2).result(DEADLINE)


@pytest.mark.parametrize(
    ("act", "kind"), [(called.fail, ZeroDivisionError), (called.leave, SystemExit), (called.end, fc.WorkerDied)]
)
def test_a_result_that_cannot_be_pickled_costs_its_call(executor: fc.Executor, act: Any, kind: type) -> None:
    """Likewise."""
    error = executor.submit(called.at, "pickled", act).exception(DEADLINE)

    assert isinstance(error, kind)
    assert 4 == executor.submit(times, 2).result(DEADLINE)


@pytest.mark.parametrize(("act", "kind"), [(called.fail, ZeroDivisionError), (called.leave, SystemExit)])
def test_a_result_that_cannot_be_read_costs_its_call(executor: fc.Executor, act: Any, kind: type) -> None:
    """It is read in this process, by a thread that must not end."""
    error = executor.submit(called.at, "read", act).exception(DEADLINE)

    assert isinstance(error, kind)
    assert 4 == executor.submit(times, 2).result(DEADLINE)


def test_an_argument_that_cannot_be_pickled_is_named(executor: fc.Executor) -> None:
    """By its path; the future has the error, and no call was made."""
    error = executor.submit(times, {"lock": threading.Lock()}).exception()

    assert isinstance(error, fc.NotPicklable)
    assert "A call of tests.executor.called.times cannot reach another process" in str(error)
    assert "['lock']" in error.path


def test_a_function_that_cannot_be_pickled_is_told_by_each_future(executor: fc.Executor) -> None:
    """Those of `map`, too."""
    locked = partial(times, factor=threading.Lock())
    results = executor.map(locked, [1, 2])

    assert isinstance(executor.submit(locked, 1).exception(), fc.NotPicklable)
    with pytest.raises(fc.NotPicklable):
        next(results)


def test_a_result_that_cannot_travel_is_named(executor: fc.Executor) -> None:
    """By its path."""
    error = executor.submit(lambda: [1, threading.Lock()]).exception(DEADLINE)

    assert isinstance(error, fc.NotPicklable)
    assert "result[1]" in error.path


@pytest.mark.parametrize(
    "error",
    [
        fc.CallFailed(call="f", kind="x.E", text="no", traceback="here\n"),
        fc.ExecutorBroken(reason="it was interrupted from the keyboard."),
    ],
    ids=["CallFailed", "ExecutorBroken"],
)
def test_errors_survive_pickling(error: fc.FlowcoreError) -> None:
    """As all of flowcore's do."""
    assert str(error) == str(pickle.loads(pickle.dumps(error)))  # noqa: S301 - made a moment ago
    assert isinstance(fc.ExecutorBroken(reason="x"), futures.BrokenExecutor)


def test_a_call_that_waits_for_one_behind_it_gets_it(tmp_path: Path) -> None:
    """Quick calls share a message; where one turns out to be slow, those behind it go to another worker.

    Two calls are made while both workers are held, and go out in one message to the first that
    is free: they are known to be so quick that a second message would cost more than they do.
    The first waits at a pipe for the second.
    """
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    doors = [Door(tmp_path, str(i)) for i in range(2)]
    with quick_executor() as executor:
        held = [executor.submit(through, one) for one in doors]
        for one in doors:
            one.await_arrival()
        waiting = [executor.submit(called.either, pipe, opens=opens) for opens in (False, True)]
        for one in doors:
            one.open()
        ended = [future.result(DEADLINE) for future in (*held, *waiting)]

    assert [None, None, False, True] == ended


def test_no_call_is_put_behind_one_that_it_may_have_to_help(tmp_path: Path) -> None:
    """While all workers are busy it waits for the first that is free, though all seem to be quick."""
    pipe, other = str(tmp_path / "pipe"), str(tmp_path / "other")
    os.mkfifo(pipe)
    os.mkfifo(other)
    with quick_executor() as executor:
        held = []
        for path in (pipe, other):
            held.append(executor.submit(called.either, path, opens=False))
            while not held[-1].running():
                os.sched_yield()
        waiting = executor.submit(called.either, pipe, opens=True)
        called.either(other, opens=True)
        ended = [future.result(DEADLINE) for future in (*held, waiting)]

    assert [False, False, True] == ended


@contextmanager
def quick_executor() -> Iterator[fc.Executor]:
    """Give an executor that has learned that calls of `either` are quick; what then waits for ever is ended."""
    executor = fc.Executor(2)
    try:
        for _ in range(20):
            futures.wait([executor.submit(called.either, "", opens=False) for _ in range(20)])
        yield executor
    finally:
        executor.kill_workers()


@pytest.mark.contract("F19")
def test_what_no_file_has_room_for_goes_by_message() -> None:
    """Arguments and results, where nothing can be written."""
    nowhere = Spool("", fallback="", disk=DISK)
    with fc.Executor(1) as executor:
        executor._office._spool, executor._office._custody = nowhere, Custody(nowhere)

        assert b"xx" * 100_000 == executor.submit(times, b"xx" * 50_000).result(DEADLINE)


@pytest.mark.contract("F35")
@pytest.mark.parametrize("initializer", [called.fail, called.end], ids=["raises", "ends"])
def test_an_executor_without_workers_is_broken(initializer: Any) -> None:
    """It tries a few times; then calls fail, made ones and new ones, and say why."""
    executor = fc.Executor(1, initializer=initializer)
    made = [executor.submit(times, 1) for _ in range(3)]
    errors = [future.exception(DEADLINE) for future in made]
    executor.shutdown()

    assert [fc.ExecutorBroken] * 3 == [type(error) for error in errors]
    assert ("on the way" if initializer is called.fail else "exit code 5") in str(errors[0])
    with pytest.raises(fc.ExecutorBroken):
        executor.submit(times, 1)


def test_killing_workers_ends_all_calls(door: Door) -> None:
    """Those under way and those that wait; no more can be made."""
    executor = fc.Executor(1)
    held, waiting = executor.submit(through, door), executor.submit(times, 1)
    door.await_arrival()
    executor.kill_workers()

    assert [fc.ExecutorBroken] * 2 == [type(future.exception(0)) for future in (held, waiting)]
    with pytest.raises(fc.ExecutorBroken, match="kill_workers"):
        executor.submit(times, 1)


def test_an_idle_worker_that_dies_is_replaced(executor: fc.Executor) -> None:
    """Nobody is told."""
    for _ in range(3):
        os.kill(executor.submit(called.pid).result(DEADLINE), signal.SIGKILL)

    assert list(range(0, 40, 2)) == list(executor.map(times, range(20)))
