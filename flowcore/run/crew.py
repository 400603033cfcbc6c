"""Who carries cells out: executors by lane, made when their first cell comes.

A warm run makes none, so it starts no process. The lanes ``process``, ``thread``,
``async`` and ``inline`` are flowcore's own; an executor that the user brings takes the
cells that would go to processes; any other lane is the name of a plugin. What can be
brought, and how a plugin gets its name, is said in `executors/protocol.py`.

An executor that is not flowcore's own may be on another machine, where of this one no more
is to be seen than the store. A run that knows from its beginning that there will be one
hands all arrays over in the store (`beyond`); where the first such cell is drawn in mid-run,
they are copied there for it, and what it makes is written there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import field, replace
from typing import Any

from flowcore.dataclass import dataclass
from flowcore.declare.task import ByKind
from flowcore.plan.encode import BadRecord
from flowcore.plan.graph import Graph
from flowcore.plan.records import references
from flowcore.run.cell.pages import Pages
from flowcore.run.cell.printing import stand_in, step_back
from flowcore.run.elsewhere import OWN
from flowcore.run.executors.inline import InlineExecutor
from flowcore.run.executors.processes import ProcessExecutor
from flowcore.run.executors.protocol import Executor
from flowcore.run.executors.threads import ThreadExecutor
from flowcore.run.executors.unavailable import Unavailable
from flowcore.run.inbox import Inbox
from flowcore.run.job import Job, Printed
from flowcore.run.proc import free_threaded
from flowcore.run.workers.surroundings import Surroundings
from flowcore.settings import Settings
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.codecs import Codec
from flowcore.store.spool import Spool


def beyond(chosen: object, graph: Graph) -> bool:
    """Tell whether cells are carried out by what is not flowcore's own, and so perhaps on another machine."""
    runners = {planned.node.runner for planned in graph.nodes.values()}
    return (chosen is not None and chosen not in OWN) or not runners.issubset(OWN)


@dataclass(slots=True, kw_only=True)
class Crew:
    """The executors of one run."""

    settings: Settings
    inbox: Inbox
    codec: Codec
    surroundings: Callable[[], Surroundings]
    spool: Spool
    hear: Callable[[Printed], None]  # takes what a cell printed, on the engine's thread
    checkpoints: Checkpoints | None  # None: states of cells are not kept
    devices: tuple[str, ...]  # that cells may compute on
    usual: Callable[[int], float]  # from a task's id to the seconds that its cells took in earlier runs
    echo: bool  # nobody shows what cells print
    named: Callable[[int], str]  # readable id of an attempt's cell, empty if it has ended; on the engine's thread
    interrupt: Callable[[], None]  # stops the run
    _standing: bool = False  # whether stand-ins for the standard streams are in place for our sake
    _made: dict[str, Executor] = field(default_factory=dict)
    _afar: set[str] = field(default_factory=set)  # lanes whose executors do not see all of the spool
    _shared: set[int] = field(default_factory=set)  # tasks whose arrays they see by now

    def lane(self, runner: str) -> str:
        """Give the lane that cells of a runner go to under this run's settings.

        Where threads compute at once, on a free-threaded build of Python, computing cells for which
        nobody has asked for anything else share this process: they need no copies, and no start.
        """
        chosen = self.settings.executor
        if chosen is None and isinstance(runner, ByKind) and free_threaded():
            return "thread"
        if runner == "worker":  # io that goes where the executor's workers are, and stays here if there are none
            runner = "process" if chosen not in (None, "inline", "process") else "thread"
        if runner != "process" or chosen is None:
            return runner
        return chosen if isinstance(chosen, str) else "brought"

    def leaves_process(self, runner: str) -> bool:
        """Tell whether cells of a runner are carried out in another process."""
        return self.lane(runner) not in ("thread", "async", "inline", "engine")

    def get(self, lane: str) -> Executor:
        """Give the executor of a lane; makes it on first use.

        Raises
        ------
        BadOption
            If no executor goes by that name.
        """
        if lane not in self._made:
            self._made[lane] = self._make(lane)
        return self._made[lane]

    def hand_over(self, lane: str, job: Job) -> None:
        """Have a lane's executor start a message."""
        executor = self.get(lane)
        if lane in self._afar:
            self._share(job)
        executor.start(job)

    def made(self) -> list[Executor]:
        """Give the executors there are."""
        return list(self._made.values())

    def hurry(self) -> None:
        """Have a loop over steps on the engine's own thread end: only that can give the engine its turn. Any thread."""
        for executor in self.made():
            if isinstance(executor, InlineExecutor):
                executor.stop()

    def replace(self, lane: str) -> tuple[str, list[Job]]:
        """Let the engine's own thread carry out a lane whose executor is broken; give why, and the cells taken back.

        Fewer processes than wanted is a matter of speed; none at all must not end a run (contract F35).
        """
        broken = self._made[lane]
        reason, jobs = broken.broken, broken.take_back()
        self._made[f"{lane} (broken)"] = broken
        self._made[lane] = self.get("inline")
        return reason, jobs

    def broken(self) -> list[str]:
        """Give the lanes whose executor can carry out nothing any more."""
        return [lane for lane, executor in self._made.items() if executor.broken and not lane.endswith("(broken)")]

    def close(self) -> None:
        """Close every executor."""
        for executor in {id(made): made for made in self._made.values()}.values():
            executor.close()
        if self._standing:
            self._standing = False
            step_back()

    def _make(self, lane: str) -> Executor:
        match lane:
            case "process":
                return ProcessExecutor(
                    workers=self.settings.workers, inbox=self.inbox, surroundings=self.surroundings(),
                    devices=self.devices, usual=self.usual,
                )  # fmt: skip
            case "thread":
                return ThreadExecutor(**self._here())
            case "async":
                from flowcore.run.executors.event_loop import EventLoopExecutor  # asyncio takes 40 ms to import

                try:
                    return EventLoopExecutor(named=self.named, **self._here())
                except (OSError, RuntimeError) as error:  # no descriptor, no thread
                    return Unavailable(inbox=self.inbox, lane=lane, error=error)
            case "inline":
                return InlineExecutor(interrupt=self.interrupt, **self._here())
        return self._brought(lane)

    def _here(self) -> dict[str, Any]:
        """Give what executors in this process share."""
        return {"inbox": self.inbox, "codec": self.codec, "pages": self._pages(), "checkpoints": self.checkpoints}

    def _pages(self) -> Pages:
        """Have what cells print in this process told by cell, as long as there are executors for them."""
        if not self._standing:
            self._standing = True
            stand_in()
        engine = threading.get_ident()

        def told(printed: Printed) -> None:
            if threading.get_ident() == engine:  # an inline cell: the engine reads no inbox before it ends
                self.hear(printed)
            else:
                self.inbox.post([printed])

        return Pages(told, echo=self.echo)

    def _brought(self, lane: str) -> Executor:
        """Make an executor that is not flowcore's own, and may be anywhere that sees the store."""
        from flowcore.run.executors.brought import Bringing  # with concurrent.futures, and few bring an executor

        around = self.surroundings()
        if self.spool.narrow:
            around = replace(around, spool=self.spool.fallback)
            self._afar.add(lane)
        bringing = Bringing(
            workers=self.settings.workers, inbox=self.inbox, codec=self.codec, surroundings=around, usual=self.usual
        )
        return bringing.given(self.settings.executor) if lane == "brought" else bringing.named(lane)

    def _share(self, job: Job) -> None:
        """Have all arrays of a message where any machine sees them."""
        for part in job.parts:
            fields = part.pack()
            if part.task.id not in self._shared:
                self._shared.add(part.task.id)
                fields = [*fields, *part.task.pack()]
            for digest in _arrays(fields):
                self.spool.share(digest)


def _arrays(fields: object) -> Iterator[bytes]:
    """Give the digests of what records refer to, however deep they stand in packed fields."""
    if isinstance(fields, bytes):
        with suppress(BadRecord):
            yield from (digest for digest, _, _ in references(fields))
    elif isinstance(fields, dict):
        yield from _arrays(list(fields.values()))
    elif isinstance(fields, list | tuple):
        for one in fields:
            yield from _arrays(one)
