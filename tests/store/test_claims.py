"""Claims about store/claims.py: of all who come for a message, one begins it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flowcore.store.claims import claim, unclaim
from flowcore.store.directory import open_store
from flowcore.store.fs import DISK

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
