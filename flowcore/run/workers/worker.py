"""A worker's side: take batches, perform them, say what became of each cell.

Runs in a child of the launcher, with four descriptors and nothing else: its channel, its
lifeline, its slot and its log. Ends when its channel does, when its lifeline does, or
under a cell. Never imports `__main__`, and promises nothing after a cell has broken the
process: who it was is in the slot, the rest is the pool's to hand out again.

Messages to a worker::

    ["run", surroundings, workshop]     what follows belongs to this run
    ["task", spec]                      a task, once
    ["batch", serial, job]              cells of it
    ["rest"]                            the run is over: let go of what belongs to it
    ["devices", names]                  that its cells see from now on; empty: those of the run

and from it::

    ["hello", protocol, pid, python, numpy, edition]
    ["results", spent, cells, [result, ...]]
    ["stale", serial, task, module]     a task's code here is not the engine's: nothing was begun (F32)
    ["unfit", runs, reason]             this process cannot enter the run; `runs`: how many it was told of so far
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import resource
import socket
import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import NoReturn, Protocol

from flowcore.dataclass import dataclass
from flowcore.run import proc
from flowcore.run.cell.comparing import UNLOADABLE
from flowcore.run.cell.footprints import footprints
from flowcore.run.cell.slot import TEXT, Slot
from flowcore.run.columns import Value
from flowcore.run.forked import belongs_here
from flowcore.run.job import Failed, Interrupted, Job, Metric, Printed, Result, TaskSpec, Warned
from flowcore.run.workers import blas
from flowcore.run.workers.edition import IMPORTED
from flowcore.run.workers.outbox import Outbox, text_stream
from flowcore.run.workers.surroundings import Surroundings
from flowcore.run.workers.wire import PROTOCOL, Channel

SHORT_SECONDS = 0.005  # a cell expected to take less is short (W3)
MAPPED = 65_536  # files that a worker may have open, as far as the system lets it
BROKEN = 70  # exit code of a worker that failed outside of a cell (EX_SOFTWARE)


class Workshop(Protocol):
    """What a worker performs cells with during one run."""

    def perform(self, job: Job, report: Callable[[Result], None], tell: Callable[[Value], None]) -> None:
        """Run the cells of `job` in order; `report` the outcome of each as it ends, or `tell` its plain value."""
        ...

    def code(self, task: TaskSpec) -> bytes:
        """Give the identity of the task's code as this process has it."""
        ...

    def differing(self, task: TaskSpec) -> str:
        """Name a module that the task reads and that is another one in this process; empty if there is none."""
        ...

    def close(self) -> None:
        """Let go of the run's files."""
        ...


Open = Callable[[Surroundings, Slot], Workshop]


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptors:
    """All that a worker inherits."""

    channel: int
    lifeline: int
    slot: int
    log: int


class Worker:
    """The worker's main loop, and what it remembers between messages."""

    def __init__(self, channel: Channel, slot: Slot) -> None:
        self._channel = channel
        self._slot = slot
        self._tasks: dict[int, TaskSpec] = {}
        self._checked: set[int] = set()
        self._cores = 1
        self._runs = 0
        self._environ: dict[str, str] = {}  # the run's
        self._workshop: Workshop | None = None
        self._logging = False  # whether it was ever set up as some script's
        self._first = 0  # attempt of the batch
        self._alone = False  # whether there is no other
        self._short = False  # whether all its cells are
        self.outbox = Outbox(self._say, slot)

    def serve(self) -> None:
        """Take messages until there are no more."""
        self._channel.send(["hello", PROTOCOL, proc.pid(), sys.version, _numpy_version(), IMPORTED])
        while (message := self._channel.wait()) is not None:
            match message:
                case ["run", surroundings, workshop]:
                    self._enter(Surroundings.unpack(surroundings), workshop)  # type: ignore[arg-type]
                case ["task", fields]:
                    task = TaskSpec.unpack(fields)  # type: ignore[arg-type]
                    self._tasks[task.id] = task
                case ["batch", serial, fields]:
                    self._take(serial, Job.unpack(fields, self._tasks))  # type: ignore[arg-type]
                case ["rest"]:
                    self._leave()
                case ["devices", str(names)]:
                    proc.set_variable(proc.DEVICES, names or self._environ.get(proc.DEVICES))
                    footprints.note()
                case _:
                    raise ValueError(f"no such message: {message[0]!r}")

    def _say(self, message: object) -> None:
        """Send results. Where that cannot be done, there is nothing left to do here: this process ends.

        1. A cell closes all descriptors. 2. Its result goes nowhere, and the slot is cleared as
        after any other. 3. The worker ends, and nobody is to blame. So it ends before step 2
        if this cell alone can be meant; of several, each is handed out again on its own.
        """
        self._channel.send(message)
        if self._channel.lost:
            if not self._alone:
                self._slot.clear()
            _complain("what this worker speaks through was closed, perhaps by the cell that runs")
            proc.leave(BROKEN)

    def _report(self, result: Result) -> None:
        """Take the outcome of a cell; one that failed in a place that others left otherwise is handed out again."""
        if type(result) is Failed and result.attempt != self._first and self._undo():
            result = Interrupted(attempts=[result.attempt])
        self.outbox.report(result)
        if not self._short and not isinstance(result, Interrupted | Printed | Warned | Metric):
            self._undo()

    def _tell(self, value: Value) -> None:
        """Take the plain value of a cell that is not short."""
        self.outbox.value(value)
        self._undo()

    def _undo(self) -> bool:
        """Put back what cells have changed about this process; it ends if that cannot be done."""
        try:
            return footprints.undo()
        except (OSError, ValueError) as error:
            self.outbox.flush()
            self._slot.clear()
            _complain(f"what cells have changed here cannot be put back: {error}")
            proc.leave(BROKEN)

    def forget(self) -> None:
        """Say nothing from now on, and end at signals as any process: a cell has forked us."""
        self.outbox.cut()
        proc.plain_endings()

    def _leave(self) -> None:
        """Let go of a run."""
        if self._workshop is not None:
            self._workshop.close()
            self._workshop = None
        self._tasks.clear()
        self._checked.clear()

    def _enter(self, surroundings: Surroundings, workshop: str) -> None:
        """Take on the surroundings of a run; forget the one before."""
        self._runs += 1
        self._leave()
        sys.path[:] = surroundings.sys_path
        self._environ = dict(surroundings.environ)
        proc.set_environ(self._environ)
        blas.cap_variables(self._cores, self._environ)
        if surroundings.cwd:
            proc.change_directory(surroundings.cwd)
        if surroundings.logs or self._logging:
            from flowcore.run.workers.logs import take_on  # 5 ms, and few scripts set logging up

            take_on(surroundings.logs)
            self._logging = True
        try:
            module, _, name = workshop.partition(":")
            opened: Open = getattr(importlib.import_module(module), name)
            self._workshop = opened(surroundings, self._slot)
        except Exception:  # noqa: BLE001 - whatever it is, the pool hears of it and goes on with fewer
            self._channel.send(["unfit", self._runs, traceback.format_exc(limit=-3)])
        else:
            self._slot.batch = 0
        footprints.note()

    def _take(self, serial: int, job: Job) -> None:
        if self._workshop is None:
            return
        footprints.trim_log()
        self._slot.batch = serial
        self._slot.begin(job.attempts[0])  # importing the task's module can hang or kill as well
        for task in [part.task for part in job.parts]:
            module = self._stale(task)
            if module:
                self._slot.clear()
                self._channel.send(["stale", serial, task.id, module])
                return
        if job.task.cores != self._cores:
            self._cores = job.task.cores
            blas.cap_variables(self._cores, self._environ)
            blas.cap_loaded(self._cores)
            footprints.note()
        self._first, self._alone = job.attempts[0], len(job.parts) == len(job.attempts) == 1 and job.riders is None
        self._short = not self._alone and all(0.0 < part.seconds < SHORT_SECONDS for part in job.parts)
        self.outbox.begin(short=self._short)
        self._workshop.perform(job, self._report, self.outbox.value if self._short else self._tell)
        self.outbox.flush()
        self._slot.clear()
        self._undo()

    def _stale(self, task: TaskSpec) -> str:
        """Name the module whose code here differs from what the engine keyed, if it does (F32)."""
        if task.id in self._checked or not (task.code or task.modules):
            return ""
        assert self._workshop is not None
        if task.code and isinstance(task.function, tuple):
            module = self._differing_code(task)
        else:
            module = self._workshop.differing(task) if task.modules else ""
        if module == UNLOADABLE and self._runs == 1:
            module = ""  # nothing here is older than the run: performing meets the same error, and tells it
        footprints.note()  # what a module does when it is imported is meant for all cells
        if not module:
            self._checked.add(task.id)
        return module

    def _differing_code(self, task: TaskSpec) -> str:
        assert self._workshop is not None
        try:
            return "" if self._workshop.code(task) == task.code else task.function[1]  # type: ignore[return-value]
        except Exception:  # noqa: BLE001 - importing runs any code
            return UNLOADABLE


def live(fds: Descriptors) -> NoReturn:
    """Be a worker from the fork to the end of the process."""
    code = BROKEN
    try:
        _settle_in(fds)
        worker = Worker(Channel(socket.socket(fileno=fds.channel), blocking=True), _slot(fds))
        _replace_streams(worker.outbox)
        footprints.begin(fds.log, fds.slot, partial(_replace_streams, worker.outbox))
        belongs_here(worker)
        worker.serve()
        code = 0
    except BaseException:  # noqa: BLE001 - the last stop of this process: into the log it goes
        _complain(traceback.format_exc())
    finally:
        proc.leave(code)


def _settle_in(fds: Descriptors) -> None:
    proc.new_session()
    proc.plain_signals()
    proc.ignore_signals("SIGINT")  # W10: what a Ctrl-C ends is decided by the engine
    if not proc.arm_lifeline(fds.lifeline):
        proc.attend_lifeline(fds.lifeline)
    os.dup2(fds.log, 1, inheritable=True)
    os.dup2(fds.log, 2, inheritable=True)
    os.set_inheritable(fds.log, False)
    _allow_files()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()  # every worker was forked with the launcher's state (W1)


def _allow_files() -> None:
    """Let this process have more files open than the usual 1,024: each array that is mapped takes one (B7)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAPPED if hard == resource.RLIM_INFINITY else min(MAPPED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # a system may have a lower limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _slot(fds: Descriptors) -> Slot:
    slot = Slot(fds.slot)
    os.lseek(fds.slot, TEXT, os.SEEK_SET)
    faulthandler.enable(fds.slot)  # it keeps the descriptor; the engine reads the text after our death
    proc.on_signals(slot.ask_to_stop, "SIGTERM", "SIGUSR1")
    return slot


def _replace_streams(outbox: Outbox) -> None:
    streams = text_stream("stdout", outbox, 1), text_stream("stderr", outbox, 2)
    sys.stdout, sys.stderr = streams
    sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]
    outbox.streams = streams


def _complain(text: str) -> None:
    """Write into the log, if it can still be had."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode("utf-8", "replace"))


def _numpy_version() -> str:
    numpy = sys.modules.get("numpy")
    return str(numpy.__version__) if numpy is not None else ""
