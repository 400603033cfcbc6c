"""Claims about what surrounds a run: locks, scripts, streams and observers of the user's cost it nothing."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.errors import FlowcoreWarning
from flowcore.events import Cells, Event, RunStopping
from flowcore.run.pool import shutdown
from flowcore.run.told import telling
from flowcore.testing.cells import plus
from tests.faults import driver, inside

DEADLINE = 60.0  # seconds; only turns a hang into a failure


def _holding_a_lock() -> dict[str, object]:
    return {"a": [1, {"lock": threading.Lock()}]}


def _of_a_local_class() -> object:
    class Local:
        def __init__(self) -> None:
            self.file = sys.stderr

    return Local()


def _closure() -> Callable[[], int]:
    numbers = (i for i in range(3))
    return lambda: next(numbers)


@pytest.mark.filterwarnings("ignore::flowcore.NotKeyable")
@pytest.mark.contract("F9", "E7", "P4")
@pytest.mark.parametrize("make", [_holding_a_lock, _of_a_local_class, _closure])
def test_what_cannot_travel_is_refused_before_anything_runs(
    make: Callable[[], object], tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No cell of its node begins, and a node beside it does not notice."""
    monkeypatch.setenv(inside.TALLY, str(tmp_path / "tally"))
    flow = fc.Flow("travel")
    flow.add(_executed, make(), name="stuck")
    beside = flow.add(plus, 1, name="beside")
    run = flow.start(store=store, workers=1, on_error="continue", progress=False)
    with pytest.raises(fc.RunFailed):
        run.wait(DEADLINE)

    assert [("stuck", "NotPicklable")] == [(f.node, type(f.error).__name__) for f in run.failures]
    assert [] == driver.tally(tmp_path)
    assert 2 == run[beside]


def _executed(value: object) -> int:
    inside.executed("stuck", str(type(value)))
    return 1


def _logs(number: int) -> int:
    logging.getLogger("cell").warning("cell %d", number)
    return number


@pytest.mark.contract("F14")
def test_locks_that_threads_hold_while_workers_start_are_free_in_them(store: Path) -> None:
    """Ten workers log while a thread of ours has the lock of logging: nothing was forked from us."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with logging._lock:  # type: ignore[attr-defined]
            held.set()
            done.wait(DEADLINE)

    shutdown()
    thread = threading.Thread(target=hold)
    flow = fc.Flow("locks")
    grid = flow.add(_logs, fc.each(number=range(10)))
    thread.start()
    held.wait(DEADLINE)
    run = flow.start(grid, store=store, workers=10, progress=False)
    ended = run._session.wait(DEADLINE)
    done.set()
    thread.join()
    shutdown()

    assert ended
    assert {number: number for number in range(10)} == dict(run[grid])


def script(way: str, folder: Path, *, sabotage: str = "", **streams: Any) -> subprocess.CompletedProcess[str]:
    """Run a script without a guard to its end."""
    variables = {"PYTHONPATH": str(driver.ROOT), inside.SABOTAGE: sabotage, inside.TALLY: str(folder / "tally")}
    variables["PYTHONUNBUFFERED"] = ""  # streams as users have them, with buffers and their locks
    line = [sys.executable, str(driver.SCRIPTS / "unguarded.py"), way, str(folder / "store")]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} | streams
    return subprocess.run(
        line, cwd=folder, env={**os.environ, **variables}, text=True, check=False, timeout=DEADLINE, **streams
    )  # fmt: skip


def check_script(folder: Path, *, sabotage: str = "") -> None:
    """Run it with plain streams, and look at what it says, and how often it ran."""
    ended = script("plain", folder, sabotage=sabotage)

    assert 0 == ended.returncode, ended.stdout
    assert ["script "] == driver.tally(folder)
    assert ["the script runs", *["a cell runs"] * 3, "the script ends"] == ended.stdout.splitlines()


@pytest.mark.contract("F15")
def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    """Its lines are run once, in one process, and its functions run in others."""
    check_script(tmp_path)


@pytest.mark.contract("F36")
def test_closed_and_full_streams_hold_up_no_run(tmp_path: Path) -> None:
    """Standard output that was closed; a standard error that nobody reads, full from the start, with progress on it."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(write, bytes(4096))
    os.set_blocking(write, True)
    for folder in (tmp_path / "closed", tmp_path / "full"):
        folder.mkdir()

    closed = script("closed", tmp_path / "closed")
    full = script("full", tmp_path / "full", stderr=write)
    os.close(read)
    os.close(write)

    assert (0, 0) == (closed.returncode, full.returncode), (closed.stdout, full.stdout)


class Mute(Exception):
    """Cannot even say what it is."""

    def __str__(self) -> str:
        raise KeyError("in __str__")


class Bad:
    """An observer that raises, or never returns."""

    def __init__(self, free: threading.Event | None, kind: type[BaseException] = ZeroDivisionError) -> None:
        self._free = free
        self._kind = kind

    def on_event(self, event: Event) -> None:
        """Do so at the first event."""
        if self._free is None:
            raise self._kind(type(event).__name__)
        self._free.wait(DEADLINE)


class Good:
    """An observer that hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_event(self, event: Event) -> None:
        """Take note of it."""
        assert isinstance(event, RunStopping)
        self.heard.append(event.run)


@pytest.fixture
def free() -> Iterator[threading.Event]:
    """Give what lets a blocked observer go, in the end."""
    event = threading.Event()
    yield event
    event.set()


def check_observer(observer: Bad, store: Path) -> None:
    """Run a flow of which a bad observer is told."""
    flow = fc.Flow("observed")
    grid = flow.add(plus, fc.each(a=range(100)), kind="io")
    run = flow.start(store=store, progress=observer)
    ended = run._session.wait(DEADLINE / 2)

    assert ended
    assert ("done", 100) == (run.status, len(run[grid]))


@pytest.mark.contract("F36")
def test_an_observer_that_raises_is_told_once_and_left_out(store: Path) -> None:
    """The run goes on as if it were not there."""
    with pytest.warns(FlowcoreWarning, match="ZeroDivisionError: RunStarted; it is left out"):
        check_observer(Bad(None), store)


@pytest.mark.contract("F36")
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, Mute])
def test_an_observer_that_raises_makes_nobody_else_deaf(kind: type[BaseException]) -> None:
    """Whatever it raises, also what ends threads: it is told once, and the one behind it hears all."""
    good = Good()
    with pytest.warns(FlowcoreWarning, match=f"Bad raised .*{kind.__name__}: .*; it is left out") as told:
        _tell([Bad(None, kind), good], "a", "b")

    assert (1, ["a", "b"]) == (len(told), good.heard)


def _tell(observers: list[Bad | Good], *runs: str) -> None:
    teller = telling.Teller(observers)
    for run in runs:
        teller.tell(RunStopping(run=run))
    teller.close()


class Blocked:
    """An observer that hears nothing more until it is let go."""

    def __init__(self) -> None:
        self.met, self.free = threading.Event(), threading.Event()
        self.heard: list[Event] = []

    def on_event(self, event: Event) -> None:
        """Wait, and then take note of it."""
        self.met.set()
        self.free.wait(DEADLINE)
        self.heard.append(event)


@pytest.mark.contract("F36")
def test_counts_are_dropped_for_who_is_behind_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue has a bound, and later counts make up for earlier ones; what happens once is always told."""
    check_overflow(monkeypatch)


def check_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell more than an observer hears, and look at what it has heard in the end."""
    monkeypatch.setattr(telling, "_MOST", 3)
    observer = Blocked()
    teller = telling.Teller([observer])
    teller.tell(RunStopping(run="first"))
    observer.met.wait(DEADLINE)
    for number in range(9):
        teller.tell(Cells(node=0, done=number))
    for name in ("second", "third"):
        teller.tell(RunStopping(run=name))
    observer.free.set()
    teller.close()

    assert ["first", "second", "third"] == [event.run for event in observer.heard if isinstance(event, RunStopping)]
    assert [0, 1, 2] == [event.done for event in observer.heard if isinstance(event, Cells)]


def all_is_dropped(put: Any) -> None:
    """Tell nothing, whatever it is, to an observer who is behind (F36)."""
    real = telling.Teller.tell

    def tell(self: telling.Teller, event: Event) -> None:
        if len(self._events) < telling._MOST:
            real(self, event)

    put(telling.Teller, "tell", tell)


@pytest.mark.contract("H7", "F36")
def test_what_happens_once_and_is_dropped_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """An end that nobody hears of fails the test of what is dropped."""
    all_is_dropped(monkeypatch.setattr)
    with pytest.raises(AssertionError):
        check_overflow(monkeypatch)


@pytest.mark.contract("F36", "P5")
def test_an_observer_that_blocks_holds_up_no_run(
    store: Path, free: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the end of one: what it has not heard is dropped."""
    monkeypatch.setattr(telling, "_PATIENCE", 0.01)
    check_observer(Bad(free), store)
