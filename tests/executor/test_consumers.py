"""Claims about those who take a concurrent.futures.Executor: they can take an fc.Executor."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import flowcore as fc
from flowcore.testing.cells import plus
from tests.executor import called
from tests.executor.called import Door, times

DEADLINE = 60.0


@pytest.mark.contract("F15")
def test_calls_may_use_executors_of_their_own() -> None:
    """On the one core that a call has, three levels deep; a fourth is refused."""
    with fc.Executor(2) as executor:
        levels = executor.submit(called.within, 3)
        refused = executor.submit(called.within, 4)

        assert [1, 1, 1] == levels.result(DEADLINE)
        assert isinstance(refused.exception(DEADLINE), fc.TooDeeplyNested)


def test_tasks_of_runs_may_use_executors(store: Path) -> None:
    """Likewise, on the cores of their cell."""
    flow = fc.Flow("outer")
    node = flow.add(fc.compute(cores=2)(called.within), fc.each(levels=[1, 2]))
    run = flow.run(store=store, workers=2, progress=False)

    assert {1: [2], 2: [2, 1]} == dict(run[node])


def test_runs_and_executors_go_side_by_side(executor: fc.Executor, store: Path, door: Door) -> None:
    """A run begins and ends while a call is under way, and calls are made while a run is."""
    flow = fc.Flow("beside")
    node = flow.add(fc.compute(cache=False)(called.through), door, "run")
    quick = flow.add(plus, fc.each(x=range(50)))
    run = flow.start(store=store, workers=2, progress=False)
    door.await_arrival()
    values = list(executor.map(times, range(50)))
    door.open()
    run.wait()

    assert ([2 * x for x in range(50)], "run", 50) == (values, run[node], run[quick][49])


def test_a_run_may_be_carried_out_on_one(executor: fc.Executor, store: Path) -> None:
    """It is the user's executor then, as any other; arrays go by the store."""
    flow = fc.Flow("on it")
    parts = flow.add(called.fill, fc.each(count=[10, 100_000]))
    flow.result = total = flow.add(called.overwrite, parts)
    run = flow.run(executor=executor, store=store, progress=False)

    assert {10: 70.0, 100_000: 700_000.0} == dict(run[total])
    assert 2 == executor.submit(times, 1).result(DEADLINE)


def test_a_loop_may_await_calls(executor: fc.Executor) -> None:
    """`run_in_executor` gives what calls give, and raises what they raise."""

    async def several() -> list[object]:
        loop = asyncio.get_running_loop()
        made = [loop.run_in_executor(executor, times, x) for x in range(20)]
        made.append(loop.run_in_executor(executor, called.complain, "no"))
        made.append(asyncio.wrap_future(executor.submit(times, 50)))
        return await asyncio.gather(*made, return_exceptions=True)

    *values, error, last = asyncio.run(several())

    assert list(range(0, 40, 2)) == values
    assert (LookupError, 100) == (type(error), last)


_DASK = """
import dask, numpy
import flowcore as fc

with fc.Executor(2) as executor:
    parts = [dask.delayed(numpy.full)(1000, float(i)) for i in range(10)]
    total = dask.delayed(sum)([dask.delayed(numpy.sum)(part) for part in parts])
    print(float(total.compute(scheduler=executor)))
"""


def test_dask_may_compute_on_one() -> None:
    """A graph of arrays, by threads' scheduler with these workers in their place."""
    if find_spec("dask") is None:
        pytest.skip("Dask is not installed, so nothing is known about it: pip install 'flowcore[test]'")
    done = subprocess.run(
        [sys.executable, "-c", _DASK], capture_output=True, text=True, timeout=DEADLINE, check=False
    )  # fmt: skip

    assert (0, "45000.0\n") == (done.returncode, done.stdout), done.stderr
