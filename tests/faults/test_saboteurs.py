"""H7, the test of the tests: under each patch the test that holds its row is red."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import flowcore as fc
from flowcore.errors import FlowcoreWarning
from flowcore.run.pool import shutdown
from flowcore.store.directory import open_store
from tests.faults import (
    inside,
    operations,
    saboteurs,
    test_bystanders,
    test_crash,
    test_errno,
    test_fuzz,
    test_hang,
    test_kill,
    test_neighbours,
    test_power,
    test_simulation,
    test_store_trouble,
)
from tests.faults.test_kill import Whole, check_kill, check_orphans
from tests.store import test_blobs, test_checkpoint

SOON = 3.0  # seconds: the sound engine takes far less, and the broken one for ever


@pytest.fixture
def sabotage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Give a function that breaks this process and its next workers; all is mended in the end."""
    monkeypatch.setenv(inside.TALLY, str(tmp_path / "tally"))
    shutdown()

    def broken(name: str) -> None:
        saboteurs.apply(name, monkeypatch.setattr)

    yield broken
    shutdown()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Give what an uninterrupted run gives."""
    folder = tmp_path_factory.mktemp("whole")
    return test_kill.finish(folder, folder / "store")


@pytest.mark.contract("H7", "F1", "P6")
@pytest.mark.parametrize(("name", "event"), [("record_at_start", "message 8"), ("no_tidying", "record 10")])
def test_a_broken_engine_fails_the_kill(name: str, event: str, tmp_path: Path, whole: Whole) -> None:
    """Records before their values, and leftovers that nobody removes, are seen."""
    with pytest.raises(AssertionError):
        check_kill(tmp_path, "all", event, whole, sabotage=name)


@pytest.mark.contract("H7", "F3")
@pytest.mark.parametrize(
    ("name", "busy_with"), [("no_lifeline", "a loop"), ("lifeline_thread", "a call that holds the GIL")]
)
def test_a_broken_lifeline_leaves_orphans(name: str, busy_with: str, tmp_path: Path) -> None:
    """Workers that outlive the engine are seen."""
    with pytest.raises(AssertionError, match="no process is left"):
        check_orphans(tmp_path, busy_with, sabotage=name, within=SOON)


@pytest.mark.contract("H7", "F6", "F8")
@pytest.mark.parametrize(("name", "way"), [("blame_the_first", "SIGKILL"), ("only_exceptions", "SystemExit")])
def test_false_blame_is_seen(name: str, way: str, tmp_path: Path, store: Path, sabotage: Callable[[str], None]) -> None:
    """A death charged to the wrong cell, and an exception that ends a worker, fail the test of bystanders."""
    sabotage(name)
    with pytest.raises(AssertionError):
        if way in test_bystanders.DEATHS:
            test_bystanders.test_a_dead_worker_costs_nobody_else(way, 0.0, tmp_path, store)
        else:
            test_bystanders.test_a_bad_exception_is_one_cells_own(way, "process", tmp_path, store)


@pytest.mark.contract("H7", "F22")
def test_a_store_that_checks_nothing_is_seen(tmp_path: Path, store: Path, sabotage: Callable[[str], None]) -> None:
    """A flipped bit that reaches a cell fails the test of damage."""
    sabotage("no_verification")
    with pytest.raises(AssertionError):
        test_store_trouble.test_damage_between_runs_is_made_again("thread", "flip", tmp_path, store)


@pytest.mark.contract("H7", "H5", "F22")
@pytest.mark.parametrize("name", ["no_verification", "check_without_the_header"])
def test_a_weak_check_is_seen(name: str, sabotage: Callable[[str], None]) -> None:
    """An array of which not every bit is checked fails the fuzzer."""
    sabotage(name)
    with test_fuzz.a_store() as home, pytest.raises(AssertionError):
        test_fuzz.test_a_spoilt_array_is_a_miss(home)


@pytest.mark.contract("H7", "F25")
def test_a_lost_value_that_stays_lost_is_seen(tmp_path: Path, store: Path, sabotage: Callable[[str], None]) -> None:
    """A run that fails for a value that could be made again fails the test of vanishing."""
    sabotage("trust_the_judgement")
    with pytest.raises((AssertionError, fc.RunFailed)):
        test_store_trouble.test_a_value_that_vanishes_in_mid_run_is_made_again("thread", tmp_path, store)


@pytest.mark.contract("H7", "F26")
@pytest.mark.parametrize("name", ["any_format", "clear_on_mismatch"])
def test_a_store_of_any_version_is_seen(
    name: str, tmp_path: Path, store: Path, sabotage: Callable[[str], None]
) -> None:
    """Using a store whose format we do not know fails the test of newer ones."""
    sabotage(name)
    with pytest.raises(AssertionError):
        test_store_trouble.test_a_newer_store_is_left_alone(tmp_path, store)


@pytest.mark.contract("H7", "F2", "P6")
@pytest.mark.parametrize(
    ("name", "operation"), [("write_at_the_final_name", "put"), ("no_tidying", "tidy"), ("no_tidying", "put durable")]
)
def test_a_broken_store_fails_the_crashes(name: str, operation: str, tmp_path: Path) -> None:
    """A partial array under a final name, and what dead runs leave, are found by the enumerator."""
    assert [] != test_crash.crashes(tmp_path, [operation], sabotage=name)[operation]["wrong"]


@pytest.mark.contract("H7", "C2", "K21")
@pytest.mark.parametrize("name", ["pointer_before_data", "generator_not_saved"])
def test_a_save_in_the_wrong_order_is_seen(name: str) -> None:
    """A state that names what is not there yet, and one without its random streams, fail the kills in a save."""
    assert [] != test_simulation.savings("after", name)["wrong"]


@pytest.mark.contract("H7", "C3", "C4")
def test_a_single_generation_is_seen(store: Path, sabotage: Callable[[str], None]) -> None:
    """Damage to the only state there is fails the test of the state before it."""
    sabotage("one_generation")
    told: list[FlowcoreWarning] = []
    run = open_store(store).begin(tell=told.append)

    with pytest.raises(AssertionError):
        test_checkpoint.test_a_damaged_state_gives_way_to_the_one_before(lambda: run.checkpoints, store, "array", told)
    run.release()


@pytest.mark.contract("H7", "C2", "F18")
def test_states_that_are_not_durable_are_seen(sabotage: Callable[[str], None]) -> None:
    """A saved state that a power loss takes back is found among the states of the disk."""
    sabotage("states_without_fsync")
    with operations.in_memory() as folder, operations.at_home(folder), pytest.raises(AssertionError):
        (folder / "recorded").mkdir()
        test_power.test_a_saved_state_is_there(folder / "recorded", folder)


@pytest.mark.contract("H7", "F18", "F20")
@pytest.mark.parametrize("name", ["name_before_fsync", "acknowledge_before_fsync", "fsync_until_it_succeeds"])
def test_a_store_that_is_not_durable_is_seen(name: str, sabotage: Callable[[str], None]) -> None:
    """What was acknowledged and is gone after a power loss is found among the states."""
    sabotage(name)
    with operations.in_memory() as folder, operations.at_home(folder), pytest.raises(AssertionError):
        (folder / "recorded").mkdir()
        if name == "name_before_fsync":
            test_power.test_an_array_that_was_put_durably_is_there(3000, folder / "recorded", folder)
        elif name == "fsync_until_it_succeeds":
            test_power.test_an_fsync_that_failed_is_believed(1, folder / "recorded", folder)
        else:
            test_power.test_a_run_that_loses_power(1, test_power.durable, None, folder / "recorded", folder)


@pytest.mark.contract("H7", "F19", "F20")
@pytest.mark.parametrize("name", ["write_at_the_final_name", "fsync_until_it_succeeds"])
def test_a_store_that_believes_the_disk_is_seen(name: str, sabotage: Callable[[str], None]) -> None:
    """A partial array on a full disk, and writing on after a failed fsync, fail the tests of errnos."""
    sabotage(name)
    with operations.in_memory() as home, operations.at_home(home), pytest.raises((AssertionError, FileNotFoundError)):
        if name == "write_at_the_final_name":
            test_errno.test_a_disk_that_is_full_from_some_call_on_leaves_no_new_name(home)
        else:
            test_errno.test_a_failed_fsync_is_the_end_of_keeping(1, home)


@pytest.mark.contract("H7", "F21")
def test_a_lock_on_reading_is_seen(sabotage: Callable[[str], None]) -> None:
    """A file that whoever reads makes in a store fails the test of reading."""
    sabotage("lock_on_read")
    with operations.in_memory() as home, operations.at_home(home), pytest.raises(AssertionError):
        test_errno.test_reading_makes_and_touches_nothing(home)


@pytest.mark.contract("H7", "F23", "F28")
@pytest.mark.parametrize("name", ["replace_in_place", "reopen_for_writing"])
def test_a_published_file_that_changes_is_seen(name: str, store: Path, sabotage: Callable[[str], None]) -> None:
    """Replacing it, or writing it again, fails the test of what is published."""
    run = open_store(store).begin()
    sabotage(name)
    with pytest.raises(AssertionError):
        test_blobs.test_a_published_file_is_never_replaced_nor_written_again(run, store, bytes(3000))
    run.release()


@pytest.mark.contract("H7", "F38")
def test_trouble_that_is_raised_is_seen(tmp_path: Path, store: Path, sabotage: Callable[[str], None]) -> None:
    """A removed store that fails a run fails the test of removal."""
    sabotage("let_it_raise")
    with pytest.raises((AssertionError, fc.RunFailed, OSError)):
        test_store_trouble.test_a_store_that_is_removed_in_mid_run_costs_no_result("thread", tmp_path, store)


@pytest.mark.contract("H7", "H2")
def test_a_call_round_the_seam_is_seen(tmp_path: Path) -> None:
    """A file that is opened without the disk is found by the onlooker."""
    assert [] != test_crash.onlook(tmp_path, sabotage="round_the_seam")["strange"]


@pytest.mark.contract("H7", "F13")
def test_an_engine_that_goes_on_is_seen(tmp_path: Path) -> None:
    """Cells that start after Ctrl-C fail the test of it."""
    with pytest.raises(AssertionError):
        test_hang.check_first_signal(tmp_path, signal.SIGINT, sabotage="deaf_engine")


@pytest.mark.contract("H7", "F16")
def test_one_name_for_all_drafts_is_seen(tmp_path: Path, store: Path) -> None:
    """Arrays that runs write into each other fail the test of the crowd."""
    with pytest.raises(AssertionError):
        test_neighbours.check_crowd(tmp_path, store, "some", sabotage="fixed_tmp_name")


@pytest.mark.contract("H7", "F17", "J8")
@pytest.mark.parametrize("name", ["block_on_the_lock", "never_park"])
def test_waiting_for_a_lock_or_for_nobody_is_seen(name: str, tmp_path: Path, store: Path) -> None:
    """A run that is stuck in a lock call, and one that does what another does, never say that their cells wait."""
    with (
        test_neighbours.start(tmp_path, store) as owner,
        pytest.raises(AssertionError, match="all cells wait"),
    ):
        test_neighbours.cells(owner, 4)
        test_neighbours.names(store, 4)
        with test_neighbours.start(tmp_path, store, sabotage=name):
            test_neighbours.waits(store, within=2 * SOON)
