"""H7 on what cells do to their process: under each patch the test that holds its row is red."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import flowcore as fc
from tests.faults import driver, test_leavings, test_saboteurs_of_runs
from tests.faults.test_kill import check_orphans
from tests.faults.test_saboteurs_of_runs import red
from tests.run import test_launcher, test_processes

SOON = 1.5  # seconds: the sound engine takes less, and the broken one for ever
sabotage = test_saboteurs_of_runs.sabotage


@pytest.mark.contract("H7", "F3")
@pytest.mark.parametrize(
    ("name", "busy_with"), [("lifeline_by_sigio", "nothing that listens"), ("no_adoption", "a daemon")]
)
def test_a_way_out_of_reach_is_seen(name: str, busy_with: str, tmp_path: Path) -> None:
    """A cell that is deaf to what should end it, and a child that has left its session, outlive the engine."""
    with pytest.raises(AssertionError, match="no process is left"):
        check_orphans(tmp_path, busy_with, sabotage=name, within=SOON)


@pytest.mark.contract("H7", "F14")
@pytest.mark.parametrize("name", ["copies_come_back", "copies_hear_for_us"])
def test_copies_that_take_themselves_for_us_are_seen(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that waits for its parent's messages, or tells its parent to stop when it is ended, holds up its cell."""
    with pytest.raises(AssertionError):
        test_leavings.check_forks(
            tmp_path, "process", sabotage=name, begun=lambda: monkeypatch.setattr(driver, "DEADLINE", SOON)
        )


@pytest.mark.contract("H7", "F4")
def test_a_worker_that_stays_as_it_was_left_is_seen(store: Path, sabotage: Callable[[str], None]) -> None:
    """What one cell changed and another one finds fails both tests of it."""
    sabotage("nothing_put_back")
    with pytest.raises(AssertionError):
        test_leavings.test_every_cell_finds_its_worker_as_the_first_did(store)
    with red():
        test_processes.test_a_cell_that_fails_for_what_another_left_is_handed_out_again()
    if os.geteuid() == 0:
        with pytest.raises((AssertionError, OSError, fc.FlowcoreError)):
            test_leavings.test_a_cell_that_acts_for_another_user_does_so_alone("for good", store)


@pytest.mark.contract("H7", "F4", "F35")
def test_a_worker_that_speaks_to_nobody_is_seen(sabotage: Callable[[str], None]) -> None:
    """One that ends with an empty slot, as if nothing had been on, is never charged to the cell that closed all."""
    sabotage("mute_workers_live")
    with red():
        test_processes.test_death_is_told_with_its_cause("closes", "exit code 70")


@pytest.mark.contract("H7", "F13", "F35")
def test_a_launcher_that_a_signal_ends_is_seen(sabotage: Callable[[str], None]) -> None:
    """One that begins with all signals let through is not there to say that it is ready."""
    sabotage("let_signals_through")
    with red():
        test_launcher.test_signals_that_every_process_gets_end_no_launcher_that_starts()
