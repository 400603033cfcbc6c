"""What is kept, and found again: small calls and large arrays, cold and warm.

A peer's cache is a serial loop, as one writes it. Our small calls go through workers
when they are cold; a warm run starts none.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import flowcore as fc
from tests.bench import tasks
from tests.bench.rounds import Samples, alternate, seconds
from tests.bench.rows.arena import Arena
from tests.bench.table import OURS, Budget, Row

Phase = Callable[[], Any]
MEMORY, FILES = "joblib.Memory", "np.save and np.load"


class Twice:
    """A contender whose two phases, cold and warm, are timed in one go, and cleared away."""

    def __init__(self, cold: Callable[[Path], Phase], warm: Callable[[Path], Phase]) -> None:
        self._phases = cold, warm
        self.warm: list[float] = []

    def __call__(self) -> float:
        """Give the seconds of the cold phase; those of the warm one are noted."""
        root = Path(tempfile.mkdtemp(prefix="bench-"))
        try:
            cold, warm = (seconds(phase(root)) for phase in self._phases)
        finally:
            shutil.rmtree(root, ignore_errors=True)
        self.warm.append(warm)
        return cold


def _both(contenders: dict[str, Twice], times: int, scale: float) -> tuple[dict[str, Samples], dict[str, Samples]]:
    found = alternate(contenders, times=times)
    cold = {name: Samples(figures=[f * scale for f in s.figures], refusal=s.refusal) for name, s in found.items()}
    warm = {
        name: Samples(figures=[f * scale for f in contenders[name].warm] if not s.refusal else [], refusal=s.refusal)
        for name, s in found.items()
    }
    return cold, warm


def small_rows(arena: Arena) -> list[Row]:
    """Calls that do nothing, kept one by one."""
    calls = arena.pick(2_000, 200)

    def ours(root: Path, hits: int) -> Phase:
        def run() -> None:
            with fc.Flow("small") as flow:
                cells = tasks.nothing_cell(fc.each(x=range(calls)))
            done = flow.run(store=root, workers=arena.workers, progress=False)
            assert list(range(calls)) == done[cells].array().tolist()
            assert hits == done.counts(cells).hit

        return run

    def memory(root: Path) -> Phase:
        kept = _memory(root, tasks.nothing)

        def run() -> None:
            assert list(range(calls)) == [kept(x) for x in range(calls)]

        return run

    contenders = {
        OURS: Twice(lambda root: ours(root, 0), lambda root: ours(root, calls)),
        MEMORY: Twice(memory, memory),
    }
    cold, warm = _both(contenders, arena.rounds, 1e6 / calls)
    return [
        Row(
            name=f"{calls} small calls, {phase}", unit="us a call", samples=samples,
            budgets=(Budget(peer=MEMORY, allowed=allowed),), meaning=meaning,
        )
        for phase, samples, allowed, meaning in (("cold", cold, 0.17, 60), ("warm", warm, 0.08, 15))
    ]  # fmt: skip


def large_rows(arena: Arena) -> list[Row]:
    """Arrays made and kept by one process; then found, and summed."""
    count, size = 4, arena.pick(64, 8) * 2**20
    expected = [float(size // 8 * seed) for seed in range(count)]

    def ours(root: Path) -> Phase:
        def run() -> None:
            with fc.Flow("large") as flow:
                cells = tasks.make_cell(fc.each(seed=range(count)), size)
            done = flow.run(store=root, workers=1, progress=False)
            if done.counts(cells).hit:
                assert expected == [float(done[cells][seed].sum()) for seed in range(count)]

        return run

    def memory(warm: bool) -> Callable[[Path], Phase]:
        def phase(root: Path) -> Phase:
            kept = _memory(root, tasks.make, mmap_mode="r")

            def run() -> None:
                arrays = [kept(seed, size) for seed in range(count)]
                if warm:
                    assert expected == [float(array.sum()) for array in arrays]

            return run

        return phase

    contenders = {
        OURS: Twice(ours, ours),
        FILES: Twice(lambda root: lambda: _save(root, count, size), lambda root: lambda: _load(root, expected)),
        MEMORY: Twice(memory(False), memory(True)),
    }
    cold, warm = _both(contenders, arena.rounds, 1e3 / count)
    name = f"arrays of {size >> 20} MiB"
    kept = Row(
        name=f"{name}, made and kept", unit="ms an array", samples=cold,
        budgets=(Budget(peer=FILES, allowed=1 / 0.7),), meaning=64,
    )  # fmt: skip
    found = Row(
        name=f"{name}, found, verified and summed", unit="ms an array", samples=warm,
        budgets=(Budget(peer=FILES, allowed=1 / 0.44),), meaning=26,
    )  # fmt: skip
    return [kept, found]


def _memory(root: Path, function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    import joblib  # the bench extra brings it, and only who measures needs it

    cached: Callable[..., Any] = joblib.Memory(root, verbose=0, **options).cache(function)
    return cached


def _save(root: Path, count: int, size: int) -> None:
    for seed in range(count):
        np.save(root / "new.npy", tasks.make(seed, size))
        os.replace(root / "new.npy", root / f"{seed}.npy")


def _load(root: Path, expected: list[float]) -> None:
    found = [float(np.load(root / f"{seed}.npy", mmap_mode="r").sum()) for seed in range(len(expected))]
    assert expected == found
