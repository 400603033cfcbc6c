"""Claims about values that are passed on and cannot be unpickled: their maker is to blame, and nobody else (F11)."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc


class Sour:
    """A value that can be pickled, and never unpickled."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __reduce__(self) -> Any:
        return _spoil, (self.n,)


def _spoil(n: int) -> Sour:
    raise RuntimeError(f"no good: {n}")


class Fine:
    """A value without encoding that is none the worse for it."""

    def __init__(self, n: int) -> None:
        self.n = n


@fc.compute(cache=False)
def made(n: int) -> Any:
    """Give one that can be read, and one that cannot."""
    return Sour(n) if n == 2 else Fine(n)


@fc.compute(cache=False)
def used(value: Any) -> int:
    """Use it."""
    return int(value.n)


@fc.compute(cache=False)
def all_used(values: Any) -> int:
    """Use several."""
    return sum(value.n for value in values)


@fc.io
async def awaited(value: Any) -> int:
    """Use it on the event loop."""
    return int(value.n)


@fc.compute(cache=False)
def alone(n: int) -> int:
    """Have nothing to do with it."""
    return os.getpid() and n


def failed(flow: fc.Flow, store: Path) -> tuple[fc.Run, dict[str, BaseException | None]]:
    """Run to the end; give the run, and what failed of it."""
    run = flow.start(*flow.nodes, store=store, progress=False, workers=2, on_error="continue")
    with pytest.raises(fc.RunFailed) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run.wait(60)
    return run, {failure.cell: failure.exception for failure in caught.value.failures}


@pytest.mark.contract("F11", "P4")
@pytest.mark.parametrize("runner", ["process", "thread", "inline"])
def test_the_maker_is_charged(runner: str, store: Path) -> None:
    """The cell that made it fails, by name and with the cause; those that use it do not run; all others finish."""
    with fc.Flow("sour") as flow:
        flow.options(runner=runner)
        grid = made(fc.each(n=[1, 2, 3]))
        used(grid)
        all_used(fc.gather(grid))
        alone(fc.each(i=[4, 5]))
    run, failures = failed(flow, store)
    (error,) = failures.values()

    assert ["made[n=2]"] == list(failures)
    assert isinstance(error, fc.NotPicklable)
    assert "RuntimeError: no good: 2" in str(error)
    assert [1, 3] == [run["used"][{"n": n}] for n in (1, 3)]
    assert [4, 5] == [run["alone"][{"i": i}] for i in (4, 5)]
    assert (2, 1, 0) == (run.counts("made").done, run.counts("made").failed, run.counts("used").failed)


@pytest.mark.contract("F11")
@pytest.mark.parametrize("use", [used, awaited])
def test_the_last_consumer_finds_out(use: Any, store: Path) -> None:
    """One cell made it, one cell was to use it: the first failed, the second did not run."""
    with fc.Flow("one") as flow:
        use(made(2))
    run, failures = failed(flow, store)

    assert ["made"] == list(failures)
    assert (0, 0) == (run.counts(use.name).failed, run.counts(use.name).done)


@pytest.mark.contract("F11")
def test_a_gather_names_the_one(store: Path) -> None:
    """Of several that are gathered, the one that cannot be read is charged."""
    with fc.Flow("gathered") as flow:
        all_used(fc.gather(made(fc.each(n=[1, 2, 3]))))
    run, failures = failed(flow, store)

    assert ["made[n=2]"] == list(failures)
    assert 0 == run.counts("all_used").failed
