"""Claims about run/pilots/ferry.py: each message is heard of, whatever becomes of who has it."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowcore.errors import NoWorkers
from flowcore.run.executors.ferry import Answer, Astray, Load, Unbegun
from flowcore.run.inbox import Inbox
from flowcore.run.job import Job, TaskSpec
from flowcore.run.pilots import ferry as room
from flowcore.run.pilots.box import Box, Card, Ticket
from flowcore.run.pilots.errand import ANSWERED
from flowcore.run.pilots.ferry import PilotFerry
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.fs import DISK, Disk
from flowcore.store.layout import run_stamp

RUN = f"{run_stamp(0.0)}{'0' * 11}"
FAR = Card(pilot="a" * 32, host="node7", boot="ff" * 16, process=11, workers=3, beat=1, label="99")


class Full(Disk):
    """A disk without room, until there is some."""

    full = True

    def write(self, fd: int, data: Any) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(fd, data)


class Quay:
    """Hears what is told of messages, and drives the inbox as the engine does."""

    def __init__(self, folder: Path, disk: Disk = DISK, **options: object) -> None:
        self.box = Box.open(folder / "box", disk=disk)
        self.inbox = Inbox()
        self.heard: list[tuple[int, Answer]] = []
        around = Surroundings.of_this_process(run_id=RUN, store=str(folder), spool=str(folder))
        self.ferry = PilotFerry(self.box, inbox=self.inbox, surroundings=around, **options)  # type: ignore[arg-type]

    def landed(self, serial: int, answer: Answer) -> None:
        """See ferry.Harbour."""
        self.heard.append((serial, answer))

    def changed(self) -> None:
        """See ferry.Harbour."""

    def open(self) -> None:
        """Begin."""
        self.ferry.open(self)

    def send(self, serial: int, *, gpus: int = 0) -> Ticket:
        """Send a message of one cell; give its ticket."""
        job = Job(task=TaskSpec(id=1, name="cell", gpus=gpus), attempts=[serial], numbers=[0], columns=[])
        self.ferry.send([Load(serial=serial, payload=b"payload", job=job)])
        return Ticket(run=RUN, serial=serial, gpus=gpus)

    def until(self, condition: Callable[[], bool]) -> None:
        """See to what is due until a condition holds."""
        due = time.monotonic() + 60.0
        while not condition():
            assert time.monotonic() < due, self.heard
            self.inbox.wait(0.01)


@pytest.fixture
def quay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Quay]]:
    """Make one; it looks often."""
    made: list[Quay] = []
    for name in ("_ROLL", "_EACH", "_LONGEST"):
        monkeypatch.setattr(room, name, 0.01)

    def make(**options: object) -> Quay:
        made.append(Quay(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.ferry.close()
        one.inbox.close()


def cause(answer: Answer) -> tuple[str, bool]:
    """Give why a message went astray, and whether it is suspect."""
    assert isinstance(answer, Astray), answer
    return answer.cause, answer.suspect


@pytest.mark.contract("F4", "P5")
def test_a_pilot_that_is_silent_for_long_is_lost(quay: Callable[..., Quay]) -> None:
    """On another machine nothing else tells; what it had is told, and it counts for nothing any more."""
    harbour = quay(lost=0.05)
    harbour.box.show(FAR)
    harbour.open()
    wide = harbour.ferry.width()
    ticket = harbour.send(1)
    taken = harbour.box.take(ticket, FAR.pilot)
    harbour.until(lambda: bool(harbour.heard))

    assert (3, True, 0, []) == (wide, taken, harbour.ferry.width(), harbour.box.taken(FAR.pilot))
    assert ("worker 99 on node7 has not been heard of for 0.05 s", True) == cause(harbour.heard[0][1])


@pytest.mark.contract("F4")
def test_who_knows_that_a_pilot_has_ended_is_believed(quay: Callable[..., Quay]) -> None:
    """A batch system, say; at once."""
    ended: list[str] = []
    harbour = quay(gone=lambda card: f"its job {card.label} has ended" if ended else "")
    harbour.box.show(FAR)
    harbour.open()
    harbour.box.take(harbour.send(1), FAR.pilot)
    ended.append(FAR.label)
    harbour.until(lambda: bool(harbour.heard))

    assert ("worker 99 on node7: its job 99 has ended", True) == cause(harbour.heard[0][1])


def test_a_pilot_that_is_heard_of_is_not_lost(quay: Callable[..., Quay]) -> None:
    """Its card changes."""
    harbour = quay(lost=30.0)
    harbour.box.show(FAR)
    harbour.open()
    harbour.box.take(harbour.send(1), FAR.pilot)
    looks = harbour.ferry._rolls + 20  # noqa: SLF001
    harbour.until(lambda: harbour.ferry._rolls > looks)  # noqa: SLF001

    assert ([], 3) == (harbour.heard, harbour.ferry.width())


@pytest.mark.contract("P5")
def test_a_message_that_vanished_is_told(quay: Callable[..., Quay]) -> None:
    """Somebody has tidied the box; no cell is to blame."""
    harbour = quay()
    harbour.open()
    harbour.box.withdraw(harbour.send(1))
    harbour.until(lambda: bool(harbour.heard))

    assert ("it vanished from the box", False) == cause(harbour.heard[0][1])


@pytest.mark.contract("P5")
def test_an_answer_that_is_torn_is_told(quay: Callable[..., Quay]) -> None:
    """As a loss of power leaves it; the message goes out again."""
    harbour = quay()
    harbour.open()
    harbour.box.answer(harbour.send(1), [ANSWERED, 1, [], b"answer", FAR.pilot])
    (name,) = harbour.box.answers(RUN)
    path = Path(harbour.box.path, "answers", RUN, name)
    path.write_bytes(path.read_bytes()[:-1])
    harbour.until(lambda: bool(harbour.heard))

    assert ("its answer is torn", False) == cause(harbour.heard[0][1])


def test_an_answer_comes_in_parts(quay: Callable[..., Quay]) -> None:
    """All are heard, in whatever order they are seen; then they are removed, and nothing is missing."""
    harbour = quay()
    harbour.open()
    ticket = harbour.send(1)
    for last, body in ((0, b"one"), (3, b"three"), (0, b"two")):
        harbour.box.answer(ticket, [ANSWERED, last, [], body, FAR.pilot])
    harbour.box.withdraw(ticket)
    looks = harbour.ferry._rolls + 20  # noqa: SLF001
    harbour.until(lambda: harbour.ferry._rolls > looks)  # noqa: SLF001

    assert ["one", "three", "two"] == sorted(a.decode() for _, a in harbour.heard if isinstance(a, bytes))
    assert [] == harbour.box.answers(RUN)


def test_what_nobody_has_taken_is_called_back(quay: Callable[..., Quay]) -> None:
    """At once; the rest ends where it is."""
    harbour = quay()
    harbour.box.show(FAR)
    harbour.open()
    harbour.box.take(harbour.send(1), FAR.pilot)
    harbour.send(2)
    harbour.ferry.recall([1, 2])

    assert [(2, Unbegun())] == harbour.heard
    assert ([], 1) == (harbour.box.jobs(), len(harbour.box.taken(FAR.pilot)))


@pytest.mark.contract("F19")
def test_messages_wait_for_room(quay: Callable[..., Quay]) -> None:
    """On a full disk nothing is lost, not even what all messages have in common."""
    disk = Full()
    harbour = quay(disk=disk)
    harbour.open()
    ticket = harbour.send(1)
    before = harbour.box.runs(), harbour.box.jobs()
    disk.full = False
    harbour.until(lambda: bool(harbour.box.jobs()))

    assert (([], []), [RUN], [ticket]) == (before, harbour.box.runs(), harbour.box.jobs())


def test_a_cell_that_no_pilot_has_the_devices_for_says_so(
    quay: Callable[..., Quay], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, and only for the devices that are lacking."""
    told: list[Warning] = []
    monkeypatch.setattr(PilotFerry, "patience", 0.0)
    monkeypatch.setattr(room, "notice", told.append)
    here = quay()
    here.box.show(replace(FAR, gpus=2))
    here.open()
    here.send(1, gpus=2)
    here.send(2, gpus=4)
    here.until(lambda: bool(told))

    assert isinstance(told[0], NoWorkers)
    assert (4, 2) == (told[0].gpus, told[0].found)
    assert "need 4 GPUs each, and no worker has more than 2" in str(told[0])
