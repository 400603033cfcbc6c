"""Claims about store/verified.py: an array is hashed once in a run, whoever is first, and again in the next run.

That something is not hashed shows in that damage is not found: each test damages the file behind the store's back.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowcore.plan.encode import ValueGone
from flowcore.store.blobs import Blobs
from flowcore.store.directory import Store, StoreRun
from flowcore.store.fs import DISK
from flowcore.store.verified import SHARED_FROM, Verified
from tests.store.conftest import Begin

HEADER = b"H" * 128
SIZE = SHARED_FROM


def worker(run: StoreRun) -> Blobs:
    """Give what a worker of a run has."""
    told: list[object] = []
    return Store.attach(run.root, run.id, run.spool.path, durable=False, writable=True, tell=told.append).blobs


def damage(run: StoreRun, digest: bytes) -> None:
    """Flip a bit of the last byte of an array's file."""
    path = Path(run.blobs.path(digest))
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def hashes(blobs: Blobs, digest: bytes, size: int = SIZE) -> bool:
    """Tell whether an array that was damaged is looked at."""
    try:
        blobs.map(digest, HEADER, size)
    except ValueGone:
        return True
    return False


@pytest.mark.contract("B8")
@pytest.mark.parametrize("how", ["put", "verified"])
def test_what_one_process_vouches_for_the_others_do_not_hash(begin: Begin, how: str) -> None:
    """Because it has linked it, or because it has hashed it."""
    data = memoryview(os.urandom(SIZE))
    digest = begin().blobs.put(HEADER, data)
    run = begin()
    first = worker(run)
    if how == "put":
        data = memoryview(os.urandom(SIZE))
        digest = first.put(HEADER, data)
    else:
        first.map(digest, HEADER, SIZE)
    damage(run, digest)

    assert [False] * 3 == [hashes(blobs, digest) for blobs in (first, worker(run), run.blobs)]


@pytest.mark.contract("B8", "P2", "F22")
def test_the_next_run_hashes_it_anew(begin: Begin) -> None:
    """What was sound yesterday may have rotted since."""
    before = begin()
    digest = before.blobs.put(HEADER, memoryview(os.urandom(SIZE)))
    damage(before, digest)

    assert hashes(begin().blobs, digest)


@pytest.mark.contract("B8", "P2")
def test_an_equal_array_that_was_there_before_is_not_vouched_for(begin: Begin) -> None:
    """Whoever puts it has not looked at the file that has its name."""
    data = memoryview(os.urandom((1 << 20) + 5))
    digest = begin().blobs.put(HEADER, data)
    run = begin()
    damage(run, digest)
    again = run.blobs.put(HEADER, data)

    assert digest == again
    assert hashes(run.blobs, digest, len(data))


def test_small_arrays_are_hashed_by_each_process(begin: Begin) -> None:
    """That is quicker than to tell of them; but each does it once."""
    run = begin()
    digest = worker(run).put(HEADER, memoryview(os.urandom(3000)))
    run.blobs.map(digest, HEADER, 3000)
    damage(run, digest)

    assert (False, True) == (hashes(run.blobs, digest, 3000), hashes(worker(run), digest, 3000))


@pytest.mark.contract("B8", "P2")
def test_half_an_entry_vouches_for_nothing(tmp_path: Path) -> None:
    """As a process leaves that is killed while it tells."""
    path, digests = tmp_path / "verified", [os.urandom(32) for _ in range(3)]
    path.write_bytes(digests[0] + digests[1] + digests[2][:31])
    known = Verified(str(path), disk=DISK)
    found = [known.knows(digest, SIZE) for digest in digests]
    known.close()

    assert [True, True, False] == found
