"""Claims about arrays on their way from task to task, in whole runs: who sees what, and what stays of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.store import spool as spool_room

SIZE = 1 << 20
LENGTH = SIZE // 8


class Model:
    """What has no encoding, so that only a pickle carries it."""

    def __init__(self, weights: Any) -> None:
        self.weights = weights
        self.call = lambda x: x + 1


def note(memory: str) -> None:
    """Write down how many arrays there are in the spools below a directory now."""
    with Path(memory, "seen").open("a") as seen:
        seen.write(f"{len(list(Path(memory).glob('*/*.npy')))}\n")


def leaf(i: int) -> Any:
    """Make an array."""
    return np.full(LENGTH, float(i))


def large(memory: str) -> Any:
    """Make an array of 4 MiB, so that not many are made in the time that a message may take."""
    note(memory)
    return np.zeros(4 * LENGTH)


def more(array: Any, memory: str) -> Any:
    """Make another."""
    note(memory)
    return array + 1.0


def add_in_place(array: Any) -> Any:
    """Write into the argument, and give it back."""
    array += 1.0
    return array


def spoil(array: Any) -> float:
    """Write into the argument, and give something else."""
    array[:] = -1.0
    return float(array.sum())


def total(*arrays: Any) -> float:
    """Read."""
    return float(sum(array.sum() for array in arrays)) / LENGTH


def fail_once(array: Any, mark: str) -> float:
    """Write into the argument and break off, the first time."""
    before = float(array.sum()) / LENGTH
    array[:] = 99.0
    if not Path(mark).exists():
        Path(mark).touch()
        raise ValueError("once")
    return before


def make_model(i: int) -> Model:
    """Make an object that holds an array."""
    return Model(np.full(LENGTH, float(i)))


def use_model(model: Model) -> list[object]:
    """Tell what it is like, and write into it."""
    weights = owner = model.weights
    while isinstance(owner, np.ndarray):
        owner = owner.base
    found = [type(owner).__name__, weights.flags.writeable, float(weights.max()), model.call(1)]
    weights[:] = 0.0
    return found


def task(function: Any, *, cached: bool, retries: int = 0) -> Any:
    """Give a task whose results are kept, or only handed over."""
    return fc.compute(cache=cached, retries=retries)(function)


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a directory of the test's own stand for shared memory."""
    (tmp_path / "memory").mkdir()
    monkeypatch.setattr(spool_room, "SHARED_MEMORY", str(tmp_path / "memory"))
    return tmp_path / "memory"


def seen(memory: Path) -> list[int]:
    """Give what the tasks of a run noted."""
    return [int(line) for line in (memory / "seen").read_text().split()]


@pytest.mark.contract("F24")
def test_an_array_that_is_not_kept_goes_with_its_last_consumer(store: Path, memory: Path) -> None:
    """A chain holds what one message makes of it, however long it is; and nothing stays."""
    flow, stages = fc.Flow("chain"), 32
    array = flow.add(task(large, cached=False), str(memory))
    for _ in range(stages):
        array = flow.add(task(more, cached=False), array, str(memory))
    flow.result = flow.add(task(total, cached=False), array)
    run = flow.run(store=store, progress=False)

    assert 4.0 * stages == run[flow.result]
    assert 1 + stages == len(seen(memory))
    assert max(seen(memory)) <= stages // 2
    assert [] == list(memory.glob("*/*.npy"))


@pytest.mark.contract("F31", "K29")
@pytest.mark.parametrize("cached", [True, False], ids=["kept", "spooled"])
@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_task_writes_into_its_input_nobody_else_sees(store: Path, workers: int, cached: bool) -> None:
    """Chains that work in place, beside readers and spoilers of each of their values; once more when warm."""
    flow = fc.Flow("in place")
    array = flow.add(task(leaf, cached=cached), 0)
    chain, sums = [array], []
    for i in range(6):
        sums.append(flow.add(task(spoil, cached=cached), array, name=f"spoil {i}"))
        array = flow.add(task(add_in_place, cached=cached), array, name=f"step {i}")
        chain.append(array)
        sums.append(flow.add(task(spoil, cached=cached), array, name=f"spoil again {i}"))
    flow.result = flow.add(task(total, cached=cached), *chain, after=sums)

    found = [flow.run(store=store, workers=workers, progress=False)[flow.result] for _ in range(2)]

    assert [float(sum(range(7)))] * 2 == found


@pytest.mark.contract("K29")
@pytest.mark.parametrize("cached", [True, False], ids=["kept", "spooled"])
def test_a_retry_gets_its_input_as_the_first_attempt_did(store: Path, tmp_path: Path, cached: bool) -> None:
    """Though that had been handed on live, and was written into."""
    flow = fc.Flow("retry")
    array = flow.add(task(leaf, cached=cached), 1)
    for _ in range(3):
        array = flow.add(task(add_in_place, cached=cached), array)
    flow.result = flow.add(task(fail_once, cached=cached, retries=1), array, str(tmp_path / "mark"))
    run = flow.run(store=store, workers=1, progress=False)

    assert 4.0 == run[flow.result]


@pytest.mark.contract("F31")
def test_an_array_inside_of_an_object_that_is_passed_on_is_mapped(store: Path) -> None:
    """It travels beside the pickle, and each consumer has pages of its own."""
    flow = fc.Flow("object")
    model = flow.add(task(make_model, cached=False), 3)
    flow.result = [flow.add(task(use_model, cached=False), model, name=name) for name in ("one", "other")]
    run = flow.run(store=store, workers=1, progress=False)

    assert [["PrivateMap", True, 3.0, 2]] * 2 == list(run[flow.result])


SMALL = """
import gc, json, sys
from pathlib import Path
import numpy as np
import flowcore as fc

store = Path(sys.argv[1])

@fc.compute(cache=False)
def make(i):
    return np.full(3 << 17, float(i))  # 3 MiB

@fc.compute(cache=False)
def total(arrays):
    places = [len(list(Path(p).glob(g))) for p, g in (("/dev/shm", "*/*.npy"), (store, "v1/tmp/*/*.npy"))]
    return [float(sum(a.sum() for a in arrays)), *places]

with fc.Flow("small") as flow:
    flow.result = total(fc.gather(make(fc.each(i=range(6)))))
run = flow.run(store=store, workers=1, progress=False)  # two at once may each take the room of the other
found = run[flow.result]
status = run.status
del run
gc.collect()
left = [str(p) for p in (*Path("/dev/shm").glob("*"), *store.glob("v1/tmp/*/*.npy"))]
print(json.dumps([found, status, left]))
"""


@pytest.mark.contract("F24")
def test_a_run_in_a_container_with_little_shared_memory(store: Path, tmp_path: Path) -> None:
    """4 MiB hold one of six arrays; the others go by the store, every one arrives, and nothing stays."""
    script = tmp_path / "script.py"
    script.write_text(SMALL)
    mount = "mount -t tmpfs -o size=4m none /dev/shm"  # seen by these processes alone
    if os.system(f"unshare -m {mount} 2>/dev/null"):
        pytest.skip("a mount of one's own is not allowed here")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, str(script), str(store)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (value, in_memory, in_store), status, left = json.loads(done.stdout)

    assert (float(sum(range(6)) * (3 << 17)), "done") == (value, status)
    assert (1, 5) == (in_memory, in_store)
    assert [] == left


def heavy(count: int) -> Any:
    """Make an array of so many numbers."""
    return np.ones(count)


def last(array: Any) -> float:
    """Read its end."""
    return float(array[-1]) + len(array)


@pytest.mark.slow
@pytest.mark.contract("F10")
def test_an_array_of_three_gibibytes_goes_from_process_to_process(store: Path) -> None:
    """More bytes than 32 bits can count: they are kept, checked and mapped."""
    count = 3 << 27
    flow = fc.Flow("heavy")
    flow.result = flow.add(last, flow.add(heavy, count, kind="compute"))
    run = flow.run(store=store, workers=1, progress=False)

    assert count + 1.0 == run[flow.result]
