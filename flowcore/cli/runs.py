"""``flowcore runs``: the runs of a store, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from flowcore.cli.parser import Parser, add_json, add_store
from flowcore.cli.printing import document, duration, name, table
from flowcore.history import runs
from flowcore.inspect.recordings.brief import RunInfo
from flowcore.settings import Settings, whole

_SHOWN = 20
_HEAD = ("run", "flow", "status", "began", "took", "cells", "ran", "stored", "failed", "workers")
_NUMBERS = frozenset(range(4, 10))


def main(arguments: Sequence[str]) -> int:
    """List runs."""
    parser = Parser("runs", "List the runs of a store, live, dead and finished, the newest first.",
                    epilog="for example: flowcore runs -n 5")  # fmt: skip
    add_store(parser)
    parser.add_argument("-n", "--last", metavar="N", default=_SHOWN, help=f"how many; 0: all (default: {_SHOWN})")
    add_json(parser)
    given = parser.read(arguments)
    count = whole("last", given.last)
    store = Settings.of(store=given.store).store
    found = runs(store)
    shown = found[:count] if count else found
    if given.json:
        print(document({"runs": [asdict(run) for run in shown]}))
    elif not found:
        print(f"There are no runs in {name(store)}.")
    else:
        print(table([_HEAD, *map(_row, shown)], right=_NUMBERS))
        if len(found) > len(shown):
            print(f"... and {len(found) - len(shown)} older ones: flowcore runs -n 0")
    return 0


def began(seconds: float) -> str:
    """Give an instant, in seconds since 1970, as the clock on the wall showed it."""
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def _row(run: RunInfo) -> tuple[object, ...]:
    counts = (run.cells.get(what, 0) for what in ("cells", "done", "hit", "failed"))
    return (run.id, run.flow, run.status, began(run.began), duration(run.seconds), *counts, run.workers)
