"""A cell that does not end, in this process. Usage: endless.py WAY STORE.

Meets the driver in the cell, and whenever main has heard a signal.
"""

from __future__ import annotations

import sys

import flowcore as fc
from flowcore.run.session import Session
from flowcore.run.signals import Signals
from tests.faults import inside


@fc.compute
def inline() -> None:
    """Stay on the engine's own thread."""
    inside.mark("cell")


@fc.io
def thread() -> None:
    """Stay on a thread."""
    inside.mark("cell")


@fc.io
async def coroutine() -> None:
    """Stay on the loop, so that it stands still."""
    inside.mark("cell")


def tell_hearing() -> None:
    """Meet the driver when main listens, and whenever the engine has been told to end, in main's handler."""
    real, enter = Session.interrupt, Signals.__enter__

    def listen(self: Signals) -> Signals:
        entered = enter(self)
        inside.mark("listening")
        return entered

    def interrupt(self: Session) -> None:
        real(self)
        inside.mark("heard")

    Session.interrupt = interrupt  # type: ignore[method-assign]
    Signals.__enter__ = listen  # type: ignore[method-assign]


def main() -> None:
    """Run it."""
    inside.arm()
    tell_hearing()
    way, store = sys.argv[1:]
    flow = fc.Flow("endless")
    flow.add({"inline": inline, "thread": thread, "coroutine": coroutine}[way])
    flow.run(store=store, workers=1, progress=False, executor="inline" if way == "inline" else None)


if __name__ == "__main__":
    main()
