"""Whether a task is what a cached task should be: asked by running it elsewhere, and asking for it again.

A result is kept under what made it: so a task has to give the same for the same, its
arguments have to have an identity, and its result a form that can be kept. Everything
runs in stores and processes of its own.
"""

from __future__ import annotations

import tempfile
from typing import Any

from flowcore.declare.task import Task
from flowcore.flow import Flow
from flowcore.testing.elsewhere import finish_elsewhere, pickled


def check_task(task: Task[..., Any], *args: object, deadline: float = 60.0, **kwargs: object) -> None:
    """Check that a task can be cached, run elsewhere, and relied on to give the same again.

    It is run for these arguments twice, in processes that have nothing in common but the
    code: not the hash seed, for one. Then it is asked for once more in a third, where it
    must be found.

    Parameters
    ----------
    task : Task
    *args, **kwargs
        What it is called with.
    deadline : float
        Seconds after which a run counts as hanging.

    Raises
    ------
    AssertionError
        If code, argument or result has no identity or cannot travel, if the task fails,
        if two executions give different values, or if the same call is not found again.

    Examples
    --------
    >>> import flowcore as fc
    >>> @fc.compute
    ... def halve(x: float) -> float:
    ...     return x / 2
    >>> check_task(halve, 3.0)
    """
    kept = task.options(cache="required")

    def draw() -> Flow:
        with Flow("checked") as flow:
            flow.result = kept(*args, **kwargs)
        return flow

    drawing = pickled(draw)
    with tempfile.TemporaryDirectory(prefix="flowcore-check-") as one, tempfile.TemporaryDirectory() as other:
        first = finish_elsewhere(drawing, one, workers=1, deadline=deadline)
        assert not first.warned, f"{task.name}: {first.warned[0]}"
        second = finish_elsewhere(drawing, other, workers=1, deadline=deadline)
        assert first.values == second.values, (
            f"{task.name} gives another value in each process: it draws random numbers (ask for fc.rng()), reads a "
            "clock or the environment, or goes by an order that is not the same everywhere, as that of a set"
        )
        again = finish_elsewhere(drawing, one, workers=1, deadline=deadline)
    assert not again.done, f"{task.name} was executed again: what it is known by is not the same in each process"
