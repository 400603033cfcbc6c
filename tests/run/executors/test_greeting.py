"""Claims about run/executors/greeting.py: a process that is not fit for a run carries out none of its cells."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.run.executors.greeting import here, unfit
from flowcore.store.directory import open_store
from flowcore.testing.cells import field, overwritten, plus

_CHILD = """
import sys
{tampering}
from flowcore.run.executors.far import perform_far
sys.stdout.buffer.write(perform_far(sys.stdin.buffer.read()))
"""


class Elsewhere(Executor):
    """Runs each job in an interpreter of its own, which is not quite like this one."""

    def __init__(self, tampering: str = "") -> None:
        self.script = _CHILD.format(tampering=tampering)

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        ran = subprocess.run([sys.executable, "-c", self.script], input=args[0], capture_output=True, check=True)
        future.set_result(ran.stdout)
        return future


@pytest.mark.contract("P1", "K8")
def test_a_worker_with_another_numpy_runs_nothing(store: Path) -> None:
    """What it made would be kept as if our numpy had made it."""
    flow = fc.Flow()
    flow.add(plus, 1)
    other = Elsewhere("import numpy; numpy.__version__ = '1.0'")
    with pytest.raises(fc.RunFailed) as failed:
        flow.run(executor=other, store=store, progress=False)
    error = failed.value.failures[0].exception

    assert isinstance(error, fc.UnfitWorker)
    assert error.why.startswith("it has numpy 1.0, and the run ")


@pytest.mark.contract("P1")
def test_a_worker_that_does_not_see_the_store_is_told_apart(tmp_path: Path) -> None:
    """Neither another store at that path, nor one without this run, nor a hidden spool, will do."""
    run = open_store(tmp_path / "here").begin(away=True)
    other = open_store(tmp_path / "there").begin(away=True)
    seen = {
        name: unfit(str(root), run.id, spool, here(), writable=True)
        for name, root, spool in [
            ("its own", run.root, run.spool.path),
            ("another", other.root, run.spool.path),
            ("nothing", tmp_path / "nowhere", run.spool.path),
            ("no spool", run.root, f"{run.spool.path}0"),
        ]
    }
    run.release()
    other.release()

    assert {
        "its own": "",
        "another": f"it does not see the run's store: at {other.root} there is no journal of {run.id}",
        "nothing": f"it does not see the run's store: at {tmp_path / 'nowhere'} there is no journal of {run.id}",
        "no spool": f"it does not see where the run hands arrays over: {run.spool.path}0",
    } == seen


@pytest.mark.contract("P6")
def test_arrays_are_handed_over_where_the_store_is(store: Path) -> None:
    """Cells that somebody else's executor carries out may be where there is no shared memory of ours; nothing stays."""
    flow = fc.Flow()
    made = flow.add(fc.compute(cache=False)(field), fc.each(seed=[1, 2]))
    sums = flow.add(overwritten, made)
    run = flow.run(executor=Elsewhere(), store=store, progress=False)
    found = [run[sums][seed] for seed in (1, 2)]
    del run

    assert [float(field(seed).sum()) for seed in (1, 2)] == found
    assert [] == list((store / "v1" / "tmp").iterdir())
