"""What a user holds after start(): the run, its values, its failures."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from flowcore.catching import pass_by
from flowcore.declare.node import HIDDEN, Node, Ref, cell_id
from flowcore.declare.site import at_users_line
from flowcore.errors import (
    FlowcoreError,
    RunFailed,
    UnknownNode,
    UnknownRun,
    ValueLost,
    ValueReleased,
)
from flowcore.grid import Grid
from flowcore.inspect.causes.earlier import Earlier
from flowcore.inspect.failures import FailedCell, debugging, failures_told, replay, undone
from flowcore.inspect.html import run_html
from flowcore.inspect.inspected import Inspected
from flowcore.inspect.pictures.pictured import Pictured
from flowcore.inspect.recordings.loops import peek
from flowcore.inspect.summary import summary
from flowcore.plan.encode import BadRecord, ValueGone
from flowcore.plan.graph import Graph
from flowcore.plan.plain import plain_numbers
from flowcore.plan.states import State
from flowcore.progress import observers
from flowcore.run.books import CellFailure, Counts
from flowcore.run.session import Session, Status
from flowcore.run.signals import Signals
from flowcore.settings import Settings
from flowcore.store.directory import Store, open_store
from flowcore.targets import Drawn, asked_of, split_id, target

if TYPE_CHECKING:
    import networkx as nx

    from flowcore.inspect.recordings.recorded import Recorded


class Run(Pictured, Inspected):
    """One execution of a flow.

    ``run[node]`` gives a node's value, or a :class:`Grid` for a node with axes; it also
    takes a name, a cell id, and lists, tuples and dicts of nodes such as
    ``flow.result``. Values are read when asked for; arrays are mapped copy-on-write, so
    writing into one never touches the store.
    """

    def __init__(self, flow: Drawn, session: Session) -> None:
        self.flow = flow
        self._session = session
        self._recorded: Recorded | None = None  # what the journal alone tells, once it is asked for
        self._finalizer: weakref.finalize[..., Run] = weakref.finalize(self, _let_go, session)

    @property
    def id(self) -> str:
        """The run's id."""
        return self._session.id

    @property
    def status(self) -> Status:
        """``running``, ``done``, ``failed``, ``interrupted``, or ``broken`` by a fault of flowcore."""
        return self._session.status

    @property
    def seconds(self) -> float:
        """Wall time of the run so far, or in all."""
        return self._session.seconds

    @property
    def failures(self) -> tuple[FailedCell, ...]:
        """The cells that failed, in order of failing: what failed because of others is not among them."""
        return tuple(self._failed(failure) for failure in self._session.books.failures)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the run to end.

        Ctrl-C (SIGINT, SIGTERM or SIGUSR1 in the main thread) stops the run: nothing new is
        begun, loops over steps save their states at the next step, and what does not finish
        within two seconds (30, where it has to save) is ended; a second one ends it at once.
        Then KeyboardInterrupt is raised, three seconds after the second signal at the latest,
        whatever a cell does; running the flow again goes on from there.

        Returns
        -------
        bool
            Whether the run has ended.

        Raises
        ------
        RunFailed
            If cells failed. The run, and every value that was computed, stays readable.
        """
        with Signals(self._session.interrupt) as signals:
            ended = signals.wait(self._session.wait, timeout)
        if signals.count > 1 and not ended:  # nor is its end waited for when the interpreter ends
            self._finalizer.detach()
            self._finalizer = weakref.finalize(self, self._session.store_run.release)
        if signals.count:
            _tell_interrupted(self.id)
            raise KeyboardInterrupt
        if ended:
            if self._session.out_of_time:
                sys.stderr.write(
                    f"{self.id} stopped before its walltime ended; run the flow again to go on from here.\n"
                )
            self._raise()
        return ended

    def cancel(self) -> None:
        """Stop the run as Ctrl-C does: begin nothing new, end what does not finish soon; called again, at once.

        Every result there is stays, and running the flow again goes on from there.
        """
        self._session.interrupt()

    @at_users_line
    def __getitem__(self, key: object) -> Any:
        if isinstance(key, list | tuple):
            return type(key)(self[part] for part in key)
        if isinstance(key, dict):
            return {name: self[part] for name, part in key.items()}
        if not isinstance(key, str | Node | Ref):
            return key
        node, number = self._find(key)
        if number is not None:
            return self._value(node, number)
        whole = self._grid(node)
        return whole if not isinstance(key, str) or key == node.name else whole[self._chosen(node, key)]

    def output(self, cell: Node | Ref | str) -> str:
        """Give what a cell printed, or all cells of a node, one after the other.

        Standard output and error, `logging` and `warnings`, of all attempts together; up to
        64 KiB a cell. It can be read while the cell runs.
        """
        node, number = self._find(cell)
        lines = self._session.store_run.output.read(node.number, number)
        return "".join(line.text for line in sorted(lines, key=lambda line: line.number))

    def peek(self, cell: Node | Ref | str, name: str) -> Any:
        """Give what is committed of a series, ``ckpt.append(name=...)``, while its cell runs.

        Raises
        ------
        LookupError
            If there is nothing: not yet, or not any more, since the cell is done.
        """
        node, number = self._find(cell)
        work = self._session.books.works.get(node.number)
        keys = work.claims.taken if work is not None and work.claims is not None else {}
        key = keys.get(number if number is not None else -1, b"")
        return peek(self._session.store_run.checkpoints, key, cell=str(cell), name=name)

    def replay(self, cell: Node | Ref | str) -> Any:
        """Call a cell again, in this process: with the same inputs, seed and saved state. Nothing is written.

        Returns
        -------
        object
            What the task gives; what it raises comes as it is, for a debugger.

        Raises
        ------
        LookupError
            If the cell cannot be called: an input of it is not to be had, or the run has no journal.
        """
        from flowcore.replay import replay  # most runs are not replayed

        node, number = self._find(cell)
        if number is None:
            raise UnknownNode(name=str(cell), flow=self.flow.name, near=(self._session.labels.name(node.number, 0),))
        return replay(self.flow, self._now, (node.number, number))

    def _network(self, *, cells: bool) -> nx.DiGraph[str]:
        from flowcore.inspect.networks.run_network import live_cells, live_network  # most runs are not looked at

        session = self._session
        recorded = self._now if session.store_run.writable else None
        drawn = [planned.node for planned in session.graph.planned()]
        nodes = live_network(
            self.flow.name, drawn, schedule=session.schedule, counts=session.books.counts, recorded=recorded
        )
        return live_cells(nodes, session, recorded) if cells else nodes

    @property
    def _now(self) -> Recorded:
        if not self._session.store_run.writable:
            raise UnknownRun(run=self.id, store=str(self._session.store.root))
        if self._recorded is None:
            from flowcore.inspect.recordings.recorded import Recorded  # as above

            self._recorded = Recorded(self._session.store, self.id)
        self._recorded.catch_up()
        return self._recorded

    def summary(self) -> str:
        """Tell what the run did, a line a node."""
        return summary(
            run=self.id,
            flow=self.flow.name,
            status=self.status,
            seconds=self.seconds,
            counts=self._counts(),
            parked=self._session.parked,
        )

    def counts(self, node: Node | Ref | str) -> Counts:
        """Give how many cells of a node ran, were answered by the store, failed and were skipped."""
        found, _ = self._find(node)
        return self._session.books.counts.get(found.number, Counts())

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self.flow.name!r}: {self.status}>"

    def _repr_html_(self) -> str:
        return run_html(
            run=self.id, flow=self.flow.name, status=self.status, seconds=self.seconds, counts=self._counts(),
            failures=[str(failed) for failed in self.failures],
        )  # fmt: skip

    # ---- inside ----------------------------------------------------------------------

    def _counts(self) -> list[tuple[str, int | None, Counts]]:
        """Give the name, the cells, and how far they have come, of each node that a user knows of."""
        session = self._session
        rows: list[tuple[str, int | None, Counts]] = []
        for planned in session.graph.planned():
            if planned.node.kind in HIDDEN:
                continue
            space = session.space(planned.number)
            counts = session.books.counts.get(planned.number, Counts())
            rows.append((planned.name, space.count if space.complete else None, counts))
        return rows

    def _find(self, key: object) -> tuple[Node, int | None]:
        """Give a node, and a cell if `key` is the id of one or the node has no other."""
        text = key if isinstance(key, str) else ""
        if text and text not in self.flow and (drawn := self._drawn(text)) is not None:
            return drawn
        if text.endswith("]") and text not in self.flow:
            return self._cell(text)
        node = target(self.flow, key).node
        if node.number not in self._session.graph.nodes:
            raise ValueLost(cell=node.name, reason="it was not part of this run")
        return node, None if node.axes else 0

    def _cell(self, key: str) -> tuple[Node, int | None]:
        """Give the node of a cell's id, and its number if the id names one cell and not several."""
        node = target(self.flow, split_id(self.flow, key)[0]).node
        node, _ = self._find(node)
        if any(axis.labels is None for axis in node.axes):
            for number in range(self._session.space(node.number).count):
                if self._session.labels.name(node.number, number) == key:
                    return node, number
            raise UnknownNode(name=key, flow=self.flow.name)
        numbers = target(self.flow, key).numbers or ()
        return node, numbers[0] if len(numbers) == 1 else None

    def _drawn(self, key: str) -> tuple[Node, int | None] | None:
        """Give the node of that name that a cell of this run has drawn, and the cell if `key` is the id of one."""
        session = self._session
        for number in list(session.books.drawn):
            node = session.graph[number].node
            if key == node.name:
                return node, None if node.axes else 0
            for cell in range(session.space(number).count if key.startswith(f"{node.name}[") else 0):
                if session.labels.name(number, cell) == key:
                    return node, cell
        return None

    def _chosen(self, node: Node, key: str) -> dict[str, object]:
        """Give the labels that the id of several cells names."""
        numbers = target(self.flow, key).numbers or ()
        places_of = self._session.labels.places
        along = [set(column) for column in zip(*(places_of(node.number, n) for n in numbers), strict=True)]
        named = [(axis, places) for axis, places in zip(node.axes, along, strict=True) if len(places) == 1]
        return {axis.name: (axis.labels or ())[places.pop()] for axis, places in named}

    def _value(self, node: Node, number: int) -> Any:
        session, name = self._session, self._session.labels.name
        if not session.values.has(node.number, number):
            raise self._absent(node, number)
        try:
            return session.codec.decode(session.values.record(node.number, number))
        except ValueGone as gone:
            reason = f"array {gone.digest.hex()[:12]} is not in the store any more"
        except BadRecord as bad:
            reason = f"its record cannot be read ({bad})"
        raise ValueLost(cell=name(node.number, number), reason=reason)

    def _absent(self, node: Node, number: int) -> FlowcoreError:
        name = self._session.labels.name(node.number, number)
        state = self._session.state(node.number, number)
        if state == State.DONE:
            return ValueReleased(cell=name, node=node.name)
        said = self._session.books.skips.get((node.number, number))
        because = f": {said}" if said else ""
        return ValueLost(cell=name, reason=f"the cell is {state.name.lower()}{because}")

    def _grid(self, node: Node) -> Grid:
        session = self._session
        space = session.space(node.number)
        numbers = list(space.select({}).numbers)
        labels = session.labels.table(node.number, numbers)
        states = session.schedule.states(node.number)
        present = {n for n in numbers if states[n] == State.DONE}
        axes = [axis.name for axis in node.axes]
        return Grid(node.name, axes, labels, present, partial(self._value, node), partial(self._column, node))

    def _column(self, node: Node, numbers: Sequence[int]) -> list[Any]:
        records = self._session.values.all_records(node.number, numbers)
        found = plain_numbers(records) if records is not None else None
        return [self._value(node, number) for number in numbers] if found is None else found

    def _failed(self, failure: CellFailure) -> FailedCell:
        node = self._session.graph[failure.node].node
        session = self._session
        labels = session.labels.of(failure.node, failure.number)
        cell = cell_id(node, labels)
        first = session.books.root((failure.node, failure.number))  # who drew a cell draws it again
        named = session.labels.name(*first)
        known = session.debuggable and named == cell
        again = debugging(self.id, cell, failure.error, session.settings.store) if known else ""
        return FailedCell(
            cell=cell, node=node.name, attempts=failure.attempts, error=failure.error, seconds=failure.seconds,
            labels={axis.name: label for axis, label in zip(node.axes, labels, strict=True)},
            arguments=dict(failure.arguments),
            again=again or replay(session.graph[first[0]].node, named, failure.error, session.settings),
        )  # fmt: skip

    def _raise(self) -> None:
        session = self._session
        if session.error is not None:
            raise session.error
        if not session.books.failures:
            return
        failures = self.failures
        told = failures_told(failures, run=self.id, rest=undone(session.graph, session.schedule), output=self.output)
        raise RunFailed(run=self.id, summary=told, failures=failures)


def start_run(flow: Drawn, targets: Sequence[object], settings: Settings) -> Run:
    """Put a run of a flow together, and begin it."""
    pass_by(flow)
    graph, asked = asked_of(flow, targets, settings)
    store = settings.store if isinstance(settings.store, Store) else open_store(str(settings.store))
    told = observers(False if settings.progress is None and _may_be_debugged(graph, settings) else settings.progress)
    session = Session(
        graph, settings=settings, store=store, name=flow.name, asked=asked, observers=told, earlier=Earlier()
    )  # fmt: skip
    run = Run(flow, session)
    try:
        session.start()
    except KeyboardInterrupt:
        run._finalizer()
        raise
    return run


def _may_be_debugged(graph: Graph, settings: Settings) -> bool:
    """Tell whether cells run inline where somebody could answer a debugger: then no table is in its way."""
    inline = settings.executor == "inline" or any(
        planned.node.task is not None and planned.node.runner == "inline" for planned in graph.nodes.values()
    )
    return inline and sys.stdin is not None and sys.stdin.isatty()


def finish(run: Run) -> None:
    """Wait for a run that its caller has not got yet, and that ends with an interrupt of any kind."""
    try:
        run.wait()
    except KeyboardInterrupt:  # it may have come a moment before or after the handler was there; then the run goes on
        run._finalizer()
        raise


def _let_go(session: Session) -> None:
    """Release a run that nobody holds: the interpreter ends, say by a Ctrl-C where nobody waited for the run."""
    ended = session.wait(0.0)
    session.release()
    if not ended:
        _tell_interrupted(session.id)


def _tell_interrupted(run: str) -> None:
    with suppress(AttributeError, OSError, ValueError):  # there may be no such stream any more
        sys.stderr.write(f"{run} interrupted; run the flow again to go on from here.\n")
