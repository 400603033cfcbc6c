"""Claims about run/cell/slot.py: what a worker says of itself is there after its death."""

from __future__ import annotations

import os
import signal

import pytest

from flowcore import clock
from flowcore.run.cell.slot import TEXT, LocalSlot, Slot, slot_file


def mapped() -> Slot:
    """Give a slot in mapped memory."""
    file = slot_file()
    slot = Slot(file)
    os.close(file)
    return slot


@pytest.fixture(params=[mapped, LocalSlot])
def slot(request: pytest.FixtureRequest) -> Slot | LocalSlot:
    """Give a slot of either kind."""
    made: Slot | LocalSlot = request.param()
    return made


def test_slot_names_the_attempt_that_runs(slot: Slot | LocalSlot) -> None:
    """From its beginning to its end, with the time it began."""
    before = clock.monotonic()
    empty = slot.attempt
    slot.begin(2**62)
    named, started = slot.attempt, slot.started
    slot.step, slot.phase = 7, "call"
    step, phase = slot.step, slot.phase
    slot.clear()

    assert (0, 2**62, 0) == (empty, named, slot.attempt)
    assert before <= started <= clock.monotonic()
    assert (7, "call") == (step, phase)
    assert (0, "") == (slot.step, slot.phase)


def test_stop_flag_stays_until_taken_back(slot: Slot | LocalSlot) -> None:
    """Beginning and ending cells does not touch it."""
    before = slot.stopping
    slot.ask_to_stop()
    slot.begin(1)
    slot.clear()
    asked = slot.stopping
    slot.go_on()

    assert (False, True, False) == (before, asked, slot.stopping)


@pytest.mark.contract("F6")
def test_the_last_store_before_sigkill_is_there() -> None:
    """Another process reads what the dead one had named, and its fault text."""
    file = slot_file()
    ours = Slot(file)
    child = os.fork()
    if child == 0:
        theirs = Slot(file)
        os.pwrite(file, b"Fatal Python error\n", TEXT)
        theirs.begin(41)
        theirs.begin(42)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)

    assert 42 == ours.attempt
    assert "Fatal Python error\n" == ours.text
    ours.close()
    os.close(file)


def test_slot_file_is_not_inherited() -> None:
    """What a cell executes does not get it."""
    file = slot_file()

    assert not os.get_inheritable(file)
    os.close(file)
