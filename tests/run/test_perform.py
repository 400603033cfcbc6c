"""Claims about run/perform.py: one cell, wherever it runs, comes to exactly one result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.plan.records import references
from flowcore.run.cell.slot import LocalSlot
from flowcore.run.job import Done, Failed, Interrupted, Job, Keep, Lost, Result, Skipped, TaskSpec
from flowcore.run.perform import Workplace, current, perform
from flowcore.store.codecs import Codec
from flowcore.store.directory import StoreRun, open_store
from flowcore.testing import FaultyDisk


@dataclass
class Bench:
    """A workplace on a store of its own."""

    place: Workplace
    run: StoreRun

    def of(self, function: Callable[..., Any], *values: object, keep: Keep = Keep.KEEP) -> list[Result]:
        """Perform a cell a value."""
        records = [self.place.codec.encode(value, keep=True).record for value in values]
        task = TaskSpec(id=id(function), name=function.__name__, live=function, positional=(["slot", 0],), keep=keep)
        numbers = list(range(len(records)))
        job = Job(task=task, attempts=numbers, numbers=numbers, columns=[records])
        results: list[Result] = []
        perform(job, self.place, results.append)
        return results


@pytest.fixture
def bench(store: Path) -> Iterator[Bench]:
    """Give a workplace."""
    run = open_store(store).begin()
    yield Bench(Workplace(codec=Codec(kept=run.blobs, passed=run.spool), slot=LocalSlot()), run)
    run.release()


def test_values_are_reported_one_by_one(bench: Bench) -> None:
    """In order; whoever carries them puts them together."""
    results = bench.of(lambda x: x + 1, 1, 2, 3)

    assert [Done] * 3 == [type(result) for result in results]
    assert [[0], [1], [2]] == [result.attempts for result in results if isinstance(result, Done)]


@pytest.mark.contract("F8")
@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError])
def test_whatever_is_raised_is_a_failure_of_that_cell(bench: Bench, error: type[BaseException]) -> None:
    """The next one runs."""

    def some(x: int) -> int:
        if x == 2:
            raise error("two")
        return x

    assert [Done, Failed, Done] == [type(result) for result in bench.of(some, 1, 2, 3)]


def test_a_skip_has_a_reason(bench: Bench) -> None:
    """And is no failure."""

    def some(x: int) -> int:
        raise fc.Skip("no data")

    (result,) = bench.of(some, 1)

    assert isinstance(result, Skipped)
    assert "no data" == result.reason


@pytest.mark.contract("F25")
def test_an_unreadable_input_is_lost(bench: Bench) -> None:
    """Nobody is blamed, and the array is named."""
    results: list[Result] = []
    task = TaskSpec(id=1, name="read", live=np.sum, positional=(["slot", 0],))
    record = bench.place.codec.encode(np.arange(5000.0), keep=False).record
    ((digest, _, _),) = references(record)
    bench.run.spool.set_aside(digest)
    perform(Job(task=task, attempts=[7], numbers=[0], columns=[[record]]), bench.place, results.append)

    assert [Lost(attempt=7, digest=digest)] == results


def test_stopping_interrupts_what_is_not_begun(bench: Bench) -> None:
    """The cell that runs ends as it would."""

    def some(x: int) -> int:
        if x == 2:
            bench.place.slot.ask_to_stop()  # type: ignore[attr-defined]
        return x

    results = bench.of(some, 1, 2, 3, 4)

    assert [Done, Done, Interrupted] == [type(result) for result in results]
    assert Interrupted(attempts=[2, 3]) == results[-1]


@pytest.mark.contract("F31", "K29")
def test_each_cell_may_write_into_what_it_is_given(bench: Bench) -> None:
    """Two cells of one job that are given the same list do not see each other."""
    assert [[1, 1]] * 2 == [
        bench.place.codec.decode(result.records[0]) for result in bench.of(lambda x: x + x, [1], [1])
        if isinstance(result, Done)
    ]  # fmt: skip


def test_a_large_input_is_mapped_once_a_cell(store: Path) -> None:
    """Nothing of it is read to find out what it is."""
    disk = FaultyDisk(only=("map",))
    run = open_store(store, disk=disk).begin()
    bench = Bench(Workplace(codec=Codec(kept=run.blobs, passed=run.spool), slot=LocalSlot()), run)
    bench.of(np.sum, np.arange(200_000.0))
    one = len(disk.log)
    bench.of(np.sum, *[np.arange(200_000.0)] * 3)
    run.release()

    assert (1, 1 + 3) == (one, len(disk.log))


def test_what_must_be_kept_and_cannot_is_a_failure(bench: Bench) -> None:
    """Else it is passed on, and the leaf is named."""
    (failed,) = bench.of(lambda x: object, 1, keep=Keep.REQUIRED)
    (passed,) = bench.of(lambda x: object, 1)

    assert isinstance(failed, Failed)
    assert "NotStorable" in failed.failure.type
    assert isinstance(passed, Done)
    assert (b"", 1) == (passed.components[0], len(passed.refusals))


def test_a_running_cell_knows_where_it_is(bench: Bench) -> None:
    """And nobody else does, afterwards."""

    def some(x: int) -> int:
        context = current.get()
        assert context is not None
        return context.number

    results = bench.of(some, 1, 1)

    assert [0, 1] == [bench.place.codec.decode(r.records[0]) for r in results if isinstance(r, Done)]
    assert None is current.get()
