"""One run, put together: schedule, books, executors and engine, on a thread of its own.

Built from a graph and settings, and knows nothing of how a user holds a run
(`result.py`). Its thread is the engine's; everything public here may be called from any.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, TypeAlias

from flowcore import clock
from flowcore.collector import at_rest
from flowcore.declare.node import HIDDEN
from flowcore.errors import FileChanged, NotStorable, RunForked
from flowcore.events import Cells, CellsParked, NodeDrawn, Observer, Printed, RunEnded, RunStarted, RunStopping
from flowcore.notices import notice
from flowcore.plan.cells import Space
from flowcore.plan.code import forget
from flowcore.plan.encode import NoEncoding
from flowcore.plan.graph import Graph, Planned
from flowcore.plan.records import combine
from flowcore.plan.states import State
from flowcore.resuming import ResumeMismatch
from flowcore.run.books import CellFailure, open_books
from flowcore.run.cell.nesting import nesting
from flowcore.run.cell.warned import arrived
from flowcore.run.crew import Crew, beyond
from flowcore.run.engine import GRACE_TO_SAVE, Engine, Given
from flowcore.run.forked import belongs_here
from flowcore.run.growing.growth import Growths
from flowcore.run.inbox import Timer
from flowcore.run.job import Printed as PrintedResult
from flowcore.run.job import Warned
from flowcore.run.outcomes.landing import Landing
from flowcore.run.outcomes.sameness import Sameness
from flowcore.run.ready.labels import Labels
from flowcore.run.ready.requests import cell_namer
from flowcore.run.ready.trust import Trust
from flowcore.run.ready.userclasses import classes_of_main
from flowcore.run.ready.values import Classes
from flowcore.run.ready.written import Surround
from flowcore.run.rehearsals.asked import Asked
from flowcore.run.told.advance import Advances
from flowcore.run.told.chronicle import tell_beginning, tell_end
from flowcore.run.told.telling import Teller
from flowcore.run.workers.devices import devices_for
from flowcore.run.workers.foresight import entrust
from flowcore.run.workers.surroundings import Surroundings
from flowcore.settings import Settings
from flowcore.store.codecs import Codec
from flowcore.store.commons import older_commons
from flowcore.store.directory import Store

Status: TypeAlias = Literal["running", "done", "failed", "interrupted", "broken"]
_PATIENCE = 5.0  # seconds that a dropped run is waited for
_SPARED = 0.1  # of a short walltime, for cells to save their states
_TICK = 0.2  # seconds between two events about the same node


FindEarlier: TypeAlias = "Callable[[Session, int, int], Iterable[bytes]]"
"""From a session, a node and a cell to the keys that the cell had in older runs, newest first."""


def nothing_earlier(session: Session, node: int, number: int) -> Iterable[bytes]:  # noqa: ARG001
    """Know of no older run."""
    return ()


class Session:
    """A run and its thread.

    Parameters
    ----------
    graph : Graph
        The nodes, lowered.
    settings : Settings
    store : Store
    name : str
        The flow's.
    asked : Asked
    observers : sequence of Observer
    earlier : callable
        From this session, a node and a cell to the keys that the cell had in older runs, newest first.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        settings: Settings,
        store: Store,
        name: str,
        asked: Asked,
        observers: Sequence[Observer],
        earlier: FindEarlier = nothing_earlier,
    ) -> None:
        forget()  # globals are looked at anew in each run (contract K6)
        depth, cores = nesting(name)
        devices = devices_for(graph, settings.executor)
        self.graph = graph
        self.settings = settings = replace(settings, workers=min(settings.workers, cores or settings.workers))
        self.name = name
        self.store = store
        self.store_run = store.begin(away=beyond(settings.executor, graph))
        entrust(self.store_run.spool.path)
        self.id = self.store_run.id
        self.status: Status = "running"
        self.error: BaseException | None = None  # what went wrong in the engine itself
        self.began = clock.monotonic()
        self.out_of_time = False  # whether it stopped because its walltime was nearly over
        self._seconds: float | None = None  # None: it goes on
        self._durable = store.durable
        self._teller = Teller(observers)
        self._told = 0.0
        self._stopping = False  # whether observers were told
        self._awaited: dict[str, int] = {}  # as they were told
        self._soon: Timer | None = None  # the next telling, where one is due
        self._ended = threading.Event()
        self.codec = Codec(
            kept=self.store_run.blobs if self.store_run.writable else None, passed=self.store_run.spool,
            files=self.store_run.files, pickles=store.allow_pickle,
        )  # fmt: skip
        self.books = open_books(
            graph, settings=settings, kept=self.store_run, asked=asked, began=self.began, nested=depth > 0,
            gpus=len(devices),
        )  # fmt: skip
        self.schedule, self.values = self.books.schedule, self.books.values
        self.labels = Labels(graph, self.space, self.values, self.codec)
        self._crew = Crew(
            settings=settings, inbox=self.books.inbox, codec=self.codec, surroundings=self._surroundings,
            spool=self.store_run.spool, devices=devices, usual=self.books.gate.usual,
            checkpoints=self.store_run.checkpoints if self.store_run.writable else None,
            hear=self._hear, echo=not self._teller.listening, named=self._named, interrupt=self.interrupt,
        )  # fmt: skip
        self._given, self._origin = tuple(asked.given), asked.origin
        try:
            with at_rest:
                self.engine = self._assemble(asked, depth, earlier)
        except BaseException:  # a given value that cannot travel, say: nothing of this run stays
            self.store_run.close("broken")
            self.store_run.release()
            self.books.inbox.close()
            raise
        self._thread = threading.Thread(target=self._run, name="flowcore-engine", daemon=True)
        belongs_here(self)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; tell whether it has come."""
        return self._ended.wait(timeout)

    def interrupt(self) -> None:
        """Begin no further cell, and end what does not finish soon; at once if this was called before."""
        if self._ended.is_set():
            return
        if self.status == "running":
            self.status = "interrupted"
            self.engine.interrupt()
        else:
            self.engine.cancel()

    @property
    def seconds(self) -> float:
        """Wall time so far, or in all."""
        return clock.monotonic() - self.began if self._seconds is None else self._seconds

    @property
    def debuggable(self) -> bool:
        """Whether the journal says what draws the flow, so that a cell can be called again from another process."""
        return bool(self._origin) and self.store_run.writable

    @property
    def parked(self) -> CellsParked:
        """The cells that wait for other live runs."""
        awaited = self.books.awaited
        return CellsParked(cells=sum(awaited.values()), runs=tuple(sorted(awaited)))

    def space(self, node: int) -> Space:
        """Give the cells of a node."""
        return self.schedule.space(self.graph[node].spans)

    def state(self, node: int, number: int) -> State:
        """Tell where a cell stands."""
        return self.schedule.state(node, number)

    def release(self) -> None:
        """End the run if it has not ended, and let go of values that are kept for its sake only.

        Called when nobody holds the run any more, and when the interpreter ends (F37).
        """
        if not self._ended.is_set():
            self.interrupt()
            self.interrupt()
            self._ended.wait(_PATIENCE)
        self.store_run.release()

    def forget(self) -> None:
        """In a forked copy of this process: the run is our parent's, and so is all that it has on disk."""
        self.store_run.forget()
        if not self._ended.is_set():
            self.status, self.error = "broken", RunForked(run=self.id)
            self._ended = threading.Event()  # another thread may have held the old one's lock at the fork
            self._ended.set()

    # ---- putting together ------------------------------------------------------------

    def _assemble(self, asked: Asked, depth: int, earlier: FindEarlier) -> Engine:
        self._plan(asked)
        self._landing = Landing(
            self.books, name=self.labels.name, failed=self._failed, printed=self._printed, warned=self._warn,
            progressed=Advances(cache=self.store_run.cache, name=self.labels.name, tell=self._teller.tell).take,
            sameness=Sameness(self.books, partial(earlier, self)),
        )  # fmt: skip
        surround = Surround(
            codec=self.codec, spaces=self.space, label=self.labels.record, run_id=self.id,
            leaves_process=self._crew.leaves_process, lane=self._crew.lane, depth=depth, seed=self.settings.seed,
            named=cell_namer(self.graph, self.labels.record), cell=self.labels.name, resume=self.settings.resume,
        )  # fmt: skip
        return Engine(
            self.books, crew=self._crew, landing=self._landing, given=self._encode(asked.given), tick=self._tick,
            trust=Trust(asked.trust, partial(older_commons, self.store.root, self.id, disk=self.store.disk)),
            growths=Growths(self.books, landing=self._landing, surround=surround, ready=self._grow),
        )  # fmt: skip

    def _plan(self, asked: Asked) -> None:
        lanes: dict[tuple[str, int, int], str] = {}
        for number, planned in self.graph.nodes.items():
            node, supplied = planned.node, number in asked.given
            about = node.kind, id(node.task), id(node.options)
            lane = lanes.get(about) or lanes.setdefault(about, self._lane(planned))
            self.schedule.add(
                number, planned.spans, () if supplied else planned.edges, priority=node.options.priority,
                held=supplied or number in asked.held, lane=lane,
            )  # fmt: skip
        for target in self.graph.targets:
            self.schedule.want(target, asked.wants.get(target))

    def _grow(self, planned: Planned, below: int) -> None:
        """Take up a node that a cell of another one has drawn."""
        priority = max(planned.node.options.priority, self.graph[below].node.options.priority)
        lane = self._lane(planned)
        self.schedule.add(planned.number, planned.spans, planned.edges, priority=priority, lane=lane, below=below)
        self.graph.extend([planned])  # in this order: others may be looking
        self._draw(planned)

    def _lane(self, planned: Planned) -> str:
        kind = planned.node.kind
        if kind in ("item", "expand"):
            return "thread"
        return "engine" if kind in ("choose", "result") else self._crew.lane(planned.node.runner)

    def _encode(self, given: Mapping[int, Sequence[object]]) -> Given:
        return {node: [self._supplied(node, n, v) for n, v in enumerate(row)] for node, row in given.items()}

    def _supplied(self, node: int, number: int, value: object) -> tuple[bytes, bytes, Classes]:
        """Encode a value that the user supplies; without identity it vouches for nothing in another run (K31)."""
        try:
            encoded = self.codec.encode(value, keep=False)
        except NoEncoding:
            self.values.nameless.add((node, number))
            record = self.codec.pass_on(value, name=self.graph[node].name)
            return record, combine("given", [self.id.encode(), str(node).encode(), str(number).encode()]), ()
        return encoded.record, encoded.component, encoded.classes

    def _surroundings(self) -> Surroundings:
        return Surroundings.of_this_process(
            run_id=self.id, store=str(self.store_run.root), spool=str(self.store_run.spool.path), durable=self._durable,
            writable=self.store_run.writable, pickles=self.store.allow_pickle, classes=classes_of_main(self.codec),
        )  # fmt: skip

    # ---- the engine's thread ---------------------------------------------------------

    def _run(self) -> None:
        try:
            self._teller.tell(
                RunStarted(run=self.id, flow=self.name, nodes=len(self.graph.nodes), workers=self.settings.workers)
            )
            with at_rest:
                for planned in self.graph.nodes.values():
                    self._draw(planned)
                self.books.axes = tell_beginning(
                    self.store_run.cache, self.graph, flow=self.name, settings=self.settings, given=self._given,
                    codec=self.codec, about={"began": clock.wall() - self.seconds, "origin": dict(self._origin)},
                )  # fmt: skip
            self._mind_walltime()
            self.engine.run()
        except BaseException as error:  # noqa: BLE001 - a fault of flowcore's own ends the run, never silently (F37)
            self.error = error
            self.status = "broken"
        finally:
            self._finish()

    def _mind_walltime(self) -> None:
        """Stop in good time: cells have the grace to save what they have."""
        allowed = self.settings.walltime
        if allowed is not None:
            spare = min(GRACE_TO_SAVE, allowed * _SPARED)
            self.books.inbox.at(self.began + allowed - spare, self._out_of_time)

    def _out_of_time(self) -> None:
        self.out_of_time = True
        self.interrupt()

    def _finish(self) -> None:
        if self.status == "running":
            self.status = "failed" if self.books.failures else "done"
        self._seconds = clock.monotonic() - self.began
        try:
            self._told = 0.0
            self.books.changed.update(self.books.counts)
            self._tick()
            self._landing.doubles.settle()
            counts = tell_end(self.store_run.cache, self.books)
            self.store_run.end(self.status, counts | {"seconds": self.seconds})
            self.store_run.close(self.status)
        except BaseException as error:  # noqa: BLE001 - as in _run: whoever waits must be told, whatever happened
            self.error = self.error or error
            self.status = "broken"
        try:
            self._teller.tell(RunEnded(run=self.id, status=self.status, seconds=self.seconds))
            self._teller.close()
            self.books.inbox.close()
        finally:
            self._ended.set()

    def _failed(self, failure: CellFailure) -> None:
        del failure
        if self.settings.on_error != "continue":
            self.engine.end("cancel" if self.settings.on_error == "cancel" else "stop")

    def _warn(self, trouble: NotStorable | FileChanged | Warned) -> None:
        if isinstance(trouble, NotStorable | FileChanged):
            notice(trouble, trouble.at)
        elif (warning := arrived(trouble)) is not None:
            if isinstance(warning, ResumeMismatch):
                notice(warning, warning.at)
            else:
                self.store_run.hear(warning)

    def _named(self, attempt: int) -> str:
        flight = self.books.attempts.get(attempt)
        return self.labels.name(*flight.cell(attempt)) if flight is not None else ""

    def _hear(self, printed: PrintedResult) -> None:
        self._landing.take(printed)

    def _printed(self, node: int, number: int, printed: PrintedResult) -> None:
        """Keep what a cell wrote, and tell it; on disk it is a moment later, together with what comes then."""
        output = self.store_run.output
        if output.write(node, number, printed.stream, printed.text):
            self.books.inbox.at(clock.monotonic() + _TICK, output.flush)
        if self._teller.listening:
            cell = self.labels.name(node, number)
            self._teller.tell(Printed(cell=cell, stream=printed.stream, text=printed.text))

    def _draw(self, planned: Planned) -> None:
        if not self._teller.counting or planned.node.kind in HIDDEN:
            return
        space = self.space(planned.number)
        self._teller.tell(
            NodeDrawn(
                node=planned.number, name=planned.name, kind=planned.node.kind, group=planned.node.group,
                cells=space.count if space.complete else None,
                task=planned.node.task.name if planned.node.task is not None else "",
            )
        )  # fmt: skip

    def _tick(self) -> None:
        """Tell observers what changed, a few times a second."""
        if self.status in ("interrupted", "cancelled") and not self._stopping:
            self._stopping = True
            self._teller.tell(RunStopping(run=self.id))
        if self.books.awaited != self._awaited:
            self._awaited = self.books.awaited
            self._teller.tell(self.parked)
        if not self.books.changed or not self._teller.counting:
            return
        now = clock.monotonic()
        if now - self._told < _TICK:
            if not self._soon:  # nothing may happen for long, and this is still to be told
                self._soon = self.books.inbox.at(self._told + _TICK, self._tick)
            return
        self._told, self._soon = now, None
        for node in self.books.changed:
            if self.graph[node].node.kind not in HIDDEN:
                c = self.books.counts[node]
                self._teller.tell(
                    Cells(node=node, started=c.started, done=c.done, hit=c.hit, failed=c.failed, skipped=c.skipped)
                )
            if not self.space(node).static:
                self._draw(self.graph[node])
        self.books.changed.clear()
