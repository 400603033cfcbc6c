"""What flowcore itself logs of a run: its beginning, its nodes as they get on, its end.

One logger, ``flowcore.run``: INFO for beginning and end, DEBUG for nodes. Told on the teller's
thread, so a handler that blocks holds up no run (contract F36).
"""

from __future__ import annotations

import logging

from flowcore.events import Cells, Event, NodeDrawn, RunEnded, RunStarted, RunStopping

LOGGER = logging.getLogger("flowcore.run")


class Log:
    """An observer that logs.

    Attributes
    ----------
    counts : bool
        Whether anybody wants to know of nodes.
    """

    def __init__(self) -> None:
        self.counts = LOGGER.isEnabledFor(logging.DEBUG)
        self._names: dict[int, str] = {}

    def on_event(self, event: Event) -> None:
        """Take note of an event."""
        match event:
            case RunStarted():
                LOGGER.info(
                    "run %s of %s began: %d nodes, %d workers", event.run, event.flow, event.nodes, event.workers
                )
            case NodeDrawn():
                self._names[event.node] = event.name
            case Cells():
                LOGGER.debug(
                    "%s: %d running, %d done, %d from the store, %d failed, %d skipped",
                    self._names.get(event.node, event.node), event.started, event.done, event.hit, event.failed,
                    event.skipped,
                )  # fmt: skip
            case RunStopping():
                LOGGER.info("run %s begins nothing new", event.run)
            case RunEnded():
                LOGGER.info("run %s is %s after %.3g s", event.run, event.status, event.seconds)
            case _:
                return


def wanted() -> bool:
    """Tell whether a record of a run would be looked at by anybody."""
    return LOGGER.isEnabledFor(logging.INFO)
