"""Claims about store/durations.py: what tasks took is known to the next run, and costs no result."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

import flowcore as fc
from flowcore.store.directory import open_store
from flowcore.store.durations import Cost, read_durations
from flowcore.store.fs import DISK, Disk, PathLike
from flowcore.store.gc import clear
from flowcore.store.layout import Layout
from flowcore.testing.disks import WRITING, FaultyDisk
from tests.store.conftest import Begin

TASK = "science.erode"
OTHER = "science.rain"


class NotingDisk(Disk):
    """Notes what gets a second name."""

    def __init__(self) -> None:
        self.linked: list[str] = []

    def link(self, source: PathLike, target: PathLike) -> None:
        """Note the new name."""
        self.linked.append(str(target))
        super().link(source, target)


def known(store: Path) -> dict[str, Cost]:
    """Give what a store knows of tasks."""
    return read_durations(DISK, Layout(store))


def learn(begin: Begin, task: str, cells: int, seconds: float, *, peak: int = 0) -> None:
    """Let one run learn this."""
    run = begin()
    run.durations.learn(task, cells, seconds, [peak] if peak else [])
    run.release()


def test_what_a_run_learned_is_known_to_the_next(begin: Begin, store: Path) -> None:
    """Mean seconds and the highest memory of each task; what another run learned of other tasks stays."""
    learn(begin, TASK, 4, 8.0, peak=100)
    learn(begin, OTHER, 1, 0.5)

    assert {TASK: Cost(cells=4, seconds=2.0, peak=100), OTHER: Cost(cells=1, seconds=0.5)} == known(store)
    assert known(store)[TASK] == begin().durations.of(TASK)


def test_newer_cells_count_for_no_less_than_all_before(begin: Begin, store: Path) -> None:
    """A task that has become slower is known to be slower after one run, however often it ran before."""
    learn(begin, TASK, 1000, 1000.0)
    learn(begin, TASK, 10, 30.0)

    assert 2.0 == known(store)[TASK].seconds


def test_a_run_with_nothing_new_writes_nothing(begin: Begin, store: Path) -> None:
    """As long as tasks take what they took, the file stays the same one; two are there at most."""
    learn(begin, TASK, 4, 8.0)
    first = sorted(path.name for path in (store / "v1/index").iterdir())
    learn(begin, TASK, 4, 8.1)
    second = sorted(path.name for path in (store / "v1/index").iterdir())
    for seconds in (100.0, 1000.0, 10000.0):
        learn(begin, TASK, 4, seconds)

    assert first == second
    assert 2 == len(list((store / "v1/index").glob("*.tasks")))


def test_a_warm_run_writes_nothing_of_it(store: Path) -> None:
    """A run whose cells are all answered has no use for what they took."""

    @fc.compute(runner="inline")
    def double(x: int) -> int:
        return 2 * x

    def written() -> int:
        disk = NotingDisk()
        with fc.Flow("warm") as flow:
            double(fc.each(x=[1, 2]))
        flow.run(store=open_store(store, disk=disk), progress=False)
        return sum(path.endswith(".tasks") for path in disk.linked)

    assert 1 == written()
    assert 0 == written()


@pytest.mark.parametrize("at", [10, 50, -3])
def test_a_damaged_file_is_passed_over(begin: Begin, store: Path, at: int) -> None:
    """One that does not verify says nothing; the one before it does."""
    learn(begin, TASK, 4, 8.0)
    learn(begin, TASK, 4, 80.0)
    newest = max((store / "v1/index").glob("*.tasks"))
    content = bytearray(newest.read_bytes())
    content[at] ^= 0xFF
    newest.write_bytes(bytes(content))

    assert 2.0 == known(store)[TASK].seconds


@pytest.mark.contract("P8")
@pytest.mark.parametrize("at", range(1, 7))
def test_a_file_that_cannot_be_written_costs_nothing(begin: Begin, store: Path, at: int) -> None:
    """Whatever fails, nothing is raised, and nothing partial is read later."""
    run = begin()
    run.durations.learn(TASK, 4, 8.0)
    run.durations._disk = FaultyDisk(at, error=errno.ENOSPC, only=WRITING)  # noqa: SLF001
    run.durations.close()

    assert known(store) in ({}, {TASK: Cost(cells=4, seconds=2.0)})
    learn(begin, OTHER, 1, 1.0)
    assert OTHER in known(store)


def test_clear_removes_it(begin: Begin, store: Path) -> None:
    """What tasks took goes with the results."""
    learn(begin, TASK, 4, 8.0)
    clear(open_store(store))

    assert {} == known(store)
