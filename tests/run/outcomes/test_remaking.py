"""Claims about values that vanish under a run, and about cells that are equal to others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import flowcore as fc

ARRAY = np.arange(50_000.0)


@fc.compute
def big(i: int) -> NDArray[np.float64]:
    """Give an array that lives in a file."""
    return np.full(20_000, float(i))


@fc.io
def vandal(store: str) -> int:
    """Remove every stored array."""
    for path in Path(store).glob("v1/arrays/*/*.npy"):
        path.unlink()
    return 0


@fc.compute
def use(array: NDArray[np.float64], i: int) -> float:
    """Read every element."""
    return float(array.sum()) + i


@fc.compute
def lengths(arrays: dict[int, NDArray[np.float64]]) -> dict[int, float]:
    """Read every array of a gather by label."""
    return {label: float(array[0]) for label, array in arrays.items()}


@fc.io
def same(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pass an array on."""
    return array


@fc.compute
def first(array: NDArray[np.float64]) -> float:
    """Read one element."""
    return float(array[0])


@pytest.mark.contract("F22", "F25", "P4")
@pytest.mark.parametrize("executor", [None, "thread"])
def test_every_consumer_of_a_vanished_array_waits_for_the_next(store: Path, executor: str | None) -> None:
    """However many cells were judged by it and wait for a worker: all of them end with the right value."""
    flow = fc.Flow("vanished")
    array = flow.add(big, 1, name="array")
    gone = flow.add(vandal, str(store), after=[array])
    sums = flow.add(use, array, fc.each(i=list(range(20))), after=[gone], name="sums")
    flow.result = sums
    run = flow.run(store=store, workers=2, executor=executor, progress=False)

    assert {i: 20_000.0 + i for i in range(20)} == dict(run[sums])


@pytest.mark.contract("F25", "P1")
def test_a_gather_by_label_waits_for_what_is_made_again(store: Path) -> None:
    """Nothing is left out because it is not there at the moment; only skipped cells are."""
    flow = fc.Flow("gathered")
    arrays = flow.add(big, fc.each(i=[1, 2, 3]), name="arrays")
    gone = flow.add(vandal, str(store), after=[arrays])
    flow.result = flow.add(lengths, fc.gather(arrays, labels=True, missing="drop"), after=[gone], name="lengths")
    expected = {1: 1.0, 2: 2.0, 3: 3.0}
    found = [flow.run(store=store, workers=1, progress=False)[flow.result] for _ in range(2)]

    assert [expected, expected] == found


@pytest.mark.contract("F24", "P8")
def test_a_constant_outlives_equal_values(store: Path) -> None:
    """An array that the user wrote down stays in the spool, though an equal one is let go of."""
    flow = fc.Flow("constant")
    head = flow.add(first, flow.add(same, ARRAY))
    sums = flow.add(lambda array, head, i: float(array.sum()) + i, ARRAY, head, fc.each(i=[0, 1, 2]), name="sums")
    flow.result = sums
    run = flow.run(store=store, workers=1, progress=False)

    assert [float(ARRAY.sum()) + i for i in range(3)] == list(run[sums].array())


@pytest.mark.contract("P5")
def test_a_twin_of_a_cell_that_loses_its_input_is_let_go(store: Path) -> None:
    """Two equal cells share one computation; if that has to wait for an input, both end all the same."""
    flow = fc.Flow("twins")
    array = flow.add(same, ARRAY)
    head = flow.add(first, array)
    twins = [flow.add(use, array, head, name=name) for name in ("one", "other")]
    flow.result = twins
    run = flow.start(*twins, store=store, workers=1, progress=False)

    assert run.wait(60)
    assert 1 == len(set(run[flow.result]))


def waited(flow: fc.Flow, runs: list[fc.Run], store: Path) -> None:
    """Start a run, note it, and wait for its end."""
    runs.append(flow.start(store=store, workers=1, progress=False, on_error="continue"))
    runs[0].wait()


@pytest.mark.contract("P4", "F9")
def test_user_code_that_raises_while_a_node_is_made_ready_fails_that_node(store: Path) -> None:
    """A `__reduce__` that raises anything costs its own node, and nobody else."""

    class Stubborn:
        def __reduce__(self) -> Any:
            raise KeyError("not me")

    flow = fc.Flow("stubborn")
    fine = flow.add(big, 1, name="fine")
    flow.add(lambda value: 1, Stubborn(), name="stubborn")
    runs: list[fc.Run] = []
    with pytest.raises(fc.RunFailed), pytest.warns(fc.NotKeyable):
        waited(flow, runs, store)
    run = runs[0]

    assert ["stubborn"] == [failure.node for failure in run.failures]
    assert 1.0 == run[fine][0]


def test_labels_that_compare_equal_are_refused_in_the_run_as_well(store: Path) -> None:
    """1, True and 1.0 would be one entry of a gather by label."""
    flow = fc.Flow("labels")
    ones = flow.add(lambda: [1, True, 1.0], name="ones")
    flow.add(lambda x: x, fc.each(x=ones), name="each")
    with pytest.raises(fc.RunFailed, match="same label"):
        flow.run(store=store, workers=1, progress=False)


def test_a_cell_that_must_be_kept_does_not_take_what_was_not(store: Path) -> None:
    """A twin without `required` may pass its value on; the cell with it fails, as it does alone."""

    def opaque() -> object:
        return object()

    flow = fc.Flow("required")
    flow.add(fc.compute(cache=True)(opaque), name="lenient")
    flow.add(fc.compute(cache="required")(opaque), name="strict")
    run = flow.start(store=store, workers=1, progress=False, on_error="continue")
    with pytest.raises(fc.RunFailed), pytest.warns(fc.NotStorable):
        run.wait()

    assert ["strict"] == [failure.node for failure in run.failures]


def test_a_run_that_cannot_be_put_together_leaves_nothing(store: Path) -> None:
    """A given value that cannot travel is refused, and locks, threads and spools are let go of."""
    import threading

    flow = fc.Flow("given")
    fine = flow.add(big, 1, name="fine")
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(fc.NotPicklable):
            flow.start(given={fine: threading.Lock()}, store=store, progress=False)

    assert before == threading.active_count()
