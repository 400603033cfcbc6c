"""Claims about fc.testing.check_resume: what the source of a task does not show is found by interrupting it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.testing import check_resume

HIDDEN = {"flux": 0.0}


def advance(z: float) -> float:
    """Change something that no checkpoint knows of."""
    HIDDEN["flux"] += 1.0
    return z + HIDDEN["flux"]


@fc.compute
def careful(n: int, ckpt: fc.Checkpoint = fc.Checkpoint(), rng: np.random.Generator = fc.rng()) -> Any:
    """Keep all that changes."""
    s = ckpt.state(z=np.zeros(3000))
    for step in ckpt.steps(n):
        s.z = s.z + step * rng.normal(size=3000)
        ckpt.append(mean=s.z.mean())
    return s.z, ckpt.series("mean")


@fc.compute
def careless(n: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> float:
    """Call what keeps a state of its own."""
    HIDDEN["flux"] = 0.0
    s = ckpt.state(z=0.0)
    for _ in ckpt.steps(n):
        s.z = advance(s.z)
    z: float = s.z
    return z


@fc.compute
def plain(n: int) -> int:
    """Have no checkpoint."""
    return n


def test_a_task_that_keeps_all_is_sound() -> None:
    """Interrupted after the first step, the last, and any between, it comes to the same bits."""
    check_resume(careful, 9, at=(1, 4, 7, 9))


def test_a_task_that_hides_its_state_is_found() -> None:
    """What a called function remembers is lost, and that is told."""
    with pytest.raises(AssertionError, match="interrupted after 7 steps"):
        check_resume(careless, 9, at=(7,))


@pytest.mark.parametrize(
    ("task", "at", "told"), [(plain, (1,), "asks for fc.Checkpoint"), (careful, (99,), "before any")]
)
def test_what_cannot_be_checked_is_told(task: Any, at: tuple[int, ...], told: str) -> None:
    """A check that has interrupted nothing proves nothing."""
    with pytest.raises(AssertionError, match=told):
        check_resume(task, 3, at=at)
