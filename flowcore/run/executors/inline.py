"""Cells on the engine's own thread, one after another: for debugging, and as a last resort."""

from __future__ import annotations

from flowcore.run.inbox import Inbox
from flowcore.run.job import Interrupted, Job, TaskSpec
from flowcore.run.pages import Pages
from flowcore.run.perform import Workplace, perform
from flowcore.run.slot import LocalSlot
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.codecs import Codec

_TOGETHER = 16  # cells after which the engine has a look around


class InlineExecutor:
    """Runs a job inside `start`; timeouts cannot be kept here."""

    broken = ""
    name = "inline"

    def __init__(
        self, *, inbox: Inbox, codec: Codec, pages: Pages | None = None, checkpoints: Checkpoints | None = None
    ) -> None:
        self._inbox = inbox
        self._slot = LocalSlot()
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
        perform(job, self._place, lambda result: self._inbox.post([result]))

    def stop(self) -> None:
        """Begin no further cell."""
        self._slot.ask_to_stop()

    def cancel(self) -> None:
        """Begin no further cell; nothing is running whenever this can be called."""
        self._slot.ask_to_stop()

    def close(self) -> None:
        """Nothing is held."""
