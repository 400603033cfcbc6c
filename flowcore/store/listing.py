"""Which journals a store has, and the newest index of them.

Owns the names: `<run>.journal` is written by its run, `<id>.pack` holds what was left of
older ones, written whole and never again. Only lists and opens (contract J5, J9).
"""

from __future__ import annotations

import re
from typing import Final

from flowcore.store.fs import Disk
from flowcore.store.indexfile import BadIndex, IndexFile
from flowcore.store.layout import RUN_ID, Layout

JOURNAL: Final = ".journal"
PACK: Final = ".pack"
_JOURNAL_NAME: Final = re.compile(rf"{RUN_ID.pattern}\.(journal|pack)")
INDEX_NAME: Final = re.compile(r"[0-9]{1,15}")


def run_ids(disk: Disk, layout: Layout) -> list[str]:
    """Name the runs that have a journal of their own, oldest first."""
    return [name.removesuffix(JOURNAL) for name in journal_names(disk, layout) if name.endswith(JOURNAL)]


def journal_names(disk: Disk, layout: Layout) -> list[str]:
    """Name the files that hold records, oldest first."""
    try:
        names = disk.listdir(layout.journals)
    except OSError:
        return []
    return sorted(filter(_JOURNAL_NAME.fullmatch, names))


def index_numbers(disk: Disk, layout: Layout) -> list[int]:
    """Give the numbers of the persisted indexes, the newest first."""
    try:
        names = disk.listdir(layout.index)
    except OSError:
        return []
    return sorted((int(name) for name in names if INDEX_NAME.fullmatch(name)), reverse=True)


def newest_index(disk: Disk, layout: Layout, *, mapped: bool = True) -> IndexFile | None:
    """Open the newest index whose head verifies."""
    for number in index_numbers(disk, layout):
        try:
            return IndexFile(layout.index_file(number), disk=disk, mapped=mapped)
        except (BadIndex, OSError):
            continue
    return None
