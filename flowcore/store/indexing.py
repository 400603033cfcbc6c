"""When an index is written, and how.

Owns the writing of `v1/index/<n>` and the removal of those it replaces. Promises that an
index gets its name whole and is never written again (contract J9), that two processes do
not write one at the same time where locks work, and that a store that cannot be written,
or a failing disk, costs nothing but the time that the next run takes to read the journals.
"""

from __future__ import annotations

from typing import Final

from flowcore.store.arrayfile import drop, publish
from flowcore.store.frames import HEADER_SIZE
from flowcore.store.fs import CREATE, Disk
from flowcore.store.indexfile import BadIndex, Covered, Source, write_index
from flowcore.store.layout import Layout, make_directory
from flowcore.store.listing import index_numbers
from flowcore.store.lock import RunLock
from flowcore.store.records import Records

WORTH: Final = 1 << 20  # bytes of journals that an index must cover anew to be worth its writing ...
_SHARE: Final = 16  # ... and no less than this part of what the last one covers, so that all writing stays linear
_KEPT: Final = 2  # indexes: should the newest be damaged, the one before it covers most


def is_due(records: Records, *, own: int = 0) -> bool:
    """Tell whether so much has been read, or written (`own` bytes), that the next run should not have to read it."""
    covered = sum(read.start - HEADER_SIZE for read in records.journals.values())
    beyond = sum(read.end - read.start for read in records.journals.values()) + own
    return beyond >= max(WORTH, covered // _SHARE)


def build_index(
    disk: Disk, layout: Layout, draft: str, records: Records, *, own: tuple[str, int] | None = None
) -> bool:
    """Write the index of all that a run knows; False if another process is at it, or it cannot be done.

    Parameters
    ----------
    disk, layout : Disk, Layout
        Where.
    draft : str
        A name in a run's workplace that is not taken.
    records : Records
        What there is.
    own : tuple of str and int, optional
        File name and end of the journal that the run itself has written.
    """
    try:
        make_directory(disk, layout.index)
        lock = RunLock(layout.index_lock, disk=disk)
        if not lock.take():
            return False
    except OSError:
        return False
    try:
        return _build(disk, layout, draft, records, own)
    except OSError:
        return False
    finally:
        drop(disk, draft)
        lock.release()


def _build(disk: Disk, layout: Layout, draft: str, records: Records, own: tuple[str, int] | None) -> bool:
    numbers = index_numbers(disk, layout)
    _write(disk, draft, records, own)
    number = max(numbers, default=0) + 1
    if not publish(disk, draft, layout.index_file(number)):
        return False
    for old in numbers[_KEPT - 1 :]:
        drop(disk, layout.index_file(old))
    return True


def _write(disk: Disk, draft: str, records: Records, own: tuple[str, int] | None) -> None:
    ends = {read.name: Covered(name=read.name, end=read.end, lost=read.lost) for read in records.journals.values()}
    if own is not None:
        ends[own[0]] = Covered(name=own[0], end=own[1], lost=0)
    names = {name: i for i, name in enumerate(ends)}
    sources = [Source(journal=names.get(name, -1), run_id=run_id) for name, run_id in records.places]
    for _ in range(2):
        fd = disk.open(draft, CREATE, 0o600)
        try:
            disk.chmod(fd, 0o600)
            write_index(
                disk, fd, records.index.batches(records.order()), journals=list(ends.values()), sources=sources,
                files=records.files,
            )  # fmt: skip
        except BadIndex:
            drop(disk, draft)
            records.index.leave_file_out()  # what it covered is read from the journals
        else:
            return
        finally:
            disk.close(fd)
