"""H7 on intruders: under each patch the test that holds its row of section 6 is red."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from tests import test_pickles, test_settings
from tests.cli import conftest as terminal
from tests.cli import test_debug
from tests.faults import test_intruders, test_places
from tests.house import test_house
from tests.inspect import test_failures, test_html
from tests.plan import test_crafted, test_encode
from tests.store import conftest as storeroom
from tests.store import test_blobs, test_directory, test_gc
from tests.ui import test_server

ROOT = Path(__file__).parents[2]
BROKEN = (AssertionError, fc.FlowcoreError, MemoryError, ValueError, OSError, pytest.fail.Exception)
UNPICKLER = "import pickle\nclass Safe(pickle.Unpickler):\n    def find_class(self, module, name): ...\n"
begin, told, served, keep = storeroom.begin, storeroom.told, test_server.served, test_gc.keep
run = test_blobs.run


def broken_from_the_start(name: str, folder: Path) -> None:
    """Have each Python that finds this folder among its modules begin with a sabotage."""
    (folder / "sitecustomize.py").write_text(f"from tests.faults import saboteurs\nsaboteurs.apply({name!r})\n")


def an_unpickler_that_chooses(put: Callable[[Any, str, Any], None]) -> None:
    """Offer an unpickler that lets some classes through (S4)."""
    put(test_house, "ROOMS", [*test_house.ROOMS, test_house.plant(UNPICKLER)])


@pytest.mark.contract("H7", "S1")
def test_setters_that_run_are_seen(sabotage: Callable[[str], None]) -> None:
    """Code of a class that a record names fails the test of crafted records."""
    sabotage("setters_called")
    with pytest.raises(BROKEN):
        test_crafted.test_no_class_is_asked_or_called("a field behind a property")


@pytest.mark.contract("H7", "S1", "P9")
def test_pickles_in_arrays_that_run_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that has numpy unpickle is heard by the audit hook."""
    monkeypatch.setenv("FLOWCORE_SABOTAGE", "numpy_loads")
    with pytest.raises(BROKEN):
        test_intruders.test_reading_runs_nothing(tmp_path)


@pytest.mark.contract("H7", "S2")
def test_pickles_without_leave_are_seen(store: Path, sabotage: Callable[[str], None]) -> None:
    """A value that comes where PickleNotAllowed should, fails the test of leave."""
    sabotage("the_file_decides")
    with pytest.raises(BROKEN):
        test_pickles.test_a_finished_run_is_not_unpickled_without_leave(store)


@pytest.mark.contract("H7", "S3")
def test_pickles_that_nobody_checked_are_seen(sabotage: Callable[[str], None]) -> None:
    """Bytes that are not those of the record fail the test of what is handed on."""
    sabotage("pickles_unchecked")
    with pytest.raises(BROKEN):
        test_pickles.test_a_pickle_that_is_not_what_its_record_says()


@pytest.mark.contract("H7", "S4")
def test_an_unpickler_that_chooses_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class of that kind anywhere in flowcore fails the house's test."""
    an_unpickler_that_chooses(monkeypatch.setattr)
    with pytest.raises(BROKEN):
        test_house.test_no_unpickler_is_offered_as_safe()


@pytest.mark.contract("H7", "S5")
def test_modes_left_to_the_umask_are_seen(store: Path, begin: Any, sabotage: Callable[[str], None]) -> None:
    """A store that others can read fails the test of modes."""
    sabotage("the_umask_decides")
    with pytest.raises(BROKEN):
        test_directory.test_everything_is_for_its_user_alone(store, begin, 0)


@pytest.mark.contract("H7", "S5")
def test_a_store_of_anybody_is_seen(store: Path, begin: Any, told: Any, sabotage: Callable[[str], None]) -> None:
    """A root that others may write to, and that is used, fails the test of it."""
    sabotage("anybodys_directories")
    with pytest.raises(BROKEN):
        test_directory.test_what_others_may_write_to_is_neither_read_nor_written(store, begin, told, "", 0o770)


@pytest.mark.contract("H7", "S6")
def test_links_that_are_followed_are_seen(
    run: Any, store: Path, tmp_path: Path, sabotage: Callable[[str], None]
) -> None:
    """An array that is written where a planted link leads fails the test of links."""
    sabotage("links_followed")
    with pytest.raises(BROKEN):
        test_blobs.test_a_link_in_place_of_a_shard_is_refused(run, store, tmp_path)


@pytest.mark.contract("H7", "S6")
def test_opens_that_block_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that waits at a FIFO fails the test of what was planted."""
    monkeypatch.setenv("FLOWCORE_ROADBLOCK", "5")
    with pytest.raises(BROKEN, match="Timeout"):
        test_intruders.check_roadblocks("FIFO", tmp_path, sabotage="blocking_opens")


@pytest.mark.contract("H7", "S5")
def test_options_of_anybody_are_seen(
    tmp_path: Path, sabotage: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that somebody else chose in /tmp fails the test of options."""
    sabotage("anybodys_options")
    with pytest.raises(BROKEN):
        test_settings.test_options_that_others_put_where_everybody_may_are_not_read(
            tmp_path, monkeypatch, 0o1777, read=False
        )


@pytest.mark.contract("H7", "S6")
def test_words_that_steer_a_terminal_are_seen(
    tmp_path: Path, sabotage: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An escape sequence in the name of a store fails the test of such names."""
    sabotage("words_as_they_are")
    with pytest.raises(BROKEN):
        test_places.test_no_name_of_a_store_steers_a_terminal(tmp_path, monkeypatch)


@pytest.mark.contract("H7", "S6")
def test_names_as_markup_are_seen(sabotage: Callable[[str], None]) -> None:
    """A tag that comes from a name fails the test of HTML."""
    sabotage("names_as_they_are")
    with pytest.raises(BROKEN):
        test_html.test_no_name_becomes_markup()


@pytest.mark.contract("H7", "S7")
def test_shapes_that_are_believed_are_seen(sabotage: Callable[[str], None]) -> None:
    """A petabyte asked for fails the test of promised sizes."""
    sabotage("shapes_believed")
    with pytest.raises(BROKEN):
        test_encode.test_promised_sizes_allocate_nothing()


@pytest.mark.contract("H7", "S8")
def test_uninvited_plugins_are_seen(tmp_path: Path) -> None:
    """A plugin that is imported to be listed leaves its mark."""
    broken_from_the_start("plugins_uninvited", tmp_path)
    with pytest.raises(BROKEN):
        test_settings.test_no_plugin_runs_uninvited(tmp_path)


@pytest.mark.contract("H7", "S9")
def test_a_page_for_all_machines_is_seen(request: pytest.FixtureRequest, sabotage: Callable[[str], None]) -> None:
    """A server that is bound to every address fails the test of where it listens."""
    sabotage("open_to_all")
    served = request.getfixturevalue("served")
    with pytest.raises(BROKEN):
        test_server.test_it_only_reads(served)


@pytest.mark.contract("H7", "S9")
def test_a_page_under_any_name_is_seen(served: Any, sabotage: Callable[[str], None]) -> None:
    """A request that came by a name of somebody else's, and is answered, fails the test of hosts."""
    sabotage("any_host")
    with pytest.raises(BROKEN):
        test_server.test_others_are_refused(served, {"Host": "evil.example"})


@pytest.mark.contract("H7", "S10")
def test_files_that_a_journal_names_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the store that is executed fails the test of planted journals."""
    (tmp_path / "first").mkdir()
    broken_from_the_start("any_file_is_ours", tmp_path / "first")
    monkeypatch.setitem(terminal.ENVIRON, "PYTHONPATH", f"{tmp_path / 'first'}:{ROOT}")
    evil = "{here}/.flowcore/v1/files/ab/evil.py"
    with pytest.raises(BROKEN):
        test_debug.test_what_a_planted_journal_names_is_not_executed(tmp_path, evil, [evil])


@pytest.mark.contract("H7", "S11")
def test_values_in_messages_are_seen(store: Path, sabotage: Callable[[str], None]) -> None:
    """A secret argument in the message of a failed run fails the test of messages."""
    sabotage("values_told")
    with pytest.raises(BROKEN):
        test_failures.test_no_values_in_messages(store)


@pytest.mark.contract("H7", "S12")
def test_files_of_others_that_are_removed_are_seen(
    keep: Any, store: Path, tmp_path: Path, sabotage: Callable[[str], None]
) -> None:
    """A thesis that goes with a directory of the store fails the test of what is ours."""
    sabotage("any_name_is_ours")
    with pytest.raises(BROKEN):
        test_gc.test_only_what_is_ours_is_removed(keep, store, tmp_path)
