"""Claims about run/executors/futures.py: the executor is the user's, and its losses are told."""

from __future__ import annotations

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.testing.cells import plus


class Losing(Executor):
    """Loses the first jobs, as a pool does whose worker died; then it is a pool of one thread."""

    def __init__(self, lost: int) -> None:
        self.lost = lost
        self.sizes: list[int] = []

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if self.lost:
            self.lost -= 1
            future.set_exception(OSError("a worker is gone"))
        else:
            future.set_result(function(*args, **kwargs))
        return future


def test_the_pool_is_left_open(store: Path) -> None:
    """Whoever opened it closes it."""
    flow = fc.Flow()
    grid = flow.add(plus, fc.each(x=range(20)))
    with ThreadPoolExecutor(2) as pool:
        run = flow.run(executor=pool, store=store, progress=False)
        after = pool.submit(plus, 1).result()

    assert ({x: x + 1 for x in range(20)}, 2) == (dict(run[grid]), after)


@pytest.mark.contract("F4")
def test_a_lost_job_goes_out_again(store: Path) -> None:
    """Within the budget of a cell."""
    flow = fc.Flow()
    node = flow.add(plus, 1)

    assert 2 == flow.run(executor=Losing(2), store=store, progress=False)[node]


@pytest.mark.contract("F4", "P5")
def test_a_broken_pool_fails_cells_and_does_not_hang(store: Path) -> None:
    """What it says is told."""
    flow = fc.Flow()
    flow.add(plus, 1)
    with pytest.raises(fc.RunFailed, match="a worker is gone"):
        flow.run(executor=Losing(100), store=store, progress=False)


@pytest.mark.contract("P5")
def test_a_pool_that_is_shut_fails_cells_and_does_not_hang(store: Path) -> None:
    """It takes no work."""
    flow = fc.Flow()
    flow.add(plus, 1)
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(fc.RunFailed, match="takes no work"):
        flow.run(executor=pool, store=store, progress=False)
