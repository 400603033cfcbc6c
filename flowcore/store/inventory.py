"""What results a store holds, task by task.

Only reads. A file that several results share counts for each of them in part, so that the
sizes of all tasks add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.store.census import Census, take_census
from flowcore.store.directory import Store
from flowcore.store.living import look_for_living

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNKNOWN = "(unknown)"  # the task of results whose node cannot be read


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResults:
    """The results of a task.

    Attributes
    ----------
    task : str
        Module and name of its function.
    results : int
        That answer for a cell.
    bytes : int
        That they take.
    seconds : float
        That computing them took.
    gone : int
        Results whose files are not there any more.
    """

    task: str
    results: int
    bytes: int
    seconds: float
    gone: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OneResult:
    """A result.

    Attributes
    ----------
    key : str
        In hex.
    task : str
        Module and name of the function.
    run : str
        That made it.
    bytes : int
        That it takes.
    seconds : float
        That computing it took.
    """

    key: str
    task: str
    run: str
    bytes: int
    seconds: float


def list_tasks(store: Store) -> list[TaskResults]:
    """Give what a store holds of each task, the largest first."""
    import numpy as np

    census = _census(store)
    answering, gone = census.answering(), census.keyed() & ~census.whole()
    task = np.array(census.task, np.int64)
    shares, seconds = _shares(census), census.seconds_spent()
    found = []
    for number in sorted(set(task[answering | gone].tolist())):
        mine = answering & (task == number)
        found.append(
            TaskResults(
                task=_task(census, number), results=int(mine.sum()), bytes=round(float(shares[mine].sum())),
                seconds=float(seconds[mine].sum()), gone=int((gone & (task == number)).sum()),
            )
        )  # fmt: skip
    return sorted(found, key=lambda each: -each.bytes)


def list_results(store: Store, task: str) -> list[OneResult]:
    """Give the results of a task, by its name with or without its module, the newest first."""
    import numpy as np

    census = _census(store)
    wanted = [i for i, name in enumerate(census.tasks) if task in (name, name.rpartition(".")[2])]
    rows = np.flatnonzero(census.answering() & np.isin(np.array(census.task, np.int64), wanted))
    shares = _shares(census)
    found = [
        OneResult(
            key=bytes(census.keys[32 * row : 32 * row + 32]).hex(), task=census.tasks[census.task[row]],
            run=census.runs[census.run[row]], bytes=round(float(shares[row])), seconds=census.seconds[row],
        )
        for row in rows.tolist()
    ]  # fmt: skip
    return sorted(found, key=lambda each: (each.run, each.seconds), reverse=True)


def _census(store: Store) -> Census:
    living = look_for_living(store.disk, store.layout, clock.wall())
    return take_census(store.disk, store.layout, living.over)


def _task(census: Census, number: int) -> str:
    return census.tasks[number] if number >= 0 else UNKNOWN


def _shares(census: Census) -> NDArray[np.float64]:
    """Give the bytes of each row, its part of shared files included."""
    import numpy as np

    answering = census.answering()
    users: dict[bytes, int] = {}
    for name, row in zip(census.named, census.naming, strict=True):
        if answering[row]:
            users[name] = users.get(name, 0) + 1
    shares = np.array(census.sizes, np.float64)
    for name, row in zip(census.named, census.naming, strict=True):
        if answering[row] and name in census.files:
            shares[row] += census.files[name].size / users[name]
    return shares
