"""The moment from which a run that was asked to stop begins nothing any more."""

from __future__ import annotations

import threading

import flowcore as fc

DEADLINE = 60.0  # seconds; only turns a hang into a failure


def until_stopping(run: fc.Run) -> None:
    """Wait until a run has heard that it is to stop, and has told those that work for it; some cell must be held."""
    while not run._session.engine._landing.stopping:  # noqa: SLF001
        assert not run.wait(0.001), "it ended before"
    told = threading.Event()
    run._session.books.inbox.call(told.set)  # noqa: SLF001 - the engine sees to it after what it is at

    assert told.wait(DEADLINE)
