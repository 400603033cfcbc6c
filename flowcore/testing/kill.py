"""Whether a flow outlives kill -9 at any moment: asked by killing it.

What a run leaves when it dies is flowcore's to get right, and is tried in its own tests.
What tasks leave is theirs: a task that counts in a file, or takes a file that is there
for one that is whole, gives something else when it runs a second time. Each kill is that
of a whole process, at a call to the filesystem and not at a time; everything runs in
stores of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable

from flowcore.flow import Flow
from flowcore.testing.elsewhere import finish_elsewhere, pickled, run_elsewhere

_SHOWN = 3  # cells that a message names


def check_kill(draw: Callable[[], Flow], *, kills: int = 5, workers: int = 2, deadline: float = 60.0) -> None:
    """Check that a flow gives the same, to the bit, when it is killed on its way and run again.

    It is run as a whole once. Then, `kills` times and each time in an empty store, it is
    run in a process that kills itself (SIGKILL) somewhere between its first call to the
    filesystem and its last, and run again to the end.

    Parameters
    ----------
    draw : callable
        Draws the flow, with all that it is called with. It is pickled, and called in
        other processes.
    kills : int
        How many times.
    workers : int
        Of each run.
    deadline : float
        Seconds after which a run counts as hanging.

    Raises
    ------
    AssertionError
        If the flow gives something else after a kill, fails, or has no value that can be
        compared.

    Notes
    -----
    Tasks that are not cached run again after each kill; so what they read may not change
    meanwhile. A task that counts its own executions fails this check, and should: a cell
    runs at least once, and not exactly once.

    Examples
    --------
    >>> import flowcore as fc
    >>> @fc.compute
    ... def halve(x: float) -> float:
    ...     return x / 2
    >>> def draw() -> fc.Flow:
    ...     with fc.Flow("halves") as flow:
    ...         flow.result = halve(halve(fc.each(x=[1.0, 3.0])))
    ...     return flow
    >>> check_kill(draw, kills=1)
    """
    drawing = pickled(draw)
    with tempfile.TemporaryDirectory(prefix="flowcore-check-") as folder:
        whole = finish_elsewhere(drawing, folder, workers=workers, deadline=deadline)
    assert whole.values, "the flow has no value that can be compared"
    for kill in range(1, kills + 1):
        at = max(1, whole.calls * kill // (kills + 1))
        with tempfile.TemporaryDirectory(prefix="flowcore-check-") as folder:
            run_elsewhere(drawing, folder, at=at, workers=workers, deadline=deadline)
            again = finish_elsewhere(drawing, folder, workers=workers, deadline=deadline).values
        other = sorted(cell for cell, value in whole.values.items() if again.get(cell) != value)
        more = f" and {len(other) - _SHOWN} more" if len(other) > _SHOWN else ""
        assert not other, (
            f"killed at call {at} of {whole.calls} and run again, the flow gives other values for "
            f"{', '.join(other[:_SHOWN])}{more}: a task takes up what an earlier execution of it has left, "
            "or gives something else each time (flowcore.testing.check_task tells which)"
        )
