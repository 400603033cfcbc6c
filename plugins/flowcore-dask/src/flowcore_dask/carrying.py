"""The far side: a message is carried out by whoever of the cluster claims it first.

Dask hands the tasks of a worker that died to the next one, and suspects all. Here what was
begun is not begun again. So a cell that kills its worker kills one, cells that waited beside
it are carried out by others, and what the driver claims first is called back for good.
"""

from __future__ import annotations

from distributed import get_worker

from flowcore.run.executors.far import perform_far
from flowcore.store.claims import claim
from flowcore.store.fs import DISK

_LITTLE = 8192  # bytes of an answer that goes with the news of it; the scheduler remembers a client's last thousand


def carry(name: str, payload: bytes, spool: str, topic: str) -> bytes | None:
    """Carry a message out, if nobody has begun it; tell of it, and give an answer that is too long to be told."""
    worker, what, answer = get_worker(), b"lost", b""
    me = f"{worker.address}#{worker.id}"  # others may have had the address before
    whose = claim(DISK, spool, name, me)
    if whose == me:
        answer = perform_far(payload)
        what = b"told" if len(answer) <= _LITTLE else b"kept"
    # As plain bytes: Dask looks into everything else, at each station.
    worker.log_event(topic, b"%b %b %b " % (name.encode(), whose.encode(), what) + answer * (what == b"told"))
    return answer if what == b"kept" else None
