"""Claims about run/outcomes/doubles.py: two values for one key are noticed, counted and named (contract F33)."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.testing import ScriptedExecutor

pytestmark = pytest.mark.contract("F33")


def noisy(n: int) -> str:
    """Give something else each time."""
    return os.urandom(8).hex() + "x" * n


def steady(n: int) -> int:
    """Give the same each time."""
    return n


def drawn(function: Any = noisy) -> fc.Flow:
    """Draw three cells."""
    flow = fc.Flow("noise")
    flow.add(function, fc.each(n=[1, 2, 3]), name="cells")
    return flow


def two_at_once(store: Path, function: Any = noisy) -> tuple[fc.Run, fc.Run]:
    """Let two runs compute the same cells at the same time; the first one ends first."""
    scripts = ScriptedExecutor(), ScriptedExecutor()
    runs = [drawn(function).start(store=store, progress=False, executor=script) for script in scripts]
    for script in scripts:
        script.settle()
    for run, script in zip(runs, scripts, strict=True):
        script.run_all(lambda: False)
        assert run.wait(60.0)
    return runs[0], runs[1]


def values(run: fc.Run) -> list[Any]:
    """Give what the cells gave."""
    return list(run["cells"].array())


@pytest.mark.contract("J10")
def test_the_first_of_two_runs_stays(store: Path) -> None:
    """The second one says that its values are others; a third is answered by the first, every cell of it."""
    with pytest.warns(fc.TwoValues, match=r"cells\[n=1\] is not what is recorded") as warned:
        first, second = two_at_once(store)
    third = drawn().run(store=store, progress=False, executor="inline")

    assert 1 == len(warned)
    assert (0, 3) == (first.counts("cells").doubled, second.counts("cells").doubled)
    assert "3 of them gave another value" in second.summary()
    assert "3 of them gave another value" in fc.open_run(second.id, store=store).summary()
    assert 3 == third.counts("cells").hit
    assert values(first) == values(third) != values(second)


def test_equal_values_are_no_matter(store: Path) -> None:
    """Two runs that compute the same, give the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runs = two_at_once(store, steady)
        again = drawn(steady).run(store=store, progress=False, executor="inline", refresh=True)

    assert [0, 0, 0] == [run.counts("cells").doubled for run in (*runs, again)]


def test_a_refresh_that_gives_something_else_says_so(store: Path) -> None:
    """The new value counts from then on, because that was asked for."""
    drawn().run(store=store, progress=False, executor="inline")
    with pytest.warns(fc.TwoValues, match="takes its place"):
        second = drawn().run(store=store, progress=False, executor="inline", refresh="cells[n=2]")
    third = drawn().run(store=store, progress=False, executor="inline")

    assert 1 == second.counts("cells").doubled
    assert values(second) == values(third)


def test_a_value_that_was_lost_and_comes_back_different_is_noticed(store: Path) -> None:
    """The record still tells what it was."""

    def large(n: int) -> Any:
        import numpy as np

        return np.frombuffer(os.urandom(8 * 5000), "u8") + np.uint64(n)

    drawn(large).run(store=store, progress=False, executor="inline")
    for file in (store / "v1" / "arrays").rglob("*.npy"):
        file.unlink()
    with pytest.warns(fc.TwoValues):
        again = drawn(large).run(store=store, progress=False, executor="inline")

    assert 3 == again.counts("cells").doubled
