"""Claims about cutoff: what a rerun that changes nothing, or nearly nothing, re-runs below it (contract KT4, K25)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.plan.closeness import Deviation, deviation
from flowcore.run import perform
from flowcore.run.job import Job
from flowcore.store.codecs import Codec
from flowcore.store.history import Agreed, read_run

TIGHT = fc.allclose(rtol=1e-6)


def first(step: float, n: int) -> Any:
    """Give numbers, all moved by the same factor: an edit of this code is another `step`."""
    return {"z": np.arange(1.0, n + 1) * (1 + step), "n": n}


def chain(step: float, *, same: Any = None, code: int = 0) -> fc.Flow:
    """Draw a -> b -> c, on a grid; `code` edits `a` without changing what it gives."""

    def a(n: int) -> Any:
        return first(step + 0 * code, n)

    flow = fc.Flow("chain").options(runner="inline")
    x = flow.add(fc.compute(same=same)(a), fc.each(n=[3, 5000]), name="a")
    flow.result = flow.add(total, flow.add(twice, x, name="b"), name="c")
    return flow


def twice(v: Any) -> Any:
    """Double the numbers."""
    return v["z"] * 2


def total(v: Any) -> float:
    """Add them up."""
    return float(v.sum())


def run(flow: fc.Flow, store: Path, **options: Any) -> tuple[list[float], str]:
    """Run; give the results, and the nodes whose cells ran, a letter a cell."""
    done = flow.run(store=store, progress=False, **options)
    return [float(v) for v in done["c"].array()], "".join(name * done.counts(name).done for name in "abc")


@pytest.mark.contract("KT4", "K2")
def test_an_edit_that_changes_no_value_stops_at_itself(store: Path) -> None:
    """B and c are known by the values they get, not by what made them."""
    values, cold = run(chain(0.0), store)

    assert "aabbcc" == cold
    assert (values, "aa") == run(chain(0.0, code=1), store)
    assert (values, "") == run(chain(0.0), store)


@pytest.mark.contract("KT4", "K25")
def test_a_rerun_that_is_close_keeps_the_old_result(store: Path) -> None:
    """And all below it; also when `same` is given at that very edit. The next run is all hits."""
    values, _ = run(chain(0.0), store)

    assert (values, "aa") == run(chain(1e-7, same=TIGHT), store)
    assert (values, "") == run(chain(1e-7, same=TIGHT), store)
    assert (values, "") == run(chain(1e-7), store)


@pytest.mark.contract("K25")
def test_a_rerun_that_is_not_close_is_the_new_result(store: Path) -> None:
    """Its own value is what later ones are compared with."""
    values, _ = run(chain(0.0), store)
    new, called = run(chain(1e-3, same=TIGHT), store)

    assert "aabbcc" == called
    assert new != values
    assert (new, "aa") == run(chain(1e-3 + 1e-8, same=TIGHT), store)


@pytest.mark.contract("KT4", "K25")
def test_a_slow_drift_is_stopped_at_the_tolerance(store: Path) -> None:
    """Ten edits, each within the tolerance of the one before: the fourth leaves the first value behind."""
    called = [run(chain(0.3e-6 * edit, same=TIGHT), store)[1] for edit in range(10)]

    assert ["aabbcc", "aa", "aa", "aa"] == called[:4]
    assert 2 == sum("b" in each for each in called[1:]), "at every fourth edit a new value is kept"


@pytest.mark.contract("K25")
def test_a_drift_gets_through_if_the_measure_moves(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotage of the test above: compared with what was only close, nothing is ever noticed."""
    last: dict[int, Any] = {}

    def moving(job: Job, i: int, value: Any, codec: Codec) -> Deviation:
        measure = last.get(value["n"], codec.decode(job.canon[i]))
        last[value["n"]] = value
        return deviation(measure, value, rtol=1e-6)

    monkeypatch.setattr(perform, "_near", moving)
    called = [run(chain(0.3e-6 * edit, same=TIGHT), store)[1] for edit in range(10)]

    assert 0 == sum("b" in each for each in called[1:])


@pytest.mark.contract("K25")
def test_deviations_are_written_down(store: Path) -> None:
    """By cell, with the key that names the kept value now."""
    run(chain(0.0), store)
    edited = chain(1e-7, same=TIGHT)
    done = edited.run(store=store, progress=False)
    told = [t for t in read_run(store / "v1" / "journals" / f"{done.id}.journal") if isinstance(t, Agreed)]

    assert {0, 1} == {number for t in told for number in t.numbers}
    assert all(9e-8 < d < 1.1e-7 for t in told for d in t.relative)
    assert pytest.approx(5000e-7) == max(d for t in told for d in t.absolute)


@pytest.mark.contract("K25")
@pytest.mark.parametrize("executor", ["process", "thread"])
def test_it_is_compared_where_it_is_made(store: Path, executor: str) -> None:
    """In workers as well as here; the kept array is not written again."""
    flow = fc.Flow()
    flow.add(fc.compute(same=TIGHT)(np.linspace), 0.0, 1.0, 5000, name="grid")
    flow.run(store=store, progress=False, executor=executor)
    files = sorted(p.name for p in (store / "v1" / "arrays").rglob("*.npy"))
    again = fc.Flow()
    again.add(fc.compute(same=TIGHT)(np.linspace), 0.0, 1.0 + 1e-9, 5000, name="grid")
    run = again.run(store=store, progress=False, executor=executor)

    assert 1.0 == run["grid"][-1]
    assert files == sorted(p.name for p in (store / "v1" / "arrays").rglob("*.npy"))


@pytest.mark.contract("K25")
def test_refresh_comes_before_same(store: Path) -> None:
    """Who asks for new values gets them."""
    run(chain(0.0), store)
    anew = chain(1e-7, same=TIGHT).run(store=store, progress=False, refresh="a")

    assert 1.0 != anew["a"][{"n": 3}]["z"][0]


@pytest.mark.contract("K25")
def test_a_kept_value_that_is_gone_is_compared_with_nothing(store: Path) -> None:
    """The new one is kept then."""
    run(chain(0.0), store)
    for file in (store / "v1" / "arrays").rglob("*.npy"):
        file.unlink()
    _, called = run(chain(1e-7, same=TIGHT), store)

    assert "aabc" == called, "the value of the small cell is in its record, and still there"


@pytest.mark.parametrize("same", ["close", 1e-6, np.allclose, True])
def test_only_a_tolerance_is_taken(same: Any) -> None:
    """Anything else is refused where it is written."""
    with pytest.raises(fc.BadOption, match=r"fc\.allclose"):
        fc.compute(same=same)


@pytest.mark.parametrize("make", [lambda: fc.allclose(rtol=-1.0), lambda: fc.allclose(atol=float("nan"))])
def test_a_tolerance_is_not_negative(make: Callable[[], Any]) -> None:
    """Nor is it no number."""
    with pytest.raises(fc.BadOption, match="not negative"):
        make()
