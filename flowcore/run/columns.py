"""Values of many attempts, told together: several Done as one, and a row of one.

What a Done has in its columns beside values and seconds (classes, elements, refusals) is
rare and not a column of each, so such a Done stays by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flowcore.run.job import Component, Done, Record, Result


class Value(NamedTuple):
    """What one attempt gave where there is nothing else to tell: a row of a Done, before it is in columns."""

    attempt: int
    record: Record
    component: Component
    seconds: float
    began: float
    fetched: float  # seconds
    kept: float  # seconds

    def done(self) -> Done:
        """Give it in columns of its own."""
        return Done(
            attempts=[self.attempt], records=[self.record], components=[self.component], seconds=[self.seconds],
            times=[self.began, self.fetched, self.kept],
        )  # fmt: skip


def take(done: Done, value: Value) -> None:
    """Add a row to columns that are plain, and have times but no workers."""
    done.attempts.append(value.attempt)
    done.records.append(value.record)
    done.components.append(value.component)
    done.seconds.append(value.seconds)
    done.times.extend(value[4:])


def joined(results: Sequence[Result]) -> list[Result]:
    """Join values that follow each other and carry nothing but themselves, in fresh columns."""
    whole: list[Result] = []
    last: Done | None = None
    for result in results:
        if not isinstance(result, Done) or not plain(result):
            last = None
            whole.append(result)
            continue
        if last is None or not alike(last, result):
            last = Done(attempts=[], records=[], components=[], seconds=[])
            whole.append(last)
        add(last, result)
    return whole


def plain(done: Done) -> bool:
    """Tell whether there is no more to tell of these attempts than values, and when and where they were made."""
    return not (done.classes or done.elements or done.refusals or done.peaks or done.same)


def alike(one: Done, other: Done) -> bool:
    """Tell whether the same is known about both."""
    return bool(one.times) == bool(other.times) and bool(one.workers) == bool(other.workers)


def add(done: Done, other: Done) -> None:
    """Add the columns of another one, which is plain and alike."""
    done.attempts.extend(other.attempts)
    done.records.extend(other.records)
    done.components.extend(other.components)
    done.seconds.extend(other.seconds)
    done.times.extend(other.times)
    done.workers.extend(other.workers)
