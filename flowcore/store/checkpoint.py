"""The saved states of a store's cells, by key.

Owns `checkpoints/`: which cells have states in it, and their removal. Promises that a
state is only ever found under its own key (contract C1, F34): what was saved for the same
cell by other code is told of, and taken up by whoever says so (E12). What a state consists
of is said in `generations.py`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from flowcore.store.arrayfile import Unread, copy_draft
from flowcore.store.fs import Disk
from flowcore.store.generations import Generations, Home
from flowcore.store.history import lives, read_end
from flowcore.store.layout import Layout, make_directory
from flowcore.store.manifest import Manifest
from flowcore.store.trouble import Trouble

_KEY: Final = re.compile(r"[0-9a-f]{64}")


class Checkpoints:
    """The saved states of a store, as one process of one run sees them. Any thread.

    Parameters
    ----------
    home : Home
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self._seen: dict[str, tuple[str, str, str]] = {}  # directory -> task, cell and mark of its newest manifest

    def at(self, key: bytes) -> Generations:
        """Give the states of the cell with this key."""
        return Generations(self.home, key)

    def others(self, key: bytes, *, task: str, cell: str) -> list[tuple[bytes, Manifest]]:
        """Give the newest unfinished state of the same cell under other keys, newest first.

        One whose run still lives is nobody else's: it is not among them.
        """
        found = []
        for name in self._directories():
            if name == key.hex():
                continue
            if self._about(name)[:2] != (task, cell) or self._about(name)[2] == "end":
                continue
            other = bytes.fromhex(name)
            newest = next(iter(self.at(other).found()), None)
            if newest is not None and not self._lives(newest[1].run):
                found.append((other, newest[1]))
        return sorted(found, key=lambda pair: pair[1].wall, reverse=True)

    def remove(self, key: bytes) -> None:
        """Remove all states of a cell, the newest last; what cannot be removed stays."""
        self.at(key).remove()

    def _directories(self) -> list[str]:
        try:
            return [name for name in self.home.disk.listdir(self.home.layout.checkpoints) if _KEY.fullmatch(name)]
        except OSError:
            return []

    def _about(self, name: str) -> tuple[str, str, str]:
        """Give task, cell and mark of a directory's newest state; looked at once."""
        known = self._seen.get(name)
        if known is None:
            newest = next(iter(self.at(bytes.fromhex(name)).found()), None)
            known = ("", "", "") if newest is None else (newest[1].task, newest[1].cell, newest[1].mark)
            self._seen[name] = known
        return known

    def _lives(self, run: str) -> bool:
        disk, layout = self.home.disk, self.home.layout
        if not run or run == self.home.run_id or read_end(layout.journal(run), disk=disk) is not None:
            return False
        return lives(layout.root, run, disk=disk)


def copied(states: Checkpoints, key: bytes, directory: str) -> Checkpoints:
    """Copy the states of one cell to a directory of their own, for whoever goes on from them apart from all runs.

    Parameters
    ----------
    states : Checkpoints
        Only read: the run that they belong to may live.
    key : bytes
    directory : str
        Empty, and the caller's to remove.
    """
    disk, layout = states.home.disk, Layout(Path(directory))
    home = replace(states.home, layout=layout, trouble=Trouble(directory, disk=disk, tell=lambda _: None))
    here, there = states.home.layout.checkpoint(key), layout.checkpoint(key)
    try:
        names = disk.listdir(here)
    except OSError:
        return Checkpoints(home)
    for place in (layout.v1, layout.checkpoints, there):
        make_directory(disk, place)
    for name in names:
        with suppress(OSError, Unread):  # superseded this instant: there is a newer one
            _copy(disk, f"{here}/{name}", f"{there}/{name}")
    return Checkpoints(home)


def _copy(disk: Disk, source: str, target: str) -> None:
    fd = disk.open(source)
    try:
        copy_draft(disk, fd, target, suffix="", durable=False)
    finally:
        disk.close(fd)
    fd = disk.open(target)
    try:
        disk.chmod(fd, 0o600)  # a series is added to
    finally:
        disk.close(fd)
