"""How much room a store takes, by kind of file.

Only lists and asks for sizes; follows no link, and counts what is not flowcore's as such.
"""

from __future__ import annotations

import stat
from typing import Final

from flowcore.dataclass import dataclass
from flowcore.store.fs import DIRECTORY, Disk
from flowcore.store.layout import Layout

KINDS: Final = {
    "arrays": "arrays", "files": "files", "journals": "journals", "index": "indexes", "checkpoints": "checkpoints",
    "code": "texts of code", "logs": "logs", "corrupt": "damaged files put aside", "tmp": "files being written",
}  # fmt: skip
_DEPTH: Final = 3  # directories below one of these


@dataclass(slots=True)
class Usage:
    """Files, and their bytes."""

    files: int = 0
    bytes: int = 0


def usage(disk: Disk, layout: Layout) -> dict[str, Usage]:
    """Give the room each kind of file takes."""
    return {kind: _below(disk, f"{layout.v1}/{name}", _DEPTH) for name, kind in KINDS.items()}


def total_size(disk: Disk, layout: Layout) -> int:
    """Give the bytes of all files of a store."""
    return sum(each.bytes for each in usage(disk, layout).values())


def _below(disk: Disk, path: str, depth: int) -> Usage:
    found = Usage()
    try:
        fd = disk.open(path, DIRECTORY)
    except OSError:
        return found
    try:
        names = disk.listdir(fd)
    except OSError:
        return found
    finally:
        disk.close(fd)
    for name in names:
        try:
            what = disk.stat(f"{path}/{name}")
        except OSError:
            continue
        if stat.S_ISREG(what.st_mode):
            found.files += 1
            found.bytes += what.st_size
        elif stat.S_ISDIR(what.st_mode) and depth:
            inner = _below(disk, f"{path}/{name}", depth - 1)
            found.files += inner.files
            found.bytes += inner.bytes
    return found
