"""Claims about store/neighbours.py: which keys other live runs are computing, and since when nobody is."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from flowcore.errors import FlowcoreWarning
from flowcore.store.cache import Hit
from flowcore.store.directory import StoreRun
from flowcore.store.history import QUIET
from flowcore.store.neighbours import PAUSE, Neighbours
from flowcore.store.trace import Trace
from flowcore.testing import FakeClock, FaultyDisk
from tests.store.conftest import Begin

KEYS = [hashlib.blake2s(bytes([i])).digest() for i in range(4)]
ONE = b"\x01"  # the record of 1


def beat(run: StoreRun, *keys: bytes) -> None:
    """Let a run say that it is computing these."""
    run.cache.beat({"cells": len(keys), "computing": b"".join(keys)} if keys else {"cells": 0})


def record(run: StoreRun, *keys: bytes) -> None:
    """Let a run record a value for these."""
    count = len(keys)
    run.cache.record(Trace(node=0, numbers=list(range(count)), keys=list(keys), components=[b"\0" + ONE] * count,
                           records=[ONE] * count, seconds=[0.0] * count))  # fmt: skip


def neighbours(run: StoreRun) -> Neighbours:
    """Give a run's view of the others."""
    assert run.neighbours is not None
    return run.neighbours


def looked(run: StoreRun, clock: FakeClock) -> dict[bytes, str]:
    """Look, a second later, and give who computes what."""
    clock.advance(PAUSE)
    assert neighbours(run).look()
    return neighbours(run).claims


def answered(run: StoreRun, *keys: bytes) -> list[bool]:
    """Tell which keys have an answer."""
    return [isinstance(answer, Hit) for answer in run.cache.judge(keys)]


@pytest.mark.contract("J8", "F16")
def test_what_another_run_computes_is_known(begin: Begin) -> None:
    """From its last beat on, also if that was before we began, until it records a result or beats without it."""
    with FakeClock() as clock:
        other = begin()
        beat(other, *KEYS[:3])
        ours = begin()
        first = looked(ours, clock)
        record(other, KEYS[0])
        second = looked(ours, clock)
        beat(other, KEYS[2], KEYS[3])
        third = looked(ours, clock)
        beat(other)
        last = looked(ours, clock)

    assert dict.fromkeys(KEYS[:3], other.id) == first
    assert dict.fromkeys(KEYS[1:3], other.id) == second
    assert dict.fromkeys(KEYS[2:], other.id) == third
    assert {} == last


@pytest.mark.contract("J8", "P10")
def test_what_another_run_records_answers(begin: Begin) -> None:
    """As soon as it was read, several traces of a frame included, and never under `refresh`."""
    with FakeClock() as clock:
        ours, other = begin(), begin()
        looked(ours, clock)
        other.cache.node(7, {"name": "held back until there is company"})
        record(other, KEYS[0], KEYS[1])
        record(other, KEYS[2])
        before = answered(ours, *KEYS)
        looked(ours, clock)
        after = answered(ours, *KEYS)
        fresh = ours.cache.judge(KEYS[:1], fresh=[True])

    assert ([False] * 4, [True, True, True, False]) == (before, after)
    assert not isinstance(fresh[0], Hit)


@pytest.mark.contract("J8", "F17")
@pytest.mark.parametrize("how", ["end", "lock", "quiet", "gone"])
def test_a_run_that_will_say_no_more_is_not_waited_for(how: str, begin: Begin) -> None:
    """One that ended, lost its lock, showed no beat for a minute by our clock, or whose journal is gone."""
    with FakeClock() as clock:
        other, ours = begin(), begin()
        beat(other, KEYS[0])
        before = len(looked(ours, clock))
        match how:
            case "end":
                other.end("done", {})
            case "lock":
                assert other._writing is not None
                other._writing.journal._lock.release()
            case "quiet":
                clock.advance(QUIET - 2 * PAUSE)
                before += len(looked(ours, clock)) - 1
                clock.advance(PAUSE)
            case "gone":
                other.release()
        after = looked(ours, clock)
        beat(other, KEYS[0]) if how == "quiet" else None
        again = looked(ours, clock)

    assert (1, {}) == (before, after)
    assert ({KEYS[0]: other.id} if how == "quiet" else {}) == again


@pytest.mark.contract("J7", "F17", "F21")
@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EROFS, errno.ENOLCK])
def test_without_locks_nobody_is_waited_for(error: int, begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a lock cannot be tried, its run may be dead, and that would never be known."""
    with FakeClock() as clock:
        other, ours = begin(), begin()
        beat(other, KEYS[0])
        monkeypatch.setattr(fcntl, "flock", _refusing(error))
        claims = looked(ours, clock)
        record(other, KEYS[0])
        looked(ours, clock)
        monkeypatch.undo()

    assert {} == claims
    assert [True] == answered(ours, KEYS[0])


def _refusing(error: int) -> Any:
    def flock(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    return flock


@pytest.mark.contract("J8", "F29")
def test_a_run_alone_reads_nothing(store: Path, begin: Begin) -> None:
    """A look costs one listing a second, however often it is asked for, and however many runs there were."""
    for _ in range(3):
        earlier = begin()
        record(earlier, KEYS[0])
        earlier.release()
    with FakeClock() as clock:
        disk = FaultyDisk()
        ours = begin(disk)
        disk.log.clear()
        for _ in range(10):
            clock.advance(PAUSE / 4)
            neighbours(ours).look()

    assert ["listdir"] * 3 == disk.log


@pytest.mark.contract("J8", "P2")
@pytest.mark.parametrize("call", ["listdir", "open", "pread", "fstat", "stat"])
def test_trouble_with_reading_is_silent(call: str, begin: Begin, told: list[FlowcoreWarning]) -> None:
    """A look that fails at a call knows less, and the next one catches up."""
    with FakeClock() as clock:
        other = begin()
        disk = FaultyDisk(0, error=errno.ESTALE, only=(call,))
        ours = begin(disk)
        beat(other, KEYS[0])
        disk.at = disk.count + 1
        looked(ours, clock)
        later = looked(ours, clock)

    assert {KEYS[0]: other.id} == later
    assert [] == told
