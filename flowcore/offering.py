"""What can be wrong with calls that `fc.Executor` carries out, and with the executor itself.

A part of the tree in `flowcore.errors`::

    FlowcoreError
    ├── CallFailed                  (RuntimeError) what a call raised cannot be brought here
    └── ExecutorBroken              (concurrent.futures.BrokenExecutor) it carries out nothing any more

A call whose process ended is a `flowcore.errors.WorkerDied`; one whose arguments or result
cannot travel a `flowcore.errors.NotPicklable`.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import BrokenExecutor

from flowcore.dataclass import dataclass
from flowcore.errors import FlowcoreError, shorten


@dataclass(kw_only=True, eq=False)
class CallFailed(FlowcoreError, RuntimeError):
    """A call raised an exception that cannot leave its process: this is its description."""

    call: str
    kind: str  # "shapes.Unreadable"
    text: str = ""
    traceback: str = ""  # the user's frames, as Python prints them

    def lines(self) -> Iterator[str]:
        """Yield the sentences of the message, cause first."""
        yield f"{self.call} raised {self.kind}: {shorten(self.text)}"
        if self.traceback:
            yield "Where it was raised (most recent call last):"
            yield from self.traceback.rstrip().splitlines()
        yield "The exception itself cannot be pickled, so this stands for it."
        yield "Have its class in a module, and let it take its own `args`, to catch it by its class."


@dataclass(kw_only=True, eq=False)
class ExecutorBroken(FlowcoreError, BrokenExecutor):
    """An executor carries out nothing any more; futures that were not done have this as their exception."""

    reason: str
    remedy: str = "Make another fc.Executor for what is left to do."

    def lines(self) -> Iterator[str]:
        """Yield the sentences of the message, cause first."""
        yield f"This fc.Executor carries out no calls any more: {self.reason}"
        yield "Calls that had not ended by then have no results; some may have been begun."
        yield self.remedy
