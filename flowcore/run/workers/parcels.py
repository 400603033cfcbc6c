"""What is with whom, and how much fits in a message. Pure: no process, no clock.

A *parcel* is one message of cells that a worker was handed, with the attempts of it that
have not ended. A worker has two at most (contract W4). *Pace* is what cells of a task have
cost lately, and turns that into the size of the next message: about 20 ms of work, shared
evenly, at most so many times what has been seen of the task before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import field, replace

from flowcore.dataclass import dataclass
from flowcore.run.growing.grown import Grown
from flowcore.run.job import (
    Died,
    Done,
    Failed,
    Interrupted,
    Job,
    Lost,
    Metric,
    Printed,
    Result,
    Skipped,
    TimedOut,
    Warned,
)

MESSAGE_SECONDS = 0.020  # of work, aimed at in one message
LONG_SECONDS = 0.050  # a cell that takes longer goes singly, to an idle worker
FEW_CELLS = 64  # a worker; with more that are ready, what workers hold does not matter to an even share
MOST_CELLS = 4096  # in one message
WORTH_SECONDS = 0.00025  # of work: what a message costs by itself; less is not shared
_TRUSTED = 8  # cells that count as measured where an earlier run has measured them: the code may have changed since
_GROWTH = 8  # a message holds at most so many times the cells of its task measured before


@dataclass(slots=True, kw_only=True)
class Parcel:
    """Cells with a worker, and the attempts among them that have not ended."""

    serial: int
    job: Job
    short: bool  # expected to be over within a moment, so that another may wait behind it
    open: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.open = set(self.job.every)


def parted(job: Job, attempts: Collection[int]) -> tuple[Job | None, list[int]]:
    """Give the cells of these attempts: as a job that may go out again, None if it is empty, and those that ride.

    A rider does not go out a second time: whoever sent it knows by then what its inputs are.
    """
    first = job.riders.first if job.riders is not None else len(job.attempts)
    if first == len(attempts) == len(job.attempts) and not job.wagons:
        return job, []
    places = [i for i, attempt in enumerate(job.attempts[:first]) if attempt in attempts]
    riding = (job.attempts[first:], *(wagon.attempts for wagon in job.wagons))
    riders = [attempt for some in riding for attempt in some if attempt in attempts]
    return job.pick(places) if places else None, riders


def attempts_of(result: Result) -> Sequence[int]:
    """Give the attempts that `result` ends.

    Raises
    ------
    ValueError
        If its columns do not fit together.
    """
    match result:
        case Done():
            count = len(result.attempts)
            whole = (result.records, result.components, result.seconds)
            partial = (result.peaks, result.classes, result.elements)
            fits = len(result.times) in (0, 3 * count) and all(len(c) in (0, count) for c in partial)
            if not fits or any(len(c) != count for c in whole):
                raise ValueError("columns of unequal length")
            return result.attempts
        case Failed() | Skipped() | Lost() | Grown() | Died() | TimedOut():
            return (result.attempt,)
        case Interrupted():
            return result.attempts
        case Printed() | Warned() | Metric():
            return ()


def seconds_of(results: Iterable[Result]) -> float:
    """Give the seconds that user functions took in these results."""
    total = 0.0
    for result in results:
        if isinstance(result, Done):
            total += sum(result.seconds)
        elif isinstance(result, Failed | Skipped | Grown):
            total += result.seconds
    return total


def settle(parcels: Sequence[Parcel], attempts: Sequence[int]) -> list[int] | None:
    """End attempts. None: all of them were open, each once; else those that were."""
    for parcel in parcels:
        if parcel.open.issuperset(attempts):
            before = len(parcel.open)
            parcel.open.difference_update(attempts)
            return None if before - len(parcel.open) == len(attempts) else list(dict.fromkeys(attempts))
    ended = []
    for attempt in attempts:
        for parcel in parcels:
            if attempt in parcel.open:
                parcel.open.discard(attempt)
                ended.append(attempt)
                break
    return ended


def narrowed(result: Result, attempts: Sequence[int]) -> Result | None:
    """Give `result` for these attempts alone; None if none are left (W8: late messages are dropped)."""
    if not attempts:
        return None
    if isinstance(result, Interrupted):
        return Interrupted(attempts=list(attempts))
    if not isinstance(result, Done):
        return result
    at = [result.attempts.index(attempt) for attempt in attempts]
    return Done(
        attempts=list(attempts),
        records=[result.records[i] for i in at],
        components=[result.components[i] for i in at],
        seconds=[result.seconds[i] for i in at],
        peaks=[result.peaks[i] for i in at] if result.peaks else [],
        classes=[result.classes[i] for i in at] if result.classes else [],
        elements=[result.elements[i] for i in at] if result.elements else [],
        refusals=[refusal for refusal in result.refusals if refusal[0] in attempts],
        same=[same for same in result.same if same[0] in attempts],
        times=[told for i in at for told in result.times[3 * i : 3 * i + 3]],
        workers=[result.workers[i] for i in at] if result.workers else [],
    )


class Pace:
    """What cells of each task cost, learnt from their results.

    Parameters
    ----------
    usual : callable
        Gives the seconds that cells of a task took in earlier runs; 0: not known.
    message : float
        Seconds of work that one message should hold.
    most : int
        Cells that it holds at most.
    """

    def __init__(
        self, usual: Callable[[int], float] = lambda _: 0.0, *, message: float = MESSAGE_SECONDS, most: int = MOST_CELLS
    ) -> None:
        self._usual = usual
        self._message = message
        self._long = message * LONG_SECONDS / MESSAGE_SECONDS
        self._most = most
        self._cost: dict[int, float] = {}
        self._seen: dict[int, int] = {}

    def expect(self, task: int, seconds: float) -> None:
        """Cells of `task` took so many `seconds` each in earlier runs; 0: nobody knows. For a first message."""
        if seconds > 0.0:
            self._cost[task] = seconds
            self._seen[task] = _TRUSTED

    def meet(self, task: int) -> None:
        """Know of a task what earlier runs did, if it was not met in this one."""
        if task not in self._cost:
            self.expect(task, self._usual(task))

    def learn(self, task: int, seconds: float, cells: int) -> None:
        """`cells` cells of `task` took `seconds` altogether."""
        if cells <= 0:
            return
        self._seen[task] = self._seen.get(task, 0) + cells
        new = max(seconds, 0.0) / cells
        old = self._cost.get(task)
        if old is None:
            self._cost[task] = new
        elif new > old:
            self._cost[task] = (old + new) / 2
        else:  # the first cells of a task are the slow ones: come down by orders of magnitude
            self._cost[task] = max((old * new) ** 0.5, new)

    def hear(self, job: Job, results: Sequence[Result], spent: float, cells: int, warm: set[int]) -> None:
        """A worker has ended `cells` cells of a message, in so many seconds; `warm`: tasks it is familiar with.

        What it spent besides calling functions belongs to all cells alike. The first report of
        a task has its imports in it: of these only what functions took counts.
        """
        if not job.wagons:
            self.learn(job.task.id, spent if job.task.id in warm else seconds_of(results), cells)
            warm.add(job.task.id)
            return
        task_of = {attempt: part.task.id for part in job.parts for attempt in part.attempts}
        took: dict[int, list[float]] = {}
        for result in results:
            if isinstance(result, Done):
                for attempt, seconds in zip(result.attempts, result.seconds, strict=True):
                    took.setdefault(task_of.get(attempt, job.task.id), []).append(seconds)
        each = max(0.0, spent - sum(map(sum, took.values()))) / cells if warm.issuperset(took) else 0.0
        for task, times in took.items():
            self.learn(task, sum(times) + each * len(times), len(times))
        warm.update(took)

    def timed(self, job: Job) -> Job:
        """Give a message that says what its cells are expected to take, where that is known."""
        cost = self._cost.get(job.task.id, 0.0)
        if job.wagons:
            return replace(job, seconds=job.seconds or cost, wagons=[self.timed(wagon) for wagon in job.wagons])
        return replace(job, seconds=cost) if cost and not job.seconds else job

    def cost(self, task: int) -> float | None:
        """Give the seconds a cell of `task` is expected to take; None: not known."""
        return self._cost.get(task)

    def short(self, task: int) -> bool:
        """Tell whether cells of `task` are known to be quick enough to queue behind others."""
        cost = self._cost.get(task)
        return cost is not None and cost <= self._long

    def weight(self, task: int) -> float:
        """Give the part of a message that a cell of `task` takes."""
        return 1.0 / self.fit(task)

    def broad(self, task: int, workers: int) -> int:
        """Give how many cells of `task` that could run side by side are worth a message for each worker."""
        cost = self._cost.get(task, 0.0)
        return int(min(self._most, workers * WORTH_SECONDS / cost)) if cost else self._most

    def cells(self, task: int, ready: int, workers: int, held: Sequence[int] = ()) -> int:
        """Give the cells of `task` for one message, if `ready` are to be shared by `workers`.

        With what each worker holds already, the one with least is brought to its share: a few
        cells go out in one message a worker, and not in ever smaller ones. Work that is not worth
        a message for each worker goes out in fewer.
        """
        whole = ready + sum(held)
        paying = min(workers, int(whole * self._cost.get(task, WORTH_SECONDS) / WORTH_SECONDS))
        share = -(-whole // max(1, paying)) - min(held, default=0)
        return max(1, min(self.fit(task), share, ready)) if ready else 0

    def fit(self, task: int) -> int:
        """Give the most cells of `task` for one message."""
        cost = self._cost.get(task)
        if cost is None or cost > self._long:
            return 1
        fit = int(self._message / cost) if cost > self._message / self._most else self._most
        return max(1, min(fit, self._most, _GROWTH * self._seen[task]))
