"""Cells on the engine's own thread, one after another: for debugging, and as a last resort."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from flowcore.run.cell.breakpoints import hint, offer, was_left, withdraw
from flowcore.run.cell.pages import Pages
from flowcore.run.cell.slot import LocalSlot
from flowcore.run.inbox import Inbox
from flowcore.run.job import Failed, Interrupted, Job, Result, TaskSpec
from flowcore.run.perform import Workplace, perform
from flowcore.run.signals import as_by_hand
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.codecs import Codec

_TOGETHER = 16  # cells after which the engine has a look around


class InlineExecutor:
    """Runs a job inside `start`; timeouts cannot be kept here."""

    broken = ""
    name = "inline"

    def __init__(
        self, *, inbox: Inbox, codec: Codec, pages: Pages | None = None, checkpoints: Checkpoints | None = None,
        interrupt: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._inbox = inbox
        self._slot = LocalSlot()
        self._interrupt = interrupt  # stops the run
        offer()
        self._place = Workplace(codec=codec, slot=self._slot, pages=pages, checkpoints=checkpoints, here=True)

    def take_back(self) -> list[Job]:
        """Give nothing: this executor does not break."""
        return []

    def room(self, task: TaskSpec, ready: int) -> int:
        """Tell how many cells to hand over now."""
        return 0 if self._slot.stopping else min(ready, _TOGETHER)

    def start(self, job: Job) -> None:
        """Run the cells."""
        if self._slot.stopping:
            self._inbox.post([Interrupted(attempts=job.attempts)])
            return
        perform(job, self._place, self._report)

    def _report(self, result: Result) -> None:
        """Post a result; a debugger that was left is a wish to stop, and no failure."""
        if not was_left(result):
            self._inbox.post([result])
            return
        self._slot.ask_to_stop()  # before the engine hears of it: the cell is not to begin again
        self._inbox.post([Interrupted(attempts=[cast(Failed, result).attempt])])
        if not as_by_hand():  # nobody waits, or signals are ignored: the run is not to wait for this cell for ever
            self._interrupt()

    def stop(self) -> None:
        """Begin no further cell."""
        if not self._slot.stopping:
            hint()
        self._slot.ask_to_stop()

    def cancel(self) -> None:
        """Begin no further cell; nothing is running whenever this can be called."""
        self._slot.ask_to_stop()

    def close(self) -> None:
        """Take the debugger back."""
        withdraw()
