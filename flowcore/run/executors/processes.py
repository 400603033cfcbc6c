"""Cells in worker processes: batches out, results in, and who is to blame when one dies.

The executor knows cells and parcels; processes are the pool's. It promises that each
attempt it was handed ends in exactly one posted result (contract F40), whatever dies:

- The attempt that the slot named when its worker died is charged with the death, unless
  its result had arrived; it alone is posted as Died (W6).
- What else that worker had goes out again, to whoever is free, with the same attempt ids.
- An empty slot charges nobody. Those cells go out one at a time, so that the next death
  has a culprit; three such deaths in a row without a finished cell count as capacity gone.
- A cell over its timeout is ended with its worker, whose group gets SIGKILL (W7).

When no worker can be started three times in a row, `broken` says why, `room` answers 0,
nothing more is started, and the engine fetches what has not ended with :meth:`take_back`
to run it elsewhere (F35). While other workers live, it goes on with fewer.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial

from flowcore import clock
from flowcore.run import proc
from flowcore.run.cell.comparing import changed
from flowcore.run.inbox import Inbox
from flowcore.run.job import Died, Failed, Interrupted, Job, Result, TaskSpec, TimedOut, unpack_result
from flowcore.run.pool import acquire, release
from flowcore.run.workers.desks import Desk, Waiting
from flowcore.run.workers.heard import UNREADABLE, sound
from flowcore.run.workers.hiring import Hiring
from flowcore.run.workers.launching import Ending, WorkerProcess
from flowcore.run.workers.parcels import FEW_CELLS, Pace, Parcel, attempts_of, narrowed, parted, settle
from flowcore.run.workers.seating import Seating
from flowcore.run.workers.surroundings import Surroundings

WORKSHOP = "flowcore.run.workers.workshop:open_workshop"


class ProcessExecutor:
    """Runs cells in worker processes. All methods on the engine's thread.

    Close it before its inbox.

    Parameters
    ----------
    workers : int
        Processes that run cells at once.
    inbox : Inbox
        Where results are posted, and what the pool is watched in.
    surroundings : Surroundings
        What the run carries to its workers.
    workshop : str
        "module:function" that workers open to perform cells; imported there.
    devices : sequence of str
        That cells may compute on.
    usual : callable
        Gives the seconds that cells of a task, by its id, took in earlier runs; 0: not known.

    Attributes
    ----------
    broken : str
        Why no worker can be had; empty while some can (`hiring.py` says when).
    """

    name = "process"

    def __init__(
        self, *, workers: int, inbox: Inbox, surroundings: Surroundings, workshop: str = WORKSHOP,
        devices: Sequence[str] = (), usual: Callable[[int], float] = lambda _: 0.0,
    ) -> None:  # fmt: skip
        self._wanted = max(1, workers)
        self._inbox = inbox
        self._run: list[object] = ["run", surroundings.pack(), workshop]
        self._pace = Pace(usual)
        self._desks: dict[int, Desk] = {}
        self._backlog: deque[Waiting] = deque()
        self._serials = itertools.count(1)
        self._stopping = False
        self._closed = False
        self._pool = acquire()
        self._seating = Seating(self._pool.workers, self._desk, cores=self._wanted, devices=devices)
        self._hiring = Hiring(self._pool, inbox, self._wanted)
        self._pool.attach(inbox, self)
        if surroundings.passing:
            self._pool.guard(surroundings.passing)
        self._take_over()
        self._hiring.staff()

    @property
    def broken(self) -> str:
        """Why no worker can be had; empty while some can, or the last of them is being buried."""
        return "" if any(desk.parcels for desk in self._desks.values()) else self._hiring.broken

    # The Executor protocol

    def room(self, task: TaskSpec, ready: int) -> int:
        """Tell how many cells of `task` to hand over now, of `ready` that could go; 0: none."""
        if self._stopping or self._closed or self._hiring.broken or ready <= 0:
            return 0
        self._pace.meet(task.id)
        short = self._pace.short(task.id)
        free = self._seating.free(task, self._backlog, short=short)
        if free <= 0:
            return 0
        held = self._seating.held() if short and ready <= FEW_CELLS * self._wanted else ()
        return self._pace.cells(task.id, ready, self._wanted, held)

    def weight(self, task: TaskSpec) -> float:
        """See Carrier."""
        self._pace.meet(task.id)
        return self._pace.weight(task.id)

    def broad(self, task: TaskSpec) -> int:
        """See Carrier."""
        return self._pace.broad(task.id, self._wanted)

    def start(self, job: Job) -> None:
        """Take a batch."""
        if self._stopping:
            self._inbox.post([Interrupted(attempts=list(job.every))])
            return
        self._backlog.append(Waiting(job=job))
        self._dispatch()

    def stop(self) -> None:
        """Begin no further cell; what runs may finish."""
        self._stopping = True
        self._hiring.close()
        for worker in self._pool.workers:
            if self._desk(worker).parcels:
                worker.slot.ask_to_stop()
        self._interrupt(waiting.job.every for waiting in self._drain_backlog())

    def cancel(self) -> None:
        """Kill what runs; everything unfinished is posted as Interrupted."""
        self.stop()
        for worker in list(self._pool.workers):
            desk = self._desk(worker)
            left = [sorted(parcel.open) for parcel in desk.parcels]
            if any(left):
                self._dismiss(worker, "cancelled")
            desk.parcels = []
            self._interrupt(left)

    def close(self) -> None:
        """End the run here; healthy workers are kept for the next one in this process."""
        if self._closed:
            return
        self.cancel()
        self._closed = True
        for desk in self._desks.values():
            if desk.deadline is not None:
                desk.deadline.cancel()
        self._hiring.close()
        for worker in self._pool.workers:
            if worker.fit:
                self._pool.send(worker, ["rest"])
        release(self._pool)

    def take_back(self) -> list[Job]:
        """Give the cells that no worker will run, once `broken`; their attempts end elsewhere."""
        if not self.broken:
            return []
        parts = [parted(waiting.job, waiting.job.every) for waiting in self._drain_backlog()]
        self._interrupt(riders for _, riders in parts)
        return [job for job, _ in parts if job is not None]

    # Handing out

    def _dispatch(self) -> None:
        while self._backlog and not self._hiring.broken:
            waiting = self._backlog[0]
            short = not waiting.alone and self._pace.short(waiting.job.task.id)
            worker, replaced = self._seating.choose(waiting.job, short=short)
            for other in replaced:
                self._dismiss(other, "replaced: it has other devices")
            if worker is None:
                return
            self._backlog.popleft()
            self._hand(worker, waiting)

    def _hand(self, worker: WorkerProcess, waiting: Waiting) -> None:
        job, desk = waiting.job, self._desk(worker)
        task = job.task
        if not desk.parcels:
            worker.slot.go_on()  # a signal that was not ours may have set the flag (W10)
        devices = worker.devices if task.gpus else ()
        messages: list[object] = []  # in one system call
        if worker.shown != devices:
            worker.shown = devices
            messages.append(["devices", ",".join(devices)])
        for other in [part.task for part in job.parts if part.task.id not in worker.tasks]:
            worker.tasks.add(other.id)
            messages.append(["task", other.pack()])
        job = self._pace.timed(job)
        parcel = Parcel(serial=next(self._serials), job=job, short=not waiting.alone and self._pace.short(task.id))
        desk.parcels.append(parcel)
        self._pool.send(worker, *messages, ["batch", parcel.serial, job.pack()])
        if task.timeout is not None and desk.deadline is None:
            self._set_deadline(worker, clock.monotonic() + task.timeout)

    def _again(self, sent: Job, attempts: Collection[int], *, singly: bool = False) -> None:
        """Hand these cells of a job out once more, nobody being to blame; its riders come back (W6)."""
        job, riders = parted(sent, attempts)
        if self._stopping:
            self._interrupt([sorted(attempts)])
            return
        self._interrupt([riders])
        if job is None:
            return
        jobs = [job.part(i, i + 1) for i in range(len(job.attempts))] if singly else [job]
        self._backlog.extendleft(Waiting(job=part, alone=singly) for part in reversed(jobs))

    # What workers say (launching.Holder)

    def up(self, worker: WorkerProcess) -> None:
        """A worker is there: bring it into the run."""
        self._join(worker)
        self._dispatch()

    def heard(self, worker: WorkerProcess, message: list[object]) -> None:
        """A worker sent this; one that sends anything else than it should is killed (W2)."""
        try:
            match message:
                case ["results", float() as spent, int() as cells, list() as packed]:
                    seat = self._desk(worker).seat
                    self._take_results(worker, spent, cells, [sound(unpack_result(fields, seat)) for fields in packed])
                case ["stale", int() as serial, int() as task, str() as module]:
                    self._take_stale(worker, serial, task, module)
                case ["unfit", int() as runs, str() as reason]:
                    self._take_unfit(worker, runs, reason)
                case _:
                    raise ValueError(f"no such message: {message[0]!r}")
        except UNREADABLE as error:
            self._pool.kill(worker, f"killed: what it sent cannot be read ({error})")

    def _take_results(self, worker: WorkerProcess, spent: float, cells: int, results: Sequence[Result]) -> None:
        desk = self._desk(worker)
        ends = [attempts_of(result) for result in results]
        job = next((parcel.job for parcel in desk.parcels if parcel.open), None)
        posts: list[Result] = []
        for result, attempts in zip(results, ends, strict=True):
            ended = settle(desk.parcels, attempts) if attempts else None
            kept = result if ended is None else narrowed(result, ended)
            if isinstance(kept, Interrupted) and not self._stopping:
                self._begin_again(desk, kept.attempts)  # a signal told the worker, but not the run, to stop
            elif kept is not None:
                posts.append(kept)
        if cells > 0 and job is not None:
            self._hiring.fruitful()
            self._pace.hear(job, results, spent, cells, desk.warm)
        desk.parcels = [parcel for parcel in desk.parcels if parcel.open]
        desk.made(posts)
        self._mind_girth(worker, desk)
        self._inbox.post(posts)
        self._dispatch()

    def _mind_girth(self, worker: WorkerProcess, desk: Desk) -> None:
        """Have another worker take the place of one that has grown (W9)."""
        idle, occupied = not desk.parcels, partial(proc.resident, worker.pid)
        if desk.girth.look(clock.monotonic(), occupied, idle=idle, tasks=len(desk.warm)) == "replace":
            self._dismiss(worker, "replaced: it has grown")

    def _begin_again(self, desk: Desk, attempts: Sequence[int]) -> None:
        for parcel in desk.parcels:
            wanted = set(attempts).intersection(parcel.job.every)
            if wanted:
                self._again(parcel.job, wanted)

    def _take_stale(self, worker: WorkerProcess, serial: int, task: int, module: str) -> None:
        """A worker's code of a task is not the engine's: a used worker is replaced, a new one cannot be helped (F32).

        Used is it from its first cell on: that may have filled a module's table. Other tasks' cells go out again.
        """
        desk = self._desk(worker)
        if worker.runs > 1 or desk.warm:
            self._dismiss(worker, "replaced: it has older code")
            return
        for parcel in [parcel for parcel in desk.parcels if parcel.serial == serial]:
            desk.parcels.remove(parcel)
            part = next((part for part in parcel.job.parts if part.task.id == task), parcel.job)
            begun = part.attempts[: part.riders.first] if part.riders is not None else part.attempts
            cells = [(i, attempt) for i, attempt in enumerate(begun) if attempt in parcel.open]
            self._inbox.post([Failed(attempt=a, failure=changed(part.name(i), module)) for i, a in cells])
            self._again(parcel.job, parcel.open.difference(a for _, a in cells))
        self._dispatch()

    def _take_unfit(self, worker: WorkerProcess, runs: int, reason: str) -> None:
        if runs == worker.runs:  # else it came too late for an earlier one, whose folders were gone
            self._dismiss(worker, "unfit for this run")
            self._hiring.failed(f"a worker could not enter the run: {reason}", worker.token)

    # Deaths

    def gone(self, worker: WorkerProcess, ending: Ending) -> None:
        """A worker has ended: charge whom its slot names, hand out the rest, replace it."""
        desk = self._desks.pop(worker.token, Desk())
        if desk.deadline is not None:
            desk.deadline.cancel()
        charged = desk.excused or self._charge(desk, ending)
        blank = False
        for parcel in reversed(desk.parcels):
            if parcel.open:
                taken = not charged and parcel.serial <= ending.batch
                blank = blank or taken
                self._again(parcel.job, parcel.open, singly=taken)
        if blank or (ending.batch < 0 and not desk.excused):
            reason = f"workers end before they have finished a cell: {ending.cause}; {ending.stderr}"
            self._hiring.failed(reason, worker.token)
        elif not charged:
            self._hiring.idle_death()
        self._hiring.staff()
        self._dispatch()

    def _charge(self, desk: Desk, ending: Ending) -> bool:
        """Post the death of the attempt in the slot, unless its result has arrived."""
        for parcel in desk.parcels:
            if ending.attempt in parcel.open:
                parcel.open.discard(ending.attempt)
                died = Died(
                    attempt=ending.attempt, cause=ending.cause, peak=ending.peak, stderr=ending.stderr,
                    stack=ending.stack, step=ending.step, began=ending.started, worker=desk.seat,
                    memory=ending.memory,
                )  # fmt: skip
                self._inbox.post([died])
                return True
        return False

    def _dismiss(self, worker: WorkerProcess, why: str) -> None:
        """End a worker without blaming a cell for it."""
        self._desk(worker).excused = True
        self._pool.kill(worker, why)

    # Deadlines

    def _set_deadline(self, worker: WorkerProcess, due: float) -> None:
        self._desk(worker).deadline = self._inbox.at(due, lambda: self._on_deadline(worker))

    def _on_deadline(self, worker: WorkerProcess) -> None:
        """Look whether the attempt in the slot is over its time; else look again when it would be.

        Cells that begin after this look are not over their time before the next one, since
        the next one is at most the shortest timeout away.
        """
        desk = self._desk(worker)
        desk.deadline = None
        limits = [p.job.task.timeout for p in desk.parcels if p.open and p.job.task.timeout is not None]
        if worker.gone or worker.doomed or not limits:
            return
        now, attempt, started = clock.monotonic(), worker.slot.attempt, worker.slot.started
        parcel = next((p for p in desk.parcels if attempt in p.open), None)
        limit = parcel.job.task.timeout if parcel is not None else None
        if parcel is None or limit is None or attempt != worker.slot.attempt:
            self._set_deadline(worker, now + min(limits))
        elif now - started < limit:
            self._set_deadline(worker, min(started + limit, now + min(limits)))
        else:
            parcel.open.discard(attempt)
            self._inbox.post([TimedOut(attempt=attempt, seconds=now - started, did="killed", worker=desk.seat)])
            self._dismiss(worker, "killed: over its timeout")

    # Staff

    def _desk(self, worker: WorkerProcess) -> Desk:
        desk = self._desks.get(worker.token)
        if desk is None:
            taken = {other.seat for other in self._desks.values()}
            seat = next(number for number in itertools.count(1) if number not in taken)
            desk = self._desks[worker.token] = Desk(seat=seat)
        return desk

    def _take_over(self) -> None:
        """Bring the workers of the run before into this one."""
        for worker in [worker for worker in self._pool.workers if worker.fit]:
            self._join(worker)

    def _join(self, worker: WorkerProcess) -> None:
        worker.runs += 1
        worker.shown = ()
        worker.tasks.clear()
        worker.slot.go_on()
        worker.slot.batch = -1
        self._pool.send(worker, self._run)

    def refused(self, reason: str, token: int) -> None:
        """A worker that was asked for will not come (launching.Holder)."""
        self._hiring.failed(reason, token)

    def _drain_backlog(self) -> list[Waiting]:
        drained = list(self._backlog)
        self._backlog.clear()
        return drained

    def _interrupt(self, cells: Iterable[Sequence[int]]) -> None:
        attempts = [attempt for some in cells for attempt in some]
        if attempts:
            self._inbox.post([Interrupted(attempts=attempts)])
