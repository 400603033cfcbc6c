"""The box: a folder through which a run's messages reach pilots, and answers come back.

Owns the names in it and the form of its files. Promises that a message is with exactly one
pilot, since it is taken by renaming it; that whoever reads a file sees all of it or, after
a loss of power, knows that it is torn; and that nobody but this user has a hand in it: what
lies there is loaded as code, so a box that others may write to is refused (contract S5), and
so is a file in it that is a link, or another user's. Files of other names are not looked at::

    box/                             0700; every file 0600
      runs/<run>.run                 what the run's cells find around them: once, at its beginning
      jobs/<run>.<serial>.<gpus>.job     messages that nobody has taken
      taken/<pilot>/<same name>      those that a pilot has
      answers/<run>/<serial>.<token>.answer   what came of them, in one part or several
      pilots/<pilot>.card            where a pilot is, its width, its beat; <pilot>.lock: held for its life
      drafts/                        files that are being written

There is no server, no lock and no database: a name is in one directory or in another. That
runs/<run>.run is gone says that the run is over, and that nobody waits for its answers.
Never blocks, never waits, and never removes what it has not been told to.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

from flowcore.dataclass import dataclass
from flowcore.errors import BoxUnusable
from flowcore.run.job import dumps, loads
from flowcore.store.fs import CREATE, DISK, READ, Disk, end_reading, read_all, write_all
from flowcore.store.layout import RUN_ID, exists, make_directory, make_parents, resolve

_MAGIC: Final = b"fcbox 1\n"
_HEAD: Final = len(_MAGIC) + 4
_OTHERS_WRITE: Final = 0o022
_FOLDERS: Final = ("runs", "jobs", "taken", "answers", "pilots", "drafts")
_RUN: Final = re.compile(rf"({RUN_ID.pattern})\.run")
_JOB: Final = re.compile(rf"({RUN_ID.pattern})\.([0-9]{{1,15}})\.([0-9]{{1,4}})\.job")
_ANSWER: Final = re.compile(r"([0-9]{1,15})\.[0-9a-f]{32}\.answer")
_PILOT: Final = re.compile(r"[0-9a-f]{32}")
_CARD: Final = re.compile(r"([0-9a-f]{32})\.card")
_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Ticket:
    """What the name of a message says of it."""

    run: str
    serial: int
    gpus: int = 0  # that a cell of it computes on

    @property
    def name(self) -> str:
        """Give the name of its file."""
        return f"{self.run}.{self.serial}.{self.gpus}.job"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a pilot says of itself.

    Attributes
    ----------
    pilot : str
        Its name in the box.
    host, boot : str
        Where it is; `boot` changes when that machine starts.
    process : int
        Its process id there.
    workers : int
        Cells that it carries out at once.
    gpus : int
        Devices that its cells may compute on.
    began : float
        Seconds since 1970, by its own clock.
    beat : int
        Counts up every few seconds.
    leaving : bool
        It takes nothing more.
    label : str
        What whoever started it knows it by: the id of a batch job.
    """

    pilot: str
    host: str = ""
    boot: str = ""
    process: int = 0
    workers: int = 1
    gpus: int = 0
    began: float = 0.0
    beat: int = 0
    leaving: bool = False
    label: str = ""


class Box:
    """A box that was looked at, and is ours. Any thread; holds nothing open."""

    def __init__(self, path: str | Path, *, disk: Disk = DISK) -> None:
        self.path = str(path)
        self.disk = disk

    @classmethod
    def open(cls, path: str | Path, *, disk: Disk = DISK) -> Box:
        """Make a box, or use the one that is there.

        Raises
        ------
        BoxUnusable
            If others may write to it, or it is not this user's, or cannot be made.
        """
        box = cls(resolve(disk, path), disk=disk)
        try:
            make_parents(disk, Path(box.path).parent)
            for folder in ("", *(f"/{name}" for name in _FOLDERS)):
                make_directory(disk, f"{box.path}{folder}")
                box._check(f"{box.path}{folder}")
        except BoxUnusable:
            raise
        except OSError as error:
            raise BoxUnusable(box=box.path, reason=os.strerror(error.errno) if error.errno else str(error)) from error
        return box

    def _check(self, path: str) -> None:
        found = self.disk.stat(path)
        if not stat.S_ISDIR(found.st_mode):
            raise BoxUnusable(box=self.path, reason=f"{path} is not a directory")
        if found.st_uid != self.disk.user():
            reason = f"{path} belongs to user {found.st_uid}, and this is user {self.disk.user()}"
            raise BoxUnusable(box=self.path, reason=reason)
        if found.st_mode & _OTHERS_WRITE:
            reason = f"others may write to {path} (mode {stat.S_IMODE(found.st_mode):04o})"
            raise BoxUnusable(box=self.path, reason=reason, remedy=f"If what it holds is yours: chmod go-w {path}")

    # ---- runs

    def announce(self, run: str, fields: list[object]) -> None:
        """Say what a run's cells find around them; from now on its messages may be taken."""
        make_directory(self.disk, f"{self.path}/answers/{run}")
        self._put(f"runs/{run}.run", fields)

    def run(self, run: str) -> list[object] | None:
        """Give what was said of a run; None if it is over, or cannot be read."""
        return self._get(f"runs/{run}.run")

    def runs(self) -> list[str]:
        """Name the runs that are not over."""
        return [found[1] for found in map(_RUN.fullmatch, self._names("runs")) if found]

    def over(self, run: str) -> bool:
        """Tell whether nobody waits for the answers of a run."""
        return not exists(self.disk, f"{self.path}/runs/{run}.run")

    def age(self, name: str, now: float) -> float:
        """Tell how long ago a file of the box was written, both by the clock of the filesystem; 0.0 if it is gone."""
        try:
            return now - self.disk.stat(f"{self.path}/{name}").st_mtime
        except OSError:
            return 0.0

    def now(self) -> float:
        """Tell what time it is by the clock of the filesystem."""
        draft = self._draft(b"")
        try:
            return self.disk.stat(draft).st_mtime
        finally:
            self._remove(draft)

    def forget(self, run: str) -> None:
        """Remove all that a run has in the box, but what pilots have taken: they see that it is over."""
        self._remove(f"{self.path}/runs/{run}.run")
        for ticket in self.jobs():
            if ticket.run == run:
                self._remove(f"{self.path}/jobs/{ticket.name}")
        for name in self.answers(run):
            self._remove(f"{self.path}/answers/{run}/{name}")
        with suppress(OSError):
            self.disk.rmdir(f"{self.path}/answers/{run}")

    # ---- messages

    def put(self, ticket: Ticket, fields: list[object]) -> None:
        """Lay a message into the box."""
        self._put(f"jobs/{ticket.name}", fields)

    def jobs(self) -> list[Ticket]:
        """Give the messages that nobody has taken, oldest runs and serials first."""
        return self._tickets("jobs")

    def job(self, ticket: Ticket, pilot: str = "") -> list[object] | None:
        """Give what a message says, one that `pilot` has or nobody; None if it is not there, or torn."""
        return self._get(f"{_where(pilot)}/{ticket.name}")

    def take(self, ticket: Ticket, pilot: str) -> bool:
        """Have a pilot take a message; False if another one was first."""
        return self._move(f"jobs/{ticket.name}", f"{_where(pilot)}/{ticket.name}")

    def hand_back(self, ticket: Ticket, pilot: str) -> bool:
        """Have a pilot lay a message back, whole, for any other; False if it was taken from it."""
        return self._move(f"{_where(pilot)}/{ticket.name}", f"jobs/{ticket.name}")

    def taken(self, pilot: str) -> list[Ticket]:
        """Give the messages that a pilot has."""
        return self._tickets(_where(pilot))

    def withdraw(self, ticket: Ticket, pilot: str = "") -> bool:
        """Remove a message, one that nobody has taken or that `pilot` has; tell whether it was there."""
        try:
            self.disk.unlink(f"{self.path}/{_where(pilot)}/{ticket.name}")
        except OSError:
            return False
        return True

    # ---- answers

    def answer(self, ticket: Ticket, fields: list[object]) -> None:
        """Say what came of a message, or of a part of it.

        Raises
        ------
        OSError
            If there is no room. Without the run's folder nobody waits, and nothing is written.
        """
        with suppress(FileNotFoundError):
            self._put(f"answers/{ticket.run}/{ticket.serial}.{self.disk.token()}.answer", fields)

    def answers(self, run: str) -> list[str]:
        """Name the answers to messages of a run that have come."""
        return [name for name in self._names(f"answers/{run}") if _ANSWER.fullmatch(name)]

    def read_answer(self, run: str, name: str) -> list[object] | None:
        """Give an answer; None if it is torn, or gone."""
        return self._get(f"answers/{run}/{name}")

    def discard_answer(self, run: str, name: str) -> None:
        """Remove an answer that was taken in."""
        self._remove(f"{self.path}/answers/{run}/{name}")

    # ---- pilots

    def show(self, card: Card) -> None:
        """Have a pilot say where it is, and that it lives; whoever took it for lost may have removed its folder."""
        make_directory(self.disk, f"{self.path}/{_where(card.pilot)}")
        facts: list[object] = [
            card.host, card.boot, card.process, card.workers, card.gpus, card.began, card.beat, card.leaving, card.label
        ]  # fmt: skip
        self._put(f"pilots/{card.pilot}.card", facts)

    def cards(self) -> list[Card]:
        """Give what the pilots say of themselves, dead ones included."""
        found = (self.card(match[1]) for match in map(_CARD.fullmatch, self._names("pilots")) if match)
        return [card for card in found if card is not None]

    def card(self, pilot: str) -> Card | None:
        """Give what a pilot says of itself; None if it has gone, or its card is torn."""
        match self._get(f"pilots/{pilot}.card"):
            case [str(host), str(boot), int(process), int(workers), int(gpus), float(began), int(beat), bool(leaving),
                  str(label), *_]:  # fmt: skip
                return Card(
                    pilot=pilot, host=host, boot=boot, process=process, workers=workers, gpus=gpus, began=began,
                    beat=beat, leaving=leaving, label=label,
                )  # fmt: skip
        return None

    def lock(self, pilot: str) -> str:
        """Name the file whose lock a pilot holds for its life."""
        return f"{self.path}/pilots/{pilot}.lock"

    def holders(self) -> list[str]:
        """Name the pilots that have, or had, a folder for what they take."""
        return [name for name in self._names("taken") if _PILOT.fullmatch(name)]

    def strike(self, pilot: str) -> None:
        """Remove a pilot's card, and its folder if nothing is in it."""
        for path in (f"{self.path}/pilots/{pilot}.card", self.lock(pilot)):
            self._remove(path)
        with suppress(OSError):
            self.disk.rmdir(f"{self.path}/{_where(pilot)}")

    def tidy(self) -> None:
        """Remove drafts that were left a day ago or more."""
        now = self.now()
        for name in self._names("drafts"):
            if _PILOT.fullmatch(name) and self.age(f"drafts/{name}", now) > 24 * 3600.0:
                self._remove(f"{self.path}/drafts/{name}")

    # ---- files

    def _names(self, folder: str) -> list[str]:
        try:
            return self.disk.listdir(f"{self.path}/{folder}")
        except OSError:
            return []

    def _tickets(self, folder: str) -> list[Ticket]:
        found = filter(None, map(_JOB.fullmatch, self._names(folder)))
        return sorted(Ticket(run=match[1], serial=int(match[2]), gpus=int(match[3])) for match in found)

    def _move(self, source: str, target: str) -> bool:
        try:
            self.disk.rename(f"{self.path}/{source}", f"{self.path}/{target}")
        except OSError as error:
            if error.errno not in _GONE:
                raise
            # A network filesystem may have done it, lost its own answer, and been asked again.
            return exists(self.disk, f"{self.path}/{target}")
        return True

    def _draft(self, content: bytes) -> str:
        draft = f"{self.path}/drafts/{self.disk.token()}"
        fd = self.disk.open(draft, CREATE, 0o600)
        try:
            try:
                self.disk.chmod(fd, 0o600)
                write_all(self.disk, fd, content)
            finally:
                self.disk.close(fd)  # an error counts: a network filesystem tells here that there was no room
        except OSError:
            self._remove(draft)
            raise
        return draft

    def _put(self, name: str, fields: list[object]) -> None:
        payload = dumps(fields)
        draft = self._draft(_MAGIC + zlib.crc32(payload).to_bytes(4, "little") + payload)
        try:
            self.disk.rename(draft, f"{self.path}/{name}")
        except OSError:
            self._remove(draft)
            raise

    def _get(self, name: str) -> list[object] | None:
        try:
            fd = self.disk.open(f"{self.path}/{name}", READ)
        except OSError:
            return None
        try:
            found = self.disk.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != self.disk.user() or found.st_mode & _OTHERS_WRITE:
                return None
            content = read_all(self.disk, fd, found.st_size)
        except OSError:
            return None
        finally:
            end_reading(self.disk, fd)
        return _fields(bytes(content or b""))

    def _remove(self, path: str) -> None:
        with suppress(OSError):
            self.disk.unlink(path)


def _where(pilot: str) -> str:
    return f"taken/{pilot}" if pilot else "jobs"


def _fields(content: bytes) -> list[object] | None:
    payload = content[_HEAD:]
    if content[:_HEAD] != _MAGIC + zlib.crc32(payload).to_bytes(4, "little"):
        return None
    try:
        fields: object = loads(payload)
    except ValueError:  # whatever msgpack has to say of it
        return None
    return fields if isinstance(fields, list) else None
