"""Claims about simulations where the disk, the task's options or an earlier kill are in the way."""

from __future__ import annotations

import errno
import os
import signal
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.errors import StoreUnavailable
from flowcore.store.directory import open_store
from flowcore.testing import FaultyDisk
from flowcore.testing.disks import WRITING

SIZE = 3000


class Tight(FaultyDisk):
    """A disk on which what simulations write does not fit while `full` says so."""

    full = False

    def strike(self, name: str, real: Any, *arguments: Any, **options: Any) -> Any:
        """Fail while it is full."""
        return super().strike(name, real, *arguments, **options) if self.full else real(*arguments, **options)


DISK: list[Tight] = []


@fc.compute(runner="inline", ignore=("global:DISK",))
def filling(n: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> Any:
    """Save after every step; the disk is full from the fourth to the seventh, and the task fails once at the end."""
    s = ckpt.state(z=np.zeros(SIZE))
    for step in ckpt.steps(n):
        s.z = s.z + step
        ckpt.append(mean=s.z.mean(), frame=s.z)
        ckpt.save()
        DISK[0].full = 3 <= step < 7
    return s.z, ckpt.series("mean"), ckpt.series("frame")


def value_of(task: Any, *args: Any, store: Any, **options: Any) -> Any:
    """Run one task, and give its value."""
    with fc.Flow("trouble") as flow:
        flow.result = task(*args)
    return flow.run(store=store, progress=False, workers=1, **options)[flow.result]


@pytest.mark.contract("C5", "F19")
def test_a_simulation_goes_on_while_its_disk_is_full(store: Path) -> None:
    """One warning; no frame and no bit is missing; the state before stays whole, and later saves succeed."""
    DISK[:] = [Tight(1, error=errno.ENOSPC, lasting=True, only=("write", "pwrite"), under=str(store))]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        z, mean, frame = value_of(filling, 10, store=open_store(store, disk=DISK[0]))

    assert [StoreUnavailable] == [type(w.message) for w in told]
    assert (np.full(SIZE, 45.0)).tobytes() == z.tobytes()
    assert np.cumsum(np.arange(10.0)).tolist() == mean.tolist()
    assert mean.tolist() == frame[:, 0].tolist()


@fc.compute(runner="inline", ignore=("global:DISK",))
def recording(n: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> Any:
    """Change nothing but a series, on a disk that is full for a while."""
    ckpt.state(terrain=np.arange(float(SIZE)))
    for step in ckpt.steps(n):
        ckpt.append(frame=np.full(SIZE * 5, step))
        ckpt.save()
        DISK[0].full = 3 <= step < 7
    return ckpt.series("frame")


@pytest.mark.contract("C5", "F19")
def test_a_series_waits_for_room(store: Path) -> None:
    """Frames that a full disk does not take stay in memory, and none is missing in the end."""
    DISK[:] = [Tight(1, error=errno.ENOSPC, lasting=True, only=("write", "pwrite"), under=str(store))]
    with pytest.warns(StoreUnavailable):
        frames = value_of(recording, 10, store=open_store(store, disk=DISK[0]))

    assert list(range(10)) == frames[:, -1].tolist()


@pytest.mark.contract("P8", "F21")
def test_a_simulation_without_a_store_keeps_its_series_in_memory(store: Path) -> None:
    """Nothing can be saved, and nothing else is different."""
    disk = FaultyDisk(1, error=errno.EROFS, lasting=True, only=WRITING, under=str(store))
    DISK[:] = [Tight()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, mean, _ = value_of(filling, 4, store=open_store(store, disk=disk))

    assert [0, 1, 3, 6] == mean.tolist()


@fc.compute(cache=False, retries=1, ignore=("log",))
def uncached(n: int, log: str, ckpt: fc.Checkpoint = fc.Checkpoint()) -> int:
    """Fail once in the middle; the result is not kept."""
    s = ckpt.state(total=0)
    for step in ckpt.steps(n):
        with Path(log).open("a") as file:
            file.write(f"{step}\n")
        s.total += step
        ckpt.save()
        if step == 3 and len(Path(log).read_text().split()) == 4:
            raise ValueError("no")
    total: int = s.total
    return total


def test_a_task_that_is_not_kept_has_a_state_all_the_same(store: Path, tmp_path: Path) -> None:
    """A retry goes on from it; when the cell is done it is removed, and the next run computes anew."""
    log = tmp_path / "log"
    values = [value_of(uncached, 6, str(log), store=store) for _ in range(2)]

    assert [15, 15] == values
    assert [0, 1, 2, 3, 3, 4, 5, *range(6)] == [int(line) for line in log.read_text().split()]
    assert [] == list((store / "v1" / "checkpoints").iterdir())


@fc.compute
def quick(n: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> int:
    """Count, and save."""
    s = ckpt.state(total=0)
    for step in ckpt.steps(n):
        s.total += step
        ckpt.save()
    total: int = s.total
    return total


@pytest.mark.contract("C6")
def test_what_a_kill_left_beside_a_result_is_removed(store: Path, tmp_path: Path) -> None:
    """States outlive the record that replaces them only until the next run that asks for it."""
    value_of(quick, 5, store=store)
    with fc.Flow("kept") as flow:
        flow.result = quick(5)
    run = flow.start(store=store, progress=False)
    run.wait()
    key = bytes.fromhex(fc.open_run(run.id, store).cell("quick").key)
    left = open_store(store).begin()
    cell = left.checkpoints.at(key)
    cell.encode({"z": np.zeros(SIZE)})
    left.release()
    before = list((store / "v1" / "checkpoints").iterdir())
    value_of(quick, 5, store=store)

    assert [key.hex()] == [path.name for path in before]
    assert [] == list((store / "v1" / "checkpoints").iterdir())


@fc.compute
def doomed(n: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> None:
    """Lose the process after three steps, every time."""
    ckpt.state(x=0)
    for step in ckpt.steps(n):
        if step == 3:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.contract("E9")
def test_a_death_is_told_with_its_step(store: Path) -> None:
    """The last step that the loop had finished is in the error."""
    with pytest.raises(fc.RunFailed) as caught:
        value_of(doomed, 9, store=store)
    error = caught.value.failures[0].exception

    assert isinstance(error, fc.WorkerDied)
    assert 3 == error.step
    assert "finished 3 steps" in str(error)
