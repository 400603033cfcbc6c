"""Starting what takes longest before anything else of a run is loaded.

A store that is not there yet answers nothing, so what is drawn will have to run, and
worker processes will be needed. Their launcher takes longer to come (an interpreter, and
numpy) than the engine takes to be imported and to key the first cells; it comes meanwhile.
A run on a store that is there starts processes only once a cell has to run: one that is
answered in full starts none.
Never: decides what runs. If it was wrong, an idle launcher ends with the interpreter.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from flowcore.declare.node import Node
from flowcore.run.pool import acquire, release
from flowcore.run.proc import free_threaded
from flowcore.settings import Settings


def foresee(nodes: Iterable[Node], settings: Settings) -> None:
    """Have a launcher under way if workers will be needed for these nodes; trouble is met again when they are."""
    if settings.executor not in (None, "process") or not isinstance(settings.store, str) or free_threaded():
        return
    if _is_new(settings.store) and any(node.runner == "process" for node in nodes):
        pool = acquire()
        with contextlib.suppress(OSError):
            if not pool.launcher_pid:
                pool.launch()
        release(pool)


def entrust(spool: str) -> None:
    """Have a launcher that is there already see to a run's spool from now on, and not only once workers are needed."""
    pool = acquire()
    with contextlib.suppress(OSError):  # it has ended: the next one is told of the spool when it is needed
        if spool and pool.launcher_pid:
            pool.guard(spool)
    release(pool)


def _is_new(store: str) -> bool:
    """Tell whether there is nothing at the place of a store."""
    try:
        with os.scandir(store) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True
    except OSError:
        return False
