"""Claims about store/claims.py: of all who come for a message, one begins it."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flowcore.store.claims import claim, unclaim
from flowcore.store.directory import open_store
from flowcore.store.fs import DISK
from flowcore.testing import FaultyDisk

NAME = "0123456789abcdef" * 2


def test_who_comes_second_is_told_who_was_first(tmp_path: Path) -> None:
    """And so is everybody after."""
    found = [claim(DISK, str(tmp_path), NAME, who) for who in ("tcp://a:1", "tcp://b:2", "driver")]

    assert ["tcp://a:1"] * 3 == found


def test_one_of_many_has_it(tmp_path: Path) -> None:
    """Whoever that is; none of the others thinks the same."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: claim(DISK, str(tmp_path), NAME, str(i)) == str(i), range(64)))

    assert 1 == sum(found)


def test_what_was_forgotten_can_be_claimed_again(tmp_path: Path) -> None:
    """To forget what nobody has claimed does no harm."""
    claim(DISK, str(tmp_path), NAME, "first")
    unclaim(DISK, str(tmp_path), NAME)
    unclaim(DISK, str(tmp_path), NAME)

    assert "second" == claim(DISK, str(tmp_path), NAME, "second")


def test_claims_of_one_stand_by_themselves(tmp_path: Path) -> None:
    """They share a file that says whose they are; what is forgotten of one, no other misses."""
    names = [f"{i:032x}" for i in range(3)]
    mine = [claim(DISK, str(tmp_path), name, "tcp://a:1") for name in names]
    unclaim(DISK, str(tmp_path), names[0])
    found = [claim(DISK, str(tmp_path), name, "tcp://b:2") for name in names]

    assert (["tcp://a:1"] * 3, ["tcp://b:2", "tcp://a:1", "tcp://a:1"]) == (mine, found)


def test_a_filesystem_without_links_takes_claims(tmp_path: Path) -> None:
    """Each is a file of its own then."""
    disk = FaultyDisk(1, error=errno.EPERM, lasting=True, only=("link",))
    names = [f"{i:032x}" for i in range(2)]
    found = [claim(disk, str(tmp_path), name, who) for name in names for who in ("tcp://a:1", "tcp://b:2")]

    assert ["tcp://a:1"] * 4 == found


def test_who_could_not_say_who_it_is_has_no_links(tmp_path: Path) -> None:
    """A full disk cuts one claim's name short, and none of those that come after."""
    full = FaultyDisk(1, error=errno.ENOSPC, lasting=True, only=("write",))
    names = [f"{i:032x}" for i in range(2)]
    claim(full, str(tmp_path), names[0], "tcp://a:1")
    claim(DISK, str(tmp_path), names[1], "tcp://a:1")
    short, whole = [claim(DISK, str(tmp_path), name, "tcp://b:2") for name in names]

    assert (True, "tcp://a:1") == (len(short) < len("tcp://a:1"), whole)


def test_without_a_spool_everybody_has_it(tmp_path: Path) -> None:
    """Nothing is left undone for want of a file."""
    assert ["a", "b"] == [claim(DISK, f"{tmp_path}/gone", NAME, who) for who in "ab"]


@pytest.mark.contract("F24")
def test_nothing_stays(tmp_path: Path) -> None:
    """What is claimed in a run's spool is swept with it."""
    run = open_store(tmp_path / "store").begin(away=True)
    spool = Path(run.spool.path)
    claim(DISK, str(spool), NAME, "somebody")
    run.close("done")
    run.release()

    assert not spool.exists()
