"""Which runs of a store may still go on, and what was published since the first of them began.

Owns the judgement for whoever removes things. Promises to call a run dead only if it
certainly is: its lock is free, or it has written its end, or it is of another boot and has
not written for a day (contract T2, T4). Only looks.
"""

from __future__ import annotations

from typing import Final

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.store.frames import open_journal
from flowcore.store.fs import Disk
from flowcore.store.history import read_end
from flowcore.store.layout import RUN_ID, Layout, exists, run_began
from flowcore.store.leftovers import is_dead
from flowcore.store.listing import run_ids
from flowcore.store.lock import RunLock

MARGIN: Final = 600.0  # seconds that clocks of machines which share a store may differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Living:
    """The runs that may go on.

    Attributes
    ----------
    runs : set of str
        Their ids.
    over : set of str
        Those that certainly do not. A run that is in neither has begun since: it lives.
    since : float
        By the clock of the store's filesystem: what is older was there before any of them began.
    """

    runs: set[str]
    over: set[str]
    since: float


def look_for_living(disk: Disk, layout: Layout, now: float) -> Living:
    """Find the runs that may go on; `now` is the time by the clock of the store's filesystem."""
    try:
        at_work = {name for name in disk.listdir(layout.tmp) if RUN_ID.fullmatch(name)}
    except OSError:
        at_work = set()
    known = {*run_ids(disk, layout), *at_work}
    over = {run for run in known if _over(disk, layout, run, now)}
    runs = known - over
    skew = now - clock.wall()
    began = [_began(run, now) + min(skew, 0.0) for run in runs]
    return Living(runs=runs, over=over, since=min([now, *began]) - MARGIN)


def may_live(disk: Disk, layout: Layout, run_id: str, living: Living) -> bool:
    """Tell of a run that something names whether it may go on: one without journal and workplace does not."""
    if run_id in living.over or not RUN_ID.fullmatch(run_id):
        return False
    return exists(disk, layout.journal(run_id)) or exists(disk, layout.workplace(run_id))


def _over(disk: Disk, layout: Layout, run_id: str, now: float) -> bool:
    if is_dead(disk, layout, run_id, now):
        return True
    if RunLock(layout.lock(run_id), disk=disk).held():
        return False
    if read_end(layout.journal(run_id), disk=disk) is not None:
        return True  # of whatever boot: who has written his end keeps nothing more
    opened = open_journal(disk, layout.journal(run_id))
    if opened is None:  # no journal, or one of another version
        return not exists(disk, layout.workplace(run_id))
    disk.close(opened[0])
    return False


def _began(run_id: str, now: float) -> float:
    try:
        return run_began(run_id) + int(run_id[16:21], 16) / 1e6  # as `new_run_id` makes them
    except ValueError:
        return now - 10 * MARGIN
