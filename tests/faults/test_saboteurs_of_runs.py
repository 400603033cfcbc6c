"""H7 on execution: under each patch the test that holds its row is red."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import flowcore as fc
from flowcore.run import session
from flowcore.run.pool import shutdown
from tests.faults import driver, saboteurs, test_bystanders, test_hang, test_idle, test_isolation, test_matrix
from tests.run import (
    test_attempts,
    test_engine,
    test_event_loop,
    test_launcher,
    test_pool,
    test_processes,
)
from tests.run.outcomes import test_landing

SOON = 3.0  # seconds: the sound engine takes far less, and the broken one for ever
BROKEN = (AssertionError, fc.FlowcoreError, OSError, LookupError, ZeroDivisionError)
order = test_matrix.order


@pytest.fixture
def sabotage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Give a function that breaks this process and its next workers; all is mended in the end."""
    monkeypatch.setattr(session, "_PATIENCE", 0.1)  # runs that do not end are dropped
    shutdown()

    def broken(name: str) -> None:
        saboteurs.apply(name, monkeypatch.setattr)

    before = set(threading.enumerate())
    yield broken
    monkeypatch.undo()
    shutdown()
    gc.collect()  # a run that nobody holds may be part of a cycle with what it raised
    driver.until(lambda: set(threading.enumerate()) <= before, "threads of broken runs end")


@contextmanager
def red(within: float = SOON) -> Iterator[None]:
    """Expect a failure, or no end: then the main thread, wherever it is, is told that this will not do."""

    def late(*_: object) -> None:
        raise AssertionError("no end")

    before = signal.signal(signal.SIGALRM, late)
    left = signal.setitimer(signal.ITIMER_REAL, within)
    try:
        with pytest.raises((*BROKEN, pytest.fail.Exception)):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *left)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.contract("H7", "F4")
def test_workers_that_share_a_queue_are_seen(order: Path, store: Path, sabotage: Callable[[str], None]) -> None:
    """A death that costs others fails the matrix."""
    sabotage("one_queue_for_all")
    with red(30.0):
        test_matrix.check_death(order, store, "mid-cell", "SIGKILL", 5)


@pytest.mark.contract("H7", "F5")
def test_a_death_that_is_not_watched_for_is_seen(tmp_path: Path, sabotage: Callable[[str], None]) -> None:
    """A worker that was started late, and whose end nobody waits for, fails the test of it."""
    sabotage("wait_set_built_once")
    with red():
        test_processes.test_death_is_seen_while_another_cell_blocks(tmp_path)


@pytest.mark.contract("H7", "F7")
def test_exit_code_0_taken_for_a_result_is_seen(
    tmp_path: Path, store: Path, sabotage: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that left with code 0 and counts as done fails the test of bystanders."""
    sabotage("zero_means_done")
    monkeypatch.setenv("FLOWCORE_FAULTS_TALLY", str(tmp_path / "tally"))
    with red(30.0):
        test_bystanders.test_a_dead_worker_costs_nobody_else("exit 0", 0.0, tmp_path, store)


@pytest.mark.contract("H7", "F9")
def test_what_is_pickled_elsewhere_is_seen(
    tmp_path: Path, store: Path, sabotage: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that begins without its argument fails the test of what cannot travel."""
    sabotage("pickled_elsewhere")
    with red(30.0):
        test_isolation.test_what_cannot_travel_is_refused_before_anything_runs(
            test_isolation._holding_a_lock, tmp_path, store, monkeypatch
        )


@pytest.mark.contract("H7", "F10")
def test_an_engine_that_blocks_on_a_pipe_is_seen(sabotage: Callable[[str], None]) -> None:
    """Worker and engine that both write, and neither of which reads, fail the test of large messages."""
    sabotage("blocking_pipe")
    with red():
        test_processes.test_a_worker_that_writes_while_it_is_written_to()


@pytest.mark.contract("H7", "F11")
def test_an_engine_that_unpickles_is_seen(
    tmp_path: Path, store: Path, sabotage: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that comes back as none ends the run, and fails the test of bad ones."""
    sabotage("unpickle_in_the_engine")
    monkeypatch.setenv("FLOWCORE_FAULTS_TALLY", str(tmp_path / "tally"))
    with pytest.raises((AssertionError, EOFError, ZeroDivisionError)):
        test_bystanders.test_a_bad_exception_is_one_cells_own("two arguments", "process", tmp_path, store)


@pytest.mark.contract("H7", "F12")
def test_asking_a_worker_to_end_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that is deaf to SIGTERM, and only asked, fails the test of hanging cells."""
    monkeypatch.setattr(driver, "DEADLINE", SOON)
    with pytest.raises(AssertionError):
        test_hang.check_hang("loop", tmp_path, sabotage="only_sigterm")


@pytest.mark.contract("H7", "F14")
def test_threads_in_the_launcher_are_seen(sabotage: Callable[[str], None]) -> None:
    """A launcher in which numpy was imported as it comes has threads at its forks, and fails the test of that."""
    sabotage("numpy_without_the_cap")
    launcher = test_launcher.LauncherProcess()
    try:
        test_launcher.hear(launcher)
        with red(30.0):
            test_launcher.test_launcher_has_one_thread_at_each_fork(launcher)
    finally:
        launcher.close()


@pytest.mark.contract("H7", "F35")
def test_a_failed_start_that_raises_is_seen(sabotage: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Taking less capacity for an error fails the test of less capacity."""
    sabotage("raise_at_a_failed_start")
    with red(30.0):
        test_pool.test_failed_starts_are_less_capacity_and_tried_again(monkeypatch)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.contract("H7", "F36")
@pytest.mark.parametrize("way", ["raises", "blocks"])
def test_observers_that_are_called_directly_are_seen(way: str, store: Path, sabotage: Callable[[str], None]) -> None:
    """One that raises ends the run, one that blocks holds it up: both fail their tests."""
    sabotage("direct_calls")
    free = threading.Event() if way == "blocks" else None
    with red():
        test_isolation.check_observer(test_isolation.Bad(free), store)
    if free is not None:
        free.set()


@pytest.mark.contract("H7", "F37")
def test_an_engine_that_dies_unheard_is_seen(store: Path, sabotage: Callable[[str], None]) -> None:
    """A fault that ends the engine's thread and nothing else leaves everybody waiting."""
    sabotage("swallow_in_the_thread")
    with red():
        test_engine.test_a_fault_in_an_executor_ends_the_run(store)


@pytest.mark.contract("H7", "F39")
def test_a_busy_loop_called_blocked_is_seen(sabotage: Callable[[str], None]) -> None:
    """A watchdog that takes no sign from the loop names who has done nothing."""
    sabotage("a_turn_is_a_step")
    with red():
        test_event_loop.test_only_one_long_step_is_called_blocking("A.A.A.A", [])


@pytest.mark.contract("H7", "F40")
@pytest.mark.parametrize("lane", ["process", "thread", "async"])
def test_attempts_that_end_twice_are_seen(
    lane: str, store: Path, sabotage: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An executor that does not look who has ended fails the test of all orders."""
    sabotage("no_attempt_check")
    with red():
        if lane == "process":
            test_attempts.test_workers_end_an_attempt_once(3, monkeypatch)
        else:
            test_attempts.test_threads_and_the_loop_end_an_attempt_once(lane, 3, store)


@pytest.mark.contract("H7", "F40")
def test_an_engine_that_lands_twice_is_seen(store: Path, sabotage: Callable[[str], None]) -> None:
    """Attempts that stay in the table fail the test of all orders."""
    sabotage("no_table_of_attempts")
    with red():
        test_landing.test_every_order_of_ends_is_one_end(1, True, store)


@pytest.mark.contract("H7", "F15")
def test_a_script_that_runs_again_is_seen(tmp_path: Path) -> None:
    """Workers that import main say so a second time, and fail the test of the guard."""
    with pytest.raises(AssertionError):
        test_isolation.check_script(tmp_path, sabotage="import_main")


@pytest.mark.contract("H7", "P5")
def test_an_engine_that_looks_again_and_again_is_seen(tmp_path: Path) -> None:
    """A thousand looks a second fail the test of the idle run."""
    with pytest.raises(AssertionError):
        test_idle.check_idle(tmp_path, sabotage="busy_waiting")
