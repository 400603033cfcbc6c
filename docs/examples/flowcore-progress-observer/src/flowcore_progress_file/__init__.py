"""How far a run is, in a small file that a web page or a script may poll: ``flow.run(progress="json")``."""

import json
import os
from pathlib import Path

from flowcore.events import Cells, Event, NodeDrawn, RunEnded, RunStarted


class ProgressFile:
    """Writes ``{"flow": ..., "status": ..., "nodes": {"erode": {"cells": 20, "done": 7, "failed": 0}}}``.

    Parameters
    ----------
    path : path
        Of the file. It is replaced in one step, so a reader never sees half of it.
    """

    def __init__(self, path: str | Path = "progress.json") -> None:
        self._path = Path(path)
        self._flow, self._status = "", "running"
        self._nodes: dict[str, dict[str, int | None]] = {}
        self._names: dict[int, str] = {}

    def on_event(self, event: Event) -> None:
        """Take note of one event; other kinds than these are of no interest here."""
        if isinstance(event, RunStarted):
            self._flow = event.flow
        elif isinstance(event, NodeDrawn):
            self._names[event.node] = event.name
            self._nodes.setdefault(event.name, {"done": 0, "failed": 0})["cells"] = event.cells  # None: not known yet
        elif isinstance(event, Cells):
            self._nodes[self._names[event.node]] |= {"done": event.done + event.hit, "failed": event.failed}
        elif isinstance(event, RunEnded):
            self._status = event.status
        else:
            return
        self._write()

    def _write(self) -> None:
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps({"flow": self._flow, "status": self._status, "nodes": self._nodes}))
        os.replace(draft, self._path)
