"""Whether a task that keeps its state can be interrupted anywhere: asked by interrupting it.

The pass over a task's source (`fc.UnsavedState`) sees what its loop changes, and not what
the functions do that it calls. This finds out: the task is stopped after each of some
steps, gone on with from what was saved, and its value compared to the bit with that of an
undisturbed run. Everything runs in this process, in stores of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import Any

from flowcore.dataclass import dataclass
from flowcore.declare.checkpoint import CHECKPOINT, Checkpoint
from flowcore.declare.injected import kind_of
from flowcore.declare.seat import Stopped
from flowcore.declare.task import Task
from flowcore.plan.encode import NoEncoding, encode
from flowcore.plan.extension import array_digest
from flowcore.plan.streams import RNG, generator
from flowcore.run.cell.claim import Claim
from flowcore.run.cell.seat import Around, CellSeat
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.directory import open_store

_SEED = bytes(range(32))  # of the streams, the same in every attempt


@dataclass(slots=True)
class _Pulse:
    """Tells a loop to stop once it has finished a step."""

    last: int | None  # None: never
    step: int = 0
    taken: list[int] = field(default_factory=list)

    @property
    def stopping(self) -> bool:
        return self.last is not None and self.step >= self.last


def check_resume(task: Task[..., Any], *args: object, at: Iterable[int] = (1, 7), **kwargs: object) -> None:
    """Check that a task gives the same, to the bit, when it is interrupted after any of these steps.

    Parameters
    ----------
    task : Task
        With a parameter ``ckpt: fc.Checkpoint = fc.Checkpoint()``.
    *args, **kwargs
        What it is called with.
    at : iterable of int
        After how many steps it is stopped, each in a simulation of its own; numbers that
        it never reaches are passed over, if one is reached.

    Raises
    ------
    AssertionError
        If a resumed simulation gives another value, or none was interrupted.

    Examples
    --------
    >>> import flowcore as fc
    >>> @fc.compute
    ... def decay(steps: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> float:
    ...     s = ckpt.state(mass=8.0)
    ...     for step in ckpt.steps(steps):
    ...         s.mass /= 2
    ...     return s.mass
    >>> check_resume(decay, 9)
    """
    with _store() as checkpoints:
        whole = _identity(_attempt(task, args, kwargs, None, checkpoints))
    interrupted = 0
    for step in at:
        with _store() as checkpoints:
            try:
                _attempt(task, args, kwargs, step, checkpoints)
                continue  # it ended before
            except Stopped:
                interrupted += 1
            resumed = _identity(_attempt(task, args, kwargs, None, checkpoints))
        assert whole == resumed, (
            f"{task.name}, interrupted after {step} steps and gone on with, gives another value: something that "
            "changes in its loop, or in what the loop calls, is not in ckpt.state(...)"
        )
    assert interrupted, f"{task.name} has ended before any of these steps: {list(at)}"


@contextmanager
def _store() -> Iterator[Checkpoints]:
    """Give a place for states, and remove it."""
    with tempfile.TemporaryDirectory(prefix="flowcore-check-") as folder:
        run = open_store(Path(folder) / "store").begin()
        try:
            yield run.checkpoints
        finally:
            run.release()


def _attempt(
    task: Task[..., Any], args: tuple[object, ...], kwargs: Mapping[str, object], last: int | None,
    checkpoints: Checkpoints,
) -> object:  # fmt: skip
    """Call a task once, with a checkpoint in a store; Stopped if it was stopped after `last` steps."""
    supplied: dict[str, object] = {}
    around = Around(checkpoints=checkpoints, pulse=_Pulse(last), tell=lambda told: None, warn=lambda warning: None)
    claim = Claim(key=b"check_resume".ljust(32, b"\0"), cell=task.name, every=1e9)
    seat = CellSeat(claim=claim, around=around, attempt=0, made=supplied, calls={})
    kinds = {request.parameter: kind_of(request.asked) for request in task.injected}
    assert CHECKPOINT in kinds.values(), f"{task.name} has no parameter that asks for fc.Checkpoint()"
    for place, (parameter, kind) in enumerate(kinds.items()):
        if kind == CHECKPOINT:
            supplied[parameter] = Checkpoint.of(seat)
        elif kind == RNG:
            supplied[parameter] = generator(_SEED[place:] + _SEED[:place])
    try:
        value = task.function(*args, **{**kwargs, **supplied})
        if seat.stopped:
            raise Stopped
        return value
    finally:
        seat.close()


def _identity(value: object) -> bytes:
    """Give the identity of a value, to the bit."""
    try:
        return encode(value, put=array_digest).component
    except NoEncoding as refused:
        raise AssertionError(f"what the task gives cannot be compared: {refused}") from None
