"""Claims about run/pilots/box.py: one pilot has a message, and nobody else a hand in it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from flowcore.errors import BoxUnusable
from flowcore.run.pilots.box import Box, Card, Ticket
from flowcore.store.fs import Disk
from flowcore.store.layout import run_stamp

RUN = f"{run_stamp(0.0)}{'0' * 11}"
PILOT, OTHER = "a" * 32, "b" * 32


class Foreign(Disk):
    """A disk on which all belongs to somebody else."""

    def user(self) -> int:
        return os.geteuid() + 1


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """Give a box with two pilots and a run."""
    made = Box.open(tmp_path / "box")
    for pilot in (PILOT, OTHER):
        made.show(Card(pilot=pilot, beat=1))
    made.announce(RUN, ["around"])
    return made


def test_a_message_goes_to_one_of_those_who_take_it(box: Box) -> None:
    """Eight threads, for two pilots each, try for each of a hundred."""
    tickets = [Ticket(run=RUN, serial=serial) for serial in range(100)]
    for ticket in tickets:
        box.put(ticket, [b"payload", []])
    won: list[Ticket] = []
    pilots = [f"{i:032x}" for i in range(8)]
    for pilot in pilots:
        box.show(Card(pilot=pilot, beat=1))
    crowd = [
        threading.Thread(target=lambda p=pilot: won.extend(t for t in tickets if box.take(t, p))) for pilot in pilots
    ]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()

    assert tickets == sorted(won)
    assert tickets == sorted(ticket for pilot in pilots for ticket in box.taken(pilot))


def test_what_was_handed_back_is_taken_by_another(box: Box) -> None:
    """Whole, as it was laid in."""
    ticket = Ticket(run=RUN, serial=1, gpus=2)
    box.put(ticket, [b"payload", []])
    taken = box.take(ticket, PILOT), box.take(ticket, OTHER), box.hand_back(ticket, PILOT), box.take(ticket, OTHER)

    assert (True, False, True, True) == taken
    assert [b"payload", []] == box.job(ticket, OTHER)


def test_answers_are_there_until_they_are_discarded(box: Box) -> None:
    """In parts, in any order."""
    ticket = Ticket(run=RUN, serial=7)
    box.answer(ticket, ["one"])
    box.answer(ticket, ["two"])
    names = box.answers(RUN)
    found = sorted(str(box.read_answer(RUN, name)) for name in names)
    box.discard_answer(RUN, names[0])

    assert (["['one']", "['two']"], 1) == (found, len(box.answers(RUN)))


def test_nobody_waits_for_answers_to_a_run_that_is_over(box: Box) -> None:
    """They are not even written."""
    box.forget(RUN)
    box.answer(Ticket(run=RUN, serial=1), ["late"])

    assert (True, [], []) == (box.over(RUN), box.answers(RUN), box.runs())


def test_a_card_tells_what_it_was_told(box: Box) -> None:
    """All of it."""
    card = Card(
        pilot=PILOT, host="node7", boot="00", process=11, workers=4, gpus=1, began=1.5, beat=2, leaving=True, label="99"
    )
    box.show(card)

    assert card == box.card(PILOT)


@pytest.mark.contract("S5")
@pytest.mark.parametrize("folder", ["", "jobs", "taken", "answers", "runs", "pilots"])
def test_a_box_that_others_may_write_to_is_refused(tmp_path: Path, folder: str) -> None:
    """What lies there is run as code."""
    Box.open(tmp_path / "box")
    os.chmod(tmp_path / "box" / folder, 0o770)
    with pytest.raises(BoxUnusable, match=r"(?s)others may write to .* chmod go-w"):
        Box.open(tmp_path / "box")


@pytest.mark.contract("S5")
def test_a_box_of_another_user_is_refused(tmp_path: Path) -> None:
    """Whatever its mode."""
    Box.open(tmp_path / "box")
    with pytest.raises(BoxUnusable, match="belongs to user"):
        Box.open(tmp_path / "box", disk=Foreign())


@pytest.mark.contract("S5")
def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """It may lead to where others write."""
    Box.open(tmp_path / "box")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "box" / "jobs").rmdir()
    (tmp_path / "box" / "jobs").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BoxUnusable):
        Box.open(tmp_path / "box")


@pytest.mark.contract("S5")
def test_all_is_for_this_user_alone(box: Box, tmp_path: Path) -> None:
    """Under any umask."""
    before = os.umask(0)
    try:
        other = Box.open(tmp_path / "other")
        other.announce(RUN, [])
        other.put(Ticket(run=RUN, serial=1), [])
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o077 for root in (tmp_path / "box", tmp_path / "other") for path in root.rglob("*")}

    assert {0} == modes


@pytest.mark.parametrize("spoil", ["empty", "cut", "flipped", "link", "others"])
def test_a_spoiled_file_says_nothing(box: Box, tmp_path: Path, spoil: str) -> None:
    """As a loss of power, or an intruder, may leave it."""
    ticket = Ticket(run=RUN, serial=1)
    box.put(ticket, [b"payload" * 100, []])
    path = tmp_path / "box" / "jobs" / ticket.name
    whole = path.read_bytes()
    if spoil == "link":
        (tmp_path / "planted").write_bytes(whole)
        path.unlink()
        path.symlink_to(tmp_path / "planted")
    elif spoil == "others":
        path.chmod(0o666)
    else:
        path.write_bytes({"empty": b"", "cut": whole[:-1], "flipped": whole.replace(b"load", b"l0ad", 1)}[spoil])

    assert box.job(ticket) is None


def test_files_of_other_names_are_not_looked_at(box: Box, tmp_path: Path) -> None:
    """Whoever puts them there."""
    for folder in ("jobs", "runs", "pilots", f"answers/{RUN}", "taken"):
        (tmp_path / "box" / folder / "README").write_text("hello")

    assert ([], [RUN], []) == (box.jobs(), box.runs(), box.answers(RUN))
    assert {PILOT, OTHER} == {card.pilot for card in box.cards()} == set(box.holders())
