"""Claims about store/sources.py: texts are kept once, for this user alone, and cost no result."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

import pytest

from flowcore.store.fs import DISK
from flowcore.store.layout import Layout
from flowcore.store.sources import read_source
from flowcore.testing.disks import WRITING, FaultyDisk
from tests.store.conftest import Begin

DIGEST = bytes(range(32))


def test_a_text_comes_back(begin: Begin, store: Path) -> None:
    """Any text, by the digest of its function; it is then no longer missing, also for the next run."""
    run = begin()
    missing = run.sources.missing([DIGEST])
    run.sources.put(DIGEST, "def f():\n    return '\u00e9\ud800'\n")

    assert {DIGEST} == missing
    assert read_source(Layout(store), DIGEST).startswith("def f():\n    return '\u00e9")
    assert set() == begin().sources.missing([DIGEST])
    assert "" == read_source(Layout(store), bytes(32))


@pytest.mark.contract("S5")
def test_texts_are_for_this_user_alone(begin: Begin, store: Path) -> None:
    """The file and its folder are readable by nobody else."""
    begin().sources.put(DIGEST, "x = 1\n")
    path = Path(Layout(store).source(DIGEST))

    assert (0o600, 0o700) == (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode))
    assert [] == list((store / "v1" / "tmp").rglob("*.*"))


@pytest.mark.contract("P8")
@pytest.mark.parametrize("at", range(1, 8))
def test_a_text_that_cannot_be_written_is_left_out(begin: Begin, store: Path, at: int) -> None:
    """Whatever fails, nothing is raised, nothing partial has the name, and the next run may write it."""
    run = begin()
    run.sources._disk = FaultyDisk(at, error=errno.ENOSPC, only=WRITING)  # noqa: SLF001
    run.sources.put(DIGEST, "x = 1\n" * 100)

    assert read_source(Layout(store), DIGEST) in ("", "x = 1\n" * 100)
    begin().sources.put(DIGEST, "x = 1\n" * 100)
    assert "x = 1\n" * 100 == read_source(Layout(store), DIGEST)


def test_a_second_writer_changes_nothing(begin: Begin, store: Path) -> None:
    """The first text stays: the name says what it is of."""
    one, two = begin(), begin()
    one.sources.put(DIGEST, "first\n")
    two.sources.put(DIGEST, "second\n")

    assert "first\n" == read_source(Layout(store), DIGEST)


def test_a_huge_text_is_not_kept(begin: Begin, store: Path) -> None:
    """A diff of a generated file of megabytes helps nobody."""
    begin().sources.put(DIGEST, "x" * (1 << 19))

    assert "" == read_source(Layout(store), DIGEST)


def test_a_planted_link_is_not_followed(begin: Begin, store: Path, tmp_path: Path) -> None:
    """Reading opens plain files alone."""
    begin().sources.put(bytes(32), "x\n")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    Path(Layout(store).source(DIGEST)).symlink_to(secret)

    assert "" == read_source(Layout(store), DIGEST, disk=DISK)
