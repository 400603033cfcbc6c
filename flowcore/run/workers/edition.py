"""Which files of flowcore a process has imported, and whether they are still there as they were.

1. A notebook imports flowcore. 2. It is upgraded, or `git pull` changes it. 3. The next run
starts a launcher, which imports the new files: it and the engine would take each other's
messages for something else, wait for what the other does not say, or make keys by other rules.
So each side tells what it is made of, in its first message, and neither goes on with another.

Owns that identity: names, sizes and times of all rooms, found once when this room is
imported. Promises to look at the files again at most once a second. Reads none of them.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from typing import Final

from flowcore import clock

_ROOT: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_PAUSE: Final = 1.0  # seconds between two looks
CHANGED: Final = (
    f"flowcore's own files, in {_ROOT}, are not those that this process has imported: "
    "restart it (in a notebook: restart the kernel) to go on with what is there now"
)


def look() -> str:
    """Give the identity of the files that are there now."""
    try:
        return f"{_ROOT} {zlib.crc32(chr(10).join(sorted(_rooms(_ROOT))).encode('utf-8', 'replace')):08x}"
    except OSError:  # they are in no directory, or it is being replaced at this moment
        return _ROOT


def _rooms(folder: str) -> Iterator[str]:
    for name in os.listdir(folder):
        path = f"{folder}/{name}"
        facts = os.stat(path)
        if name.endswith(".py"):
            yield f"{path} {facts.st_size} {facts.st_mtime_ns}"
        elif name != "__pycache__" and stat.S_ISDIR(facts.st_mode):
            yield from _rooms(path)


IMPORTED: Final = look()
"""The identity of what this process has imported."""


class _Watch:
    """The last look at the files."""

    def __init__(self) -> None:
        self.changed = False
        self.due = 0.0


_watch = _Watch()


def changed() -> bool:
    """Tell whether the files that are there now are others than those that were imported."""
    now = clock.monotonic()
    if now >= _watch.due:
        _watch.changed, _watch.due = look() != IMPORTED, now + _PAUSE
    return _watch.changed
