"""Claims about the end of an fc.Executor: shut down, dropped, forked, left to the interpreter's exit, or killed."""

from __future__ import annotations

import gc
import os
import select
import signal
import subprocess
import sys
import threading
import time
from concurrent import futures
from pathlib import Path

import pytest

import flowcore as fc
from tests.executor import called
from tests.executor.called import Door, through, times

DEADLINE = 60.0


def ends(pidfd: int) -> bool:
    """Wait until a process has ended; False at the deadline."""
    ready = select.select([pidfd], [], [], DEADLINE)[0]
    os.close(pidfd)
    return bool(ready)


def run_script(folder: Path, source: str, *arguments: str) -> tuple[int, list[str], str]:
    """Run a script to its end; give exit code, lines, and what it complained of."""
    (folder / "script.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "script.py", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_leaving_the_block_waits_for_all(tmp_path: Path) -> None:
    """Then no process is left, and no file."""
    with fc.Executor(1) as executor:
        pidfd = os.pidfd_open(executor.submit(called.pid).result(DEADLINE))
        spool = executor._office._spool
        assert spool is not None
        made = [executor.submit((tmp_path / str(i)).touch) for i in range(10)]

    assert all(future.done() for future in made)
    assert 10 == len(list(tmp_path.iterdir()))
    assert ends(pidfd)
    assert not os.path.exists(spool.path)


def test_after_its_end_it_takes_no_calls() -> None:
    """Used or not, and shutting down twice is harmless."""
    used, unused = fc.Executor(1), fc.Executor(1)
    used.submit(times, 1).result(DEADLINE)
    for executor in (used, unused):
        executor.shutdown()
        executor.shutdown(wait=False)

        with pytest.raises(RuntimeError, match="after shutdown"):
            executor.submit(times, 1)
        with pytest.raises(RuntimeError, match="after shutdown"):
            executor.map(times, [1])


def test_what_is_pending_is_carried_out_after_the_end(door: Door) -> None:
    """Unless it is to be cancelled."""
    executor = fc.Executor(1)
    held, waiting = executor.submit(through, door, 1), executor.submit(times, 1)
    door.await_arrival()
    executor.shutdown(wait=False)
    door.open()

    assert [1, 2] == [held.result(DEADLINE), waiting.result(DEADLINE)]


def test_what_nobody_has_begun_can_be_cancelled_at_the_end(door: Door) -> None:
    """Who waits for it learns of that; what runs goes on to its end."""
    executor = fc.Executor(1)
    held = executor.submit(through, door, 1)
    door.await_arrival()
    waiting = [executor.submit(times, i) for i in range(50)]
    executor.shutdown(wait=False, cancel_futures=True)
    done = futures.wait(waiting, DEADLINE).done
    door.open()
    executor.shutdown()

    assert set(waiting) == done
    assert all(future.cancelled() for future in waiting)
    assert 1 == held.result(0)


def test_it_can_be_shut_down_from_a_callback() -> None:
    """On the thread that would have to end for the waiting to end."""
    executor = fc.Executor(1)
    over = threading.Event()
    executor.submit(times, 1).add_done_callback(lambda _: (executor.shutdown(), over.set()))

    assert over.wait(DEADLINE)
    executor.shutdown()


def test_one_that_is_dropped_finishes_what_it_has(door: Door) -> None:
    """And ends then, without anybody asking for it."""
    executor = fc.Executor(1)
    pidfd = os.pidfd_open(executor.submit(called.pid).result(DEADLINE))
    held, waiting = executor.submit(through, door, 1), executor.submit(times, 1)
    door.await_arrival()
    del executor
    gc.collect()
    door.open()

    assert [1, 2] == [held.result(DEADLINE), waiting.result(DEADLINE)]
    assert ends(pidfd)


def test_workers_are_an_executors_own(store: Path) -> None:
    """Neither a run's are used, nor left for a run; another executor starts others."""
    flow = fc.Flow("before")
    node = flow.add(fc.compute(cache=False)(called.pid))
    pids = [flow.run(store=store, workers=1, progress=False)[node]]
    for _ in range(2):
        with fc.Executor(1) as executor:
            pids.append(executor.submit(called.pid).result(DEADLINE))
    pids.append(flow.run(store=store, workers=1, progress=False)[node])

    assert 4 == len(set(pids))


def test_an_initializer_prepares_each_worker() -> None:
    """With its arguments; what it changes about the process stays."""
    with fc.Executor(2, initializer=called.prepare, initargs=(1, "two")) as executor:
        found = [executor.submit(called.prepared).result(DEADLINE) for _ in range(20)]

    assert [([1, "two"], "2")] * 20 == found


def test_an_initializer_is_looked_at_at_once() -> None:
    """Something that cannot be called, and arguments that cannot travel, are refused before any call."""
    with pytest.raises(TypeError, match="initializer must be callable"):
        fc.Executor(1, initializer=1)  # type: ignore[arg-type]
    with pytest.raises(fc.NotPicklable, match=r"The initializer.*initializer\[1\]\[0\]"):
        fc.Executor(1, initializer=called.prepare, initargs=(threading.Lock(),))


_WORKS_ON = """
import sys
import flowcore as fc

def write(x):
    with open(str(x), "w") as file:
        file.write(__name__)

executor = fc.Executor(1)
for x in range(20):
    executor.submit(write, x)
print("at the end", flush=True)
{ending}
"""


@pytest.mark.parametrize(("ending", "code"), [("", 0), ("sys.exit(3)", 3), ("raise OSError", 1)])
def test_an_interpreter_ends_when_all_is_done(tmp_path: Path, ending: str, code: int) -> None:
    """Without a shutdown and without a main guard, however it comes to its end."""
    found, lines, complaints = run_script(tmp_path, _WORKS_ON.format(ending=ending))

    assert (code, ["at the end"]) == (found, lines), complaints
    assert {str(x) for x in range(20)} == {path.name for path in tmp_path.iterdir()} - {"script.py"}


_WAITS = """
import os, sys, time
import flowcore as fc

def first(path):
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(600)

def later():
    open("later", "w").close()

{before}
executor.submit(first, "pipe")
executor.submit(later)
{after}
"""
_PLACES = {
    "in the block": ("with fc.Executor(1) as executor:", "    time.sleep(600)"),
    "at its end": ("with fc.Executor(1) as executor:", "    pass"),
    "without a block": ("executor = fc.Executor(1)", "time.sleep(600)"),
    "at the exit": ("executor = fc.Executor(1)", ""),
}


@pytest.mark.contract("F3")
@pytest.mark.parametrize(
    ("place", "kind"),
    [*((place, signal.SIGINT) for place in _PLACES), ("at the exit", signal.SIGKILL)],
    ids=[*_PLACES, "killed"],
)
def test_an_interrupted_script_leaves_nothing(tmp_path: Path, place: str, kind: int) -> None:
    """Wherever it is: what runs is ended with it, and what waits is never begun."""
    before, after = _PLACES[place]
    source = _WAITS.format(before=before, after=after)
    if before.startswith("with"):
        source = source.replace("\nexecutor.submit", "\n    executor.submit")
    (tmp_path / "script.py").write_text(source)
    os.mkfifo(tmp_path / "pipe")
    script = subprocess.Popen([sys.executable, "script.py"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    pidfd = os.pidfd_open(int((tmp_path / "pipe").read_text()))
    if place in ("at its end", "at the exit"):
        until_it_waits(script.pid)
    script.send_signal(kind)
    complaints = script.communicate(timeout=DEADLINE)[1]

    assert ends(pidfd), complaints
    assert script.returncode or place == "at the exit", complaints
    assert not (tmp_path / "later").exists()


def until_it_waits(pid: int) -> None:
    """Wait until a process's main thread sleeps in a lock, as one does that waits for a thread."""
    due = time.monotonic() + DEADLINE
    while "futex" not in Path(f"/proc/{pid}/task/{pid}/wchan").read_text() and time.monotonic() < due:
        os.sched_yield()


_FORKS = """
import os, sys
import flowcore as fc

def hold(path):
    with open(path) as pipe:
        return pipe.read()

def forked(act):
    pid = os.fork()
    if pid == 0:
        try:
            act()
        except RuntimeError as error:
            print(type(error).__name__, "forked copy" in str(error), flush=True)
        sys.exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

os.mkfifo("pipe")
executor = fc.Executor(1)
future, waiting = executor.submit(hold, "pipe"), executor.submit(pow, 2, 3)

def drop():
    global executor, future, waiting
    del executor, future, waiting

codes = [
    forked(lambda: future.result()), forked(lambda: executor.submit(pow, 2, 2)),
    forked(lambda: list(fc.Executor(1).map(print, ["its own"]))), forked(executor.shutdown), forked(drop),
]
with open("pipe", "w") as pipe:
    pipe.write("held")
print(codes, future.result(), waiting.result(), flush=True)
"""


@pytest.mark.contract("F14")
def test_a_forked_copy_disturbs_nobody(tmp_path: Path) -> None:
    """It waits for nothing, may have executors of its own, and ends; its parent's goes on."""
    code, lines, complaints = run_script(tmp_path, _FORKS)

    assert (0, "") == (code, complaints)
    assert ["ExecutorBroken True", "ExecutorBroken True", "its own", "[3, 3, 3, 3, 3] held 8"] == lines
