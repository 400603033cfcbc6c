"""Claims about run/workers/outbox.py: what is sent says the same, however the outcomes of cells came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flowcore.run.cell.slot import LocalSlot
from flowcore.run.columns import Value
from flowcore.run.job import Failed, Failure, Printed, Result, dumps, loads, unpack_result
from flowcore.run.workers.outbox import HOLD_BYTES, Outbox

FAILURE = Failure(type="builtins.ValueError", text="no", traceback="")


def value(attempt: int, *, size: int = 1, began: float = 10.0) -> Value:
    """Give the plain value of an attempt."""
    return Value(attempt, b"\x07" * size, b"\0\x07", 1e-6, began, 1e-6, 1e-6)


class Still(Outbox):
    """Has no thread that sends late: that lives as long as its worker."""

    def _wake_sender(self) -> None:
        pass


class Post:
    """An outbox, and what it has sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.outbox = Still(lambda message: self.messages.append(loads(dumps(message))), LocalSlot())

    def results(self) -> list[Result]:
        """Give all results sent, those of a message in its order."""
        return [unpack_result(packed) for _, _, _, held in self.messages for packed in held]

    def cells(self) -> int:
        """Give how many cells the messages say have ended."""
        return sum(message[2] for message in self.messages)


def said(results: Sequence[Result]) -> list[tuple[object, ...]]:
    """Give what results say, cell by cell; prints that follow each other, which may come as one, count as one."""
    told: list[tuple[object, ...]] = []
    for result in results:
        match result:
            case Printed() if told[-1:] == [("Printed", result.attempt)]:
                continue
            case Failed() | Printed():
                told.append((type(result).__name__, result.attempt))
            case _:
                done: Any = result
                times = [tuple(done.times[3 * i : 3 * i + 3]) for i in range(len(done.attempts))]
                told += zip(done.attempts, done.records, done.components, done.seconds, times, strict=True)
    return told


@given(st.lists(st.sampled_from(["plain", "in columns", "failed", "printed"]), max_size=12), st.booleans())
def test_a_plain_value_says_what_its_columns_say(kinds: list[str], short: bool) -> None:
    """In the same order among failures and prints, and counted once."""
    plain, columns = Post(), Post()
    for post in (plain, columns):
        post.outbox.begin(short=short)
    for attempt, kind in enumerate(kinds, 1):
        for post in (plain, columns):
            match kind:
                case "plain" if post is plain:
                    post.outbox.value(value(attempt))
                case "plain" | "in columns":
                    post.outbox.report(value(attempt).done())
                case "failed":
                    post.outbox.report(Failed(attempt=attempt, failure=FAILURE))
                case "printed":
                    post.outbox.printed("stdout", "x")
    for post in (plain, columns):
        post.outbox.flush()

    assert said(columns.results()) == said(plain.results())
    assert columns.cells() == plain.cells() == len([kind for kind in kinds if kind != "printed"])


def test_a_value_of_a_cell_that_is_not_short_leaves_at_once() -> None:
    """Nothing waits across the start of a cell that may be long (W3)."""
    post = Post()
    post.outbox.begin(short=False)

    post.outbox.value(value(1))

    assert 1 == len(post.messages)


def test_values_leave_when_they_have_waited_or_are_many() -> None:
    """Five milliseconds by the cells' own clock, or 64 KiB."""
    late, large = Post(), Post()
    for post in (late, large):
        post.outbox.begin(short=True)
        post.outbox.value(value(1))

    late.outbox.value(value(2, began=10.1))
    large.outbox.value(value(2, size=HOLD_BYTES))

    assert (2, 2) == (late.cells(), large.cells())
