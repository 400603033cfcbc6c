"""Claims about fc.testing.check_kill and check_task: what is sound passes (as their examples do), flaws are named."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.testing import check_kill, check_task


@fc.compute
def field(n: int, rng: np.random.Generator = fc.rng()) -> Any:
    """Give an array of noise that is the same each time."""
    return rng.normal(size=3000) + n


@fc.compute
def walk(field: Any, ckpt: fc.Checkpoint = fc.Checkpoint()) -> float:
    """Sum up, saving."""
    s = ckpt.state(total=0.0)
    for step in ckpt.steps(4):
        s.total += float(field[step])
        ckpt.save()
    return s.total


@fc.compute(ignore=("log",), runner="inline")
def counted(n: int, log: str) -> int:
    """Take up what an earlier execution has left."""
    with open(log, "a") as file:
        file.write("x")
    return n + os.path.getsize(log)


def careful() -> fc.Flow:
    """Draw what goes on from where it was."""
    with fc.Flow("careful") as flow:
        flow.result = walk(field(fc.each(n=range(4))))
    return flow


@pytest.mark.contract("P7")
def test_a_flow_that_goes_on_passes() -> None:
    """Arrays, noise and saved states come to the same bits, wherever it was killed."""
    check_kill(careful, kills=1)


@pytest.mark.contract("P7")
def test_a_task_that_remembers_its_executions_is_found(tmp_path: Path) -> None:
    """Not its first execution, but the one after the kill gives something else; its cell is named."""

    def draw() -> fc.Flow:
        with fc.Flow("counting") as flow:
            flow.result = counted(1, str(tmp_path / "log"))
        return flow

    with pytest.raises(AssertionError, match="the flow gives other values for counted"):
        check_kill(draw, kills=1)


def test_a_flow_that_fails_or_hangs_is_told() -> None:
    """With what went wrong; nothing waits without end."""
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        check_kill(lambda: fc.Flow(1 / 0), kills=1)  # type: ignore[arg-type]


@fc.compute(runner="inline")
def noisy(n: int) -> float:
    """Draw from the global stream."""
    return random.random() + n


@fc.compute(runner="inline")
def unordered(n: int) -> list[str]:
    """Go by the order of a set."""
    return list({f"{i}" for i in range(n)})


@fc.compute(runner="inline")
def opaque(n: int) -> Any:
    """Give something that has no identity."""
    return threading.Lock() if n else object()


@pytest.mark.parametrize(
    ("task", "flaw"),
    [(noisy, "random"), (unordered, "another value in each process"), (opaque, "opaque")],
)
def test_a_task_that_cannot_be_relied_on_is_found(task: Any, flaw: str) -> None:
    """Chance, order, and what cannot be kept."""
    with pytest.raises(AssertionError, match=flaw):
        check_task(task, 50)


def test_an_argument_without_identity_is_found() -> None:
    """It cannot travel, and says so."""
    with pytest.raises(AssertionError, match="cannot travel to another process"):
        check_task(noisy, threading.Lock())
