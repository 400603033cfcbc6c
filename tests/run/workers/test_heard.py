"""Claims about run/workers/heard.py: what a worker says is taken whole, or not at all (W2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowcore.plan.extension import ARRAY, BadRecord, extension, pack
from flowcore.run.job import Died, Done, Failed, Failure, Interrupted, Metric, Result, TimedOut, Warned
from flowcore.run.workers.heard import UNREADABLE, sound

pytestmark = pytest.mark.contract("W2")

DONE = Done(
    attempts=[4, 5],
    records=[b"\x01", b"\x02"],
    components=[b"\0\x01", b"\0\x02"],
    seconds=[0.5, 1],
    classes=[[["m:C", b"c"]], []],
    refusals=[[4, ".x", "Lock"]],
    same=[[5, 0.1, 0.2]],  # type: ignore[list-item]
)
FAILURE = Failure(type="ValueError", text="no", traceback="", causes=(Failure(type="x", text="", traceback=""),))


@pytest.mark.parametrize(
    "result",
    [DONE, Failed(attempt=4, failure=FAILURE, input=(0, 1)), Interrupted(attempts=[4]), Metric(attempt=4, step=2)],
)
def test_what_workers_send_is_sound(result: Result) -> None:
    """Lists in place of tuples, whole seconds, and no column that need not be there."""
    assert result is sound(result)


@pytest.mark.parametrize(
    "result",
    [
        replace(DONE, attempts="45"),
        replace(DONE, records=[b"\x01", "\x02"]),
        replace(DONE, seconds=[0.5, None]),
        replace(DONE, attempts=[4, True]),
        replace(DONE, refusals=[[6, ".x", "Lock"]]),
        replace(DONE, same=[[5, 0.1]]),
        replace(DONE, records=[b"\x01", pack(extension(ARRAY, [bytes(32), 0, -1, "<f8", False, [1]]))]),
        Failed(attempt=4, failure=replace(FAILURE, causes=(replace(FAILURE, text=5),))),  # type: ignore[arg-type]
        Metric(attempt=4, step=2, numbers={"t": "1"}),
        Warned(kind="DamagedEntry", facts={5: 6}),  # type: ignore[dict-item]
        Died(attempt=4, cause="mine"),
        TimedOut(attempt=4, seconds=0.5, did="killed"),
    ],
)
def test_anything_else_is_refused(result: Result) -> None:
    """In one of the ways in which reading a message may fail."""
    with pytest.raises((ValueError, BadRecord)) as refusal:
        sound(result)

    assert isinstance(refusal.value, UNREADABLE)
