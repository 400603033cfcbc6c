"""A run of another process, shown as its own would show it.

Owns the loop that asks a :class:`~flowcore.inspect.recordings.following.Following` what is new, a few
times a second, and hands it to a view. Uses under a hundredth of a processor while
nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flowcore import clock
from flowcore.events import Printed, RunStarted
from flowcore.inspect.recordings.following import Following
from flowcore.progress.tally import Tally
from flowcore.progress.watch import View

PAUSE = 0.25  # seconds between two looks


def show(following: Following, view: View, *, printed: Callable[[str], str]) -> None:
    """Show a run until it is over; Ctrl-C ends the showing alone.

    What its cells printed goes through `printed`: the store may be from elsewhere, and must
    not steer this terminal (contract S6).
    """
    tally = Tally()
    try:
        while True:
            for event in following.more():
                if isinstance(event, Printed):
                    view.printed(replace(event, text=printed(event.text)))
                    continue
                ago = max(0.0, clock.wall() - following.recorded.began) if isinstance(event, RunStarted) else 0.0
                tally.take(event, clock.monotonic() - ago)
            board = tally.board(clock.monotonic())
            if following.over:
                view.close(board)
                return
            view.show(board)
            clock.sleep(PAUSE)
    finally:
        view.let_go()
