"""H7 on values and what they are known by: under each patch the test that holds its row is red."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import flowcore as fc
from flowcore.store.spool import Spool
from tests import test_depth, test_files, test_scale
from tests.faults import inside, test_shared_values, test_store_trouble
from tests.run import test_launcher, test_simulation
from tests.run.cell import test_code_check
from tests.run.outcomes import test_doubles
from tests.store import test_files as test_store_files
from tests.store import test_fs, test_spool

ROOT = Path(__file__).parents[2]
BROKEN = (AssertionError, fc.FlowcoreError, RecursionError, LookupError, pytest.fail.Exception)
memory, spool = test_spool.memory, test_spool.spool
path, later, disk = test_store_files.path, test_store_files.later, test_store_files.disk
folder = test_files.folder


@pytest.mark.contract("H7", "F24")
def test_a_spool_that_asks_for_no_room_is_seen(spool: Spool, sabotage: Callable[[str], None]) -> None:
    """Writing without a claim never meets the answer that there is none, and fails the test of it."""
    sabotage("no_room_claimed")
    with pytest.raises(BROKEN):
        test_spool.test_a_full_memory_falls_back_to_the_store(spool, "reserve")


@pytest.mark.contract("H7", "F24")
def test_a_spool_that_stays_is_seen(tmp_path: Path, sabotage: Callable[[str], None]) -> None:
    """A launcher that leaves its engine's spool fails the test of the engine that is gone."""
    sabotage("no_sweep")
    with pytest.raises(BROKEN):
        test_launcher.test_launcher_removes_the_spool_when_its_engine_is_gone(tmp_path)


@pytest.mark.contract("H7", "F19")
def test_a_value_that_no_message_carries_is_seen(
    tmp_path: Path, store: Path, sabotage: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that fails because no file has room for its result fails the test of messages."""
    monkeypatch.setenv(inside.TALLY, str(tmp_path / "tally"))
    sabotage("only_by_file")
    with pytest.raises(BROKEN):
        test_store_trouble.test_what_no_file_has_room_for_goes_by_message("thread", 1, tmp_path, store)


@pytest.mark.contract("H7", "F27")
@pytest.mark.usefixtures("later")
def test_a_file_known_by_its_mtime_is_seen(path: Path, sabotage: Callable[[str], None]) -> None:
    """An edit with the mtime put back fails the test of it."""
    sabotage("size_and_mtime")
    with pytest.raises(BROKEN):
        test_store_files.test_an_edit_with_the_mtime_put_back_is_seen(path)


@pytest.mark.contract("H7", "F27")
def test_a_young_file_that_is_believed_is_seen(
    path: Path, disk: test_store_files.Reads, sabotage: Callable[[str], None]
) -> None:
    """A file whose times may stand for two contents fails the test of the tick."""
    sabotage("any_age_tells")
    with pytest.raises(BROKEN):
        test_store_files.test_a_young_file_is_read_again(path, disk)


@pytest.mark.contract("H7", "F29")
def test_a_call_for_each_cell_is_seen(tmp_path: Path, sabotage: Callable[[str], None]) -> None:
    """Calls that grow with the cells fail the test of what a cell costs."""
    sabotage("a_call_a_cell")
    with pytest.raises(BROKEN):
        test_scale.check_cost(tmp_path)


@pytest.mark.contract("H7", "F30")
def test_a_walk_that_calls_itself_is_seen(tmp_path: Path, sabotage: Callable[[str], None]) -> None:
    """A chain that is longer than the stack fails the test of it."""
    sabotage("one_recursive_walk")
    with pytest.raises(RecursionError):
        test_depth.told(test_depth.LONG, tmp_path)


@pytest.mark.contract("H7", "F31")
def test_a_value_that_two_share_is_seen(tmp_path: Path, sabotage: Callable[[str], None]) -> None:
    """What one consumer writes and another sees fails the test of writers."""
    sabotage("one_object_for_two")
    with pytest.raises(BROKEN):
        test_shared_values.test_what_is_written_into_a_value_stays_with_who_wrote("inline", tmp_path)


@pytest.mark.contract("H7", "F31")
def test_a_map_that_reaches_the_file_is_seen(tmp_path: Path, sabotage: Callable[[str], None]) -> None:
    """Writing into an array that changes its file fails the test of maps."""
    sabotage("writing_reaches_the_file")
    with pytest.raises(BROKEN):
        test_fs.test_a_map_keeps_its_writes_to_itself(tmp_path)


@pytest.mark.contract("H7", "F32")
def test_code_that_nobody_compares_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result of edited code, kept under the code before, fails the test of the edit."""
    broken = f"from tests.faults import saboteurs\nsaboteurs.apply({'any_code_will_do'!r})\n"
    monkeypatch.setattr(test_code_check, "_DRAWN", broken + test_code_check._DRAWN)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with pytest.raises(BROKEN):
        test_code_check.test_a_module_edited_after_its_import_fails_a_task_that_travels_by_value(tmp_path)


@pytest.mark.contract("H7", "F32")
def test_an_input_that_nobody_looks_at_again_is_seen(
    folder: Path, store: Path, sabotage: Callable[[str], None]
) -> None:
    """A result of content that was not keyed fails the test of the edit between hash and read."""
    sabotage("inputs_stay_as_they_are")
    with pytest.raises(BROKEN):
        test_files.test_an_edit_between_hash_and_read(folder, store)


@pytest.mark.filterwarnings("ignore::flowcore.TwoValues")
@pytest.mark.contract("H7", "F33", "J10")
def test_a_last_record_that_answers_is_seen(store: Path, sabotage: Callable[[str], None]) -> None:
    """A third run that contradicts the first fails the test of two runs at once."""
    sabotage("last_wins")
    with pytest.raises(BROKEN):
        test_doubles.test_the_first_of_two_runs_stays(store)


@pytest.mark.contract("H7", "F34")
def test_states_of_any_code_are_seen(
    store: Path, tmp_path: Path, sabotage: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """States that are not kept by key fail the test of other code."""
    sabotage("states_by_cell")
    with pytest.raises(BROKEN):
        test_simulation.test_a_state_of_other_code_is_left_alone(store, tmp_path, monkeypatch)
