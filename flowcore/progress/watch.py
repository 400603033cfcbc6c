"""The observer behind every view: it counts along, and has the view look now and then.

Threads: events come on the teller's thread (`run/told/telling.py`) and only change the
tally; a thread of this room's own shows it, so that a terminal that does not take text
holds up nobody. The tally's lock is never held while something is written.
"""

from __future__ import annotations

import threading
from typing import Protocol

from flowcore import clock
from flowcore.events import Event, Printed, RunEnded, RunStarted
from flowcore.progress.tally import Board, Tally

_STILL = 1.0  # seconds between two looks while nothing happens but that time goes by
_PATIENCE = 1.5  # seconds that the end waits for a view which is being shown


class View(Protocol):
    """Shows a run to somebody. `printed` comes on the teller's thread, the rest one after the other."""

    pause: float  # seconds between two looks

    def show(self, board: Board) -> None:
        """Show where the run stands; called again and again."""
        ...

    def printed(self, event: Printed) -> None:
        """Pass on what a cell printed."""
        ...

    def close(self, board: Board) -> None:
        """Show how the run ended."""
        ...

    def let_go(self) -> None:
        """Give back whatever was taken (streams, a screen); called once, and last."""
        ...


class Watch:
    """Shows a run on a view.

    Parameters
    ----------
    view : View
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._tally = Tally()
        self._lock = threading.Lock()  # of the tally
        self._heard = 0  # events so far
        self._over = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._look, name="flowcore-progress", daemon=True)

    def on_event(self, event: Event) -> None:
        """Take note of an event."""
        if self._error is not None:
            raise self._error  # whoever tells events leaves this observer out, and says why
        try:
            self._take(event)
        except BaseException:
            self._over.set()
            self._view.let_go()
            raise

    def _take(self, event: Event) -> None:
        if isinstance(event, Printed):
            self._view.printed(event)
            return
        with self._lock:
            self._tally.take(event, clock.monotonic())
        self._heard += 1
        if isinstance(event, RunStarted):
            self._thread.start()
        elif isinstance(event, RunEnded):
            self._end()

    def _end(self) -> None:
        self._over.set()
        self._thread.join(_PATIENCE)
        if self._error is not None:
            raise self._error
        if not self._thread.is_alive():  # else the terminal takes nothing: nobody would see the end
            self._view.close(self._board())
        self._view.let_go()

    def _board(self) -> Board:
        with self._lock:
            return self._tally.board(clock.monotonic())

    def _look(self) -> None:
        shown, due = 0, 0.0
        while not self._over.wait(self._view.pause):
            if self._heard == shown and clock.monotonic() < due:
                continue
            shown, due = self._heard, clock.monotonic() + _STILL
            try:
                self._view.show(self._board())
            except Exception as error:  # noqa: BLE001 - a broken terminal ends the view, and is told by the next event
                self._error = error
                self._view.let_go()
                return
