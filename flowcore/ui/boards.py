"""What the page shows of a run at one moment, as plain data.

Owns the form of a *board*: counts by task, loops, failures, what was printed lately. The
page gets a new one whenever something changed. Pure but for reading the run's journal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from flowcore import clock
from flowcore.errors import shorten
from flowcore.events import Event, Printed, RunStarted
from flowcore.history import RecordedRun
from flowcore.inspect.recordings.following import Following
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.progress.tally import Tally
from flowcore.store.directory import Store

PRINTED: Final = 200  # pieces of output that are shown
_FAILURES: Final = 50
_ROWS: Final = 400  # tasks
_LOOPS: Final = 40
_TEXT: Final = 4000  # characters of one piece of text


class Boards:
    """The boards of one run, one after the other. One thread.

    Parameters
    ----------
    store : Store
    run_id : str
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self.recorded = Recorded(store, run_id)
        self.run = RecordedRun(self.recorded)
        self._following = Following(self.recorded)
        self._tally = Tally()
        self._printed: deque[dict[str, str]] = deque(maxlen=PRINTED)

    @property
    def over(self) -> bool:
        """Whether there will be no other board."""
        return self._following.over

    def next(self) -> dict[str, Any] | None:
        """Give a board if anything has changed since the last one."""
        events = self._following.more()
        self._take(events)
        return self._board() if events else None

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Printed):
                self._printed.append({"cell": event.cell, "stream": event.stream, "text": event.text[-_TEXT:]})
                continue
            ago = max(0.0, clock.wall() - self.recorded.began) if isinstance(event, RunStarted) else 0.0
            self._tally.take(event, clock.monotonic() - ago)

    def _board(self) -> dict[str, Any]:
        board = self._tally.board(clock.monotonic())
        failures = self.run.failures
        return {
            "run": board.run, "flow": board.flow, "status": board.status or "running", "seconds": board.seconds,
            "began": self.recorded.began, "left": board.left, "sure": board.sure, "parked": board.parked.told,
            "cells": board.cells, "ended": board.ended, "open": board.open,
            "rows": [asdict(row) | {"ended": row.ended} for row in board.rows[:_ROWS]],
            "hidden": len(board.rows[_ROWS:]),
            "loops": [asdict(loop) for loop in board.loops[:_LOOPS]], "printed": list(self._printed),
            "failures": [
                {"cell": f.cell, "told": shorten(f.told, _TEXT), "at": getattr(f.error, "at", ""),
                 "traceback": str(getattr(f.error, "traceback", ""))[-_TEXT:]} for f in failures[:_FAILURES]
            ],
            "failed": len(failures),
        }  # fmt: skip
