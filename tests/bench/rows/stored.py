"""A store by itself: cells judged, results kept, arguments hashed, a large one opened, whole warm processes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from flowcore.plan.encode import encode
from flowcore.plan.keys import NodeKeys
from flowcore.store.arrayfile import digest_of, pieces_of
from flowcore.store.cache import Hit, Trace
from flowcore.store.directory import StoreRun, open_store
from tests.bench import tasks
from tests.bench.rounds import Samples, alternate, seconds
from tests.bench.rows.arena import Arena
from tests.bench.rows.kept import MEMORY
from tests.bench.rows.whole import python
from tests.bench.table import OURS, Budget, Row

DISKCACHE, HASH = "diskcache", "joblib.hash"
_BATCH = 512  # cells that are judged together
_KEYS = NodeKeys(common={"code": b"c" * 32, "library": b"l" * 32}, own=["argument x"])
_WARM = """
import sys, time
began = time.perf_counter()
import flowcore as fc
from tests.bench import tasks
with fc.Flow("warm") as flow:
    cells = tasks.nothing_cell(fc.each(x=range({cells})))
run = flow.run(store={store!r}, workers={workers}, progress=False)
print(time.perf_counter() - began, run.counts(cells).hit)
"""


def judged_rows(arena: Arena) -> list[Row]:
    """Calls with one small argument, all of them kept: key made, record found."""
    calls = arena.pick(20_000, 1_000)
    few = calls // 10
    with _folder() as folder:
        run = _filled(folder / "ours", calls)
        kept, cached = _memory(folder / "joblib"), _diskcache(folder / "diskcache")
        for call in (kept, cached):
            for x in range(few):
                call(x)

        def ours() -> float:
            return seconds(lambda: _judge(run, calls)) / calls * 1e6

        works = {
            OURS: ours,
            MEMORY: lambda: seconds(lambda: [kept(x) for x in range(few)]) / few * 1e6,
            DISKCACHE: lambda: seconds(lambda: [cached(x) for x in range(few)]) / few * 1e6,
        }
        samples = alternate(works, times=arena.rounds)
        run.release()
    budgets = (Budget(peer=MEMORY, allowed=1 / 10), Budget(peer=DISKCACHE, allowed=1 / 3))
    sizes = {OURS: calls, MEMORY: few, DISKCACHE: few}
    return [Row(name="a warm cell judged", unit="us a cell", samples=samples, sizes=sizes, budgets=budgets, meaning=5)]


def array_kept_rows(arena: Arena) -> list[Row]:
    """An array kept, hash included; and one hashed as an argument."""
    array = np.random.default_rng(1).random(arena.pick(64, 8) * 2**17)
    argument = array[: 2**20]

    def ours() -> float:
        with _folder() as folder:
            run = open_store(folder / "store").begin()
            took = seconds(lambda: encode(array, put=run.blobs.put))
            run.close("done")
            run.release()
        return took * 1e3

    def memory() -> float:
        with _folder() as folder:
            kept = _memory(folder, lambda: array)
            return seconds(kept) * 1e3

    def joblib_hash() -> float:
        import joblib  # the bench extra brings it, and only who measures needs it

        return seconds(lambda: joblib.hash(argument)) * 1e3

    kept = alternate({OURS: ours, MEMORY: memory}, times=arena.rounds)
    hashed = alternate({OURS: lambda: seconds(lambda: _hash(argument)) * 1e3, HASH: joblib_hash}, times=arena.rounds)
    return [
        Row(name=f"an array of {array.nbytes >> 20} MiB kept", unit="ms", samples=kept,
            budgets=(Budget(peer=MEMORY, allowed=1.0),)),
        Row(name="an argument of 8 MiB hashed", unit="ms", samples=hashed, budgets=(Budget(peer=HASH, allowed=0.5),)),
    ]  # fmt: skip


def opened_rows(arena: Arena) -> list[Row]:
    """A store of many small results, opened by its next user."""
    cells = arena.pick(1_000_000, 50_000)
    with _folder() as folder:
        _filled(folder, cells).release()

        def opened() -> float:
            runs: list[StoreRun] = []
            took = seconds(lambda: runs.append(open_store(folder).begin()))
            assert isinstance(runs[0].cache.judge(_keys(range(cells - 1, cells)))[0], Hit)
            runs[0].release()
            return took

        samples = alternate({OURS: opened}, times=arena.rounds)
    return [Row(name=f"a store of {cells} results opened", unit="s", samples=samples, budgets=(Budget(allowed=0.2),))]


def warm_rows(arena: Arena) -> list[Row]:
    """Whole processes that are answered by the store alone."""
    rows = []
    for cells, allowed, times in ((10_000, 0.5, arena.rounds), (arena.pick(1_000_000, 20_000), 30.0, 1)):
        with _folder() as folder:
            store = str(folder / "store")
            source = _WARM.format(cells=cells, workers=arena.workers, store=store)
            _pythonic(source)

            def warm(source: str = source, cells: int = cells) -> float:
                return seconds(lambda: _answered(source, cells))

            samples: dict[str, Samples] = alternate({OURS: warm}, times=times)
        budget = (Budget(allowed=allowed),)
        rows.append(Row(name=f"whole process of {cells} warm cells", unit="s", samples=samples, budgets=budget))
    return rows


def _answered(source: str, cells: int) -> None:
    _, hits = _pythonic(source).split()
    assert cells == int(hits)


def _pythonic(source: str) -> str:
    """Run a script as users do, who have what Python compiles kept."""
    given = os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        return python(source)
    finally:
        if given is not None:
            os.environ["PYTHONDONTWRITEBYTECODE"] = given


def _keys(cells: range) -> list[bytes]:
    return _KEYS.keys([[b"\0" + encode(x, put=_nowhere).record for x in cells]])


def _judge(run: StoreRun, cells: int) -> None:
    hits = 0
    for start in range(0, cells, _BATCH):
        answers = run.cache.judge(_keys(range(start, min(start + _BATCH, cells))))
        hits += sum(isinstance(answer, Hit) for answer in answers)
    assert cells == hits


def _filled(root: Path, cells: int) -> StoreRun:
    """Keep so many small results, and begin the run that asks for them."""
    run = open_store(root).begin()
    for start in range(0, cells, _BATCH):
        numbers = range(start, min(start + _BATCH, cells))
        made = [encode(float(x), put=_nowhere) for x in numbers]
        run.cache.record(Trace(
            node=1, numbers=list(numbers), keys=_keys(numbers), components=[each.component for each in made],
            records=[each.record for each in made], seconds=[0.001] * len(numbers),
        ))  # fmt: skip
    run.close("done")
    run.release()
    return open_store(root).begin()


def _nowhere(header: bytes, data: memoryview) -> bytes:
    raise AssertionError("a small value has no file")


def _hash(array: Any) -> bytes:
    return encode(array, put=lambda header, data: digest_of(pieces_of(header, data))).component


def _memory(root: Path, function: Callable[..., Any] = tasks.nothing) -> Callable[..., Any]:
    import joblib  # the bench extra brings it, and only who measures needs it

    cached: Callable[..., Any] = joblib.Memory(root, verbose=0).cache(function)
    return cached


def _diskcache(root: Path) -> Callable[..., Any]:
    import diskcache  # likewise

    memoized: Callable[..., Any] = diskcache.Cache(str(root)).memoize()(tasks.nothing)
    return memoized


@contextmanager
def _folder() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)
