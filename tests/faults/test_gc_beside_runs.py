"""Claims about collections beside live runs: every value is right, and what was there is at most made again."""

from __future__ import annotations

import os
import random
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import flowcore as fc
from flowcore.store import gc as gc_room
from flowcore.store.cache import Hit
from flowcore.store.directory import open_store
from flowcore.store.gc import Busy, collect
from flowcore.store.verify import verify
from tests.store.children import at_once
from tests.store.test_cache import key, trace_of

CELLS = 120


def value(i: int) -> object:
    """Give a small value, or an array."""
    return np.full(2500, i, np.float64) if i % 3 == 0 else i / 4


def _run_over_and_over(store: Path, seed: int) -> None:
    """Judge cells in many runs, record those that miss, and check what the others give."""
    chance = random.Random(seed)
    for _ in range(12):
        run = open_store(store).begin(tell=lambda _: None)
        cells = sorted(chance.sample(range(CELLS), 40))
        expected = {i: trace_of(run, range(i, i + 1), value) for i in cells}
        answers = dict(zip(cells, run.cache.judge([key(i) for i in cells]), strict=True))
        for i, answer in answers.items():
            if isinstance(answer, Hit):
                assert answer.record == expected[i].records[0], f"cell {i} has another value"
            else:
                run.cache.record(expected[i])
        run.close("done")
        run.release()


def _collect_over_and_over(store: Path) -> None:
    """Pack and evict as long as the others run."""
    for n in range(40):
        try:
            collect(open_store(store), to=200_000 if n % 3 == 0 else None, keep_runs=n % 2)
        except Busy:
            continue


@pytest.mark.contract("F16", "F25", "J9", "T4")
def test_collections_beside_runs_that_judge_and_record(tmp_path: Path) -> None:
    """Two processes collect while two others run: no wrong hit, and in the end all is sound."""
    store = tmp_path / "store"
    _run_over_and_over(store, 0)
    acts = [partial(_run_over_and_over, store, 1), partial(_run_over_and_over, store, 2)]
    codes = at_once([*acts, *[partial(_collect_over_and_over, store)] * 2])
    found = verify(open_store(store))

    assert [0] * 4 == codes
    assert [] == found.flaws


@fc.compute
def field(i: int) -> np.ndarray:
    """Give an array that does not fit a record."""
    return np.full(2500, i, np.float64)


@fc.compute
def middle(values: np.ndarray) -> float:
    """Read it."""
    return float(values[1250])


def unlinking(store: Path, done: threading.Event) -> None:
    """Unlink arrays at random until told to end."""
    chance = random.Random(5)
    while not done.is_set():
        paths = list((store / "v1" / "arrays").rglob("*.npy"))
        for path in chance.sample(paths, min(3, len(paths))):
            path.unlink(missing_ok=True)


@pytest.mark.contract("F25")
@pytest.mark.parametrize("cells", [150, pytest.param(10_000, marks=pytest.mark.slow)])
def test_arrays_vanish_under_a_live_run(tmp_path: Path, cells: int) -> None:
    """A thread unlinks what it finds through all reads of a run: every value is right, and nobody is blamed."""
    store = tmp_path / "store"
    with fc.Flow("vanishing") as flow:
        read = middle(field(fc.each(i=range(cells))))
    flow.run(store=store, workers=2, progress=False)
    done = threading.Event()
    thread = threading.Thread(target=unlinking, args=(store, done))
    thread.start()
    try:
        run = flow.run(read, store=store, workers=2, progress=False, refresh="middle")
    finally:
        done.set()
        thread.join()

    assert list(map(float, range(cells))) == [run[read][{"i": i}] for i in range(cells)]
    assert () == tuple(run.failures)


@pytest.mark.contract("T4")
def test_a_collection_that_ignores_live_runs_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: without T4 a live run loses what it has just made."""
    run = open_store(tmp_path / "store").begin(tell=lambda _: None)
    run.cache.record(trace_of(run, range(0, 9, 3), value))
    monkeypatch.setattr(gc_room, "look_for_living", lambda *_: gc_room.Living(runs=set(), over={run.id}, since=2e9))
    collect(open_store(tmp_path / "store"), to=0, keep_runs=0)
    left = [isinstance(answer, Hit) for answer in run.cache.judge([key(0), key(3), key(6)])]
    run.close("done")
    run.release()

    assert [False] * 3 == left
    assert os.path.isdir(tmp_path)
