"""Moments at which a worker may die, and one death as ordered: for the matrix of crashes.

An order is a file ``moment way``. The first worker that comes to the moment takes it, by a
rename that only one can win, writes down which cell it is on, and dies in that way; so
there is one death an order, whatever the number of workers. :func:`arm` is called in the
launcher, and what it puts in place is in all workers forked from then on.
"""

from __future__ import annotations

import ctypes
import os
import select
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import flowcore as fc
from flowcore.run.cell.context import current
from flowcore.run.job import dumps
from flowcore.run.workers.wire import _HEAD, _MARK, Channel
from flowcore.run.workers.worker import Worker
from flowcore.store import arrayfile, blobs
from flowcore.store.fs import CREATE, Disk
from tests.faults import inside
from tests.faults.culprits import WAYS

ORDER: Final = "FLOWCORE_FAULTS_ORDER"  # path of the file with the order
MOMENTS: Final = ("start-up", "before receive", "mid-cell", "mid-put", "mid-send", "idle", "between runs", "shutdown")
OF_CELLS: Final = frozenset({"mid-cell", "mid-put", "mid-send"})  # when the slot names a culprit
LOOK: Final = 0.02  # seconds between two looks of an idle worker for an order
SIZE: Final = 3000  # elements: above what travels in a message


def _exits_in_c(code: int) -> Callable[[], object]:
    return lambda: ctypes.CDLL(None)._exit(code)


DEATHS: Final[dict[str, Callable[[], object]]] = {
    **{way: WAYS[way] for way in ("SIGKILL", "segfault", "abort", "exit 0")},
    "exit 3": lambda: os._exit(3),
    "exit in C": _exits_in_c(0),
}


def order(path: Path, moment: str, way: str) -> None:
    """Have one worker die."""
    path.with_name("victim").unlink(missing_ok=True)
    path.write_text(f"{moment}|{way}")


def victim(path: Path) -> int | None:
    """Give the number of the cell that the dead worker was on, -1 if on none; None if no worker has died."""
    told = path.with_name("victim")
    return int(told.read_text()) if told.exists() else None


def ordered(moment: str) -> str:
    """Give the way to die at this moment; empty if that was not ordered, or is done."""
    try:
        wanted, way = Path(os.environ.get(ORDER, "")).read_text().split("|")
    except (OSError, ValueError):
        return ""
    return way if wanted == moment else ""


def due(moment: str) -> str:
    """Take an order for this moment; empty if there is none, or another worker has taken it."""
    path, way = Path(os.environ.get(ORDER, "")), ordered(moment)
    if way:
        try:
            path.rename(path.with_name("taken"))
        except OSError:
            return ""
        context = current.get()
        path.with_name("victim").write_text(str(context.number if context is not None else -1))
    return way


def strike(moment: str) -> object:
    """Die, or do what else was ordered for this moment."""
    way = due(moment)
    return DEATHS.get(way, WAYS.get(way, lambda: None))() if way else None


@fc.compute(ignore=("global:strike",))
def cell(number: int) -> NDArray[np.float64] | object:
    """Give an array; where the order is for the middle of a cell, this is it."""
    inside.executed("cell", number)
    bad = strike("mid-cell")
    return np.full(SIZE, float(number)) if bad is None else bad


class PerilousChannel:
    """A worker's channel, at both sides of which it may die."""

    def __init__(self, real: Channel) -> None:
        self._real = real
        self._batches = 0

    def send(self, message: list[Any]) -> None:
        """Send; or half of it."""
        if message[0] == "results" and (way := due("mid-send")):
            body = dumps(message)
            frame = _HEAD.pack(_MARK | len(body)) + body
            self._real._socket.send(frame[: len(frame) // 2])
            DEATHS[way]()
        self._real.send(message)

    @property
    def lost(self) -> bool:
        """Whether what is sent goes nowhere."""
        return self._real.lost

    def wait(self) -> list[Any] | None:
        """Wait for a message; that may be too long."""
        if self._batches:
            if ordered("before receive"):
                self._here(None)
                strike("before receive")
            while not self._here(LOOK):
                for moment in ("idle", "between runs", "shutdown"):
                    strike(moment)
        message = self._real.wait()
        self._batches += message is not None and message[0] == "batch"
        return message

    def _here(self, within: float | None) -> bool:
        return bool(self._real._ready or select.select([self._real.fileno()], [], [], within)[0])


def arm() -> None:
    """Put all moments in place. In the launcher, before it forks."""
    serve, write = Worker.__init__, arrayfile.write_draft

    def made(self: Worker, channel: Channel, slot: Any) -> None:
        strike("start-up")
        serve(self, PerilousChannel(channel), slot)  # type: ignore[arg-type]

    def write_draft(disk: Disk, path: str, pieces: Sequence[memoryview], *, durable: bool) -> bytes:
        if way := due("mid-put"):
            disk.write(disk.open(path, CREATE, 0o600), pieces[-1][: len(pieces[-1]) // 2])
            DEATHS[way]()
        return write(disk, path, pieces, durable=durable)

    Worker.__init__ = made  # type: ignore[method-assign]
    blobs.write_draft = write_draft  # type: ignore[attr-defined]
