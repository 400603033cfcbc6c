"""Runs of a store, from any process: live, dead and finished ones.

Owns :func:`runs`, :func:`open_run` and what they give. Promises to read only what is
there and to run no code of whoever wrote it; a run that goes on is followed while it is
looked at. Never writes, and never starts anything.
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any, cast

from flowcore import clock
from flowcore.declare.node import HIDDEN
from flowcore.errors import UnknownNode, UnknownRun, nearest
from flowcore.grid import Grid
from flowcore.inspect.failures import FailedCell
from flowcore.inspect.inspected import Inspected
from flowcore.inspect.networks.run_network import recorded_cells, recorded_network
from flowcore.inspect.pictures.pictured import Pictured
from flowcore.inspect.recordings.brief import CellInfo, RunInfo, in_short, number_of
from flowcore.inspect.recordings.loops import peek
from flowcore.inspect.recordings.nodeinfo import NodeInfo
from flowcore.inspect.recordings.recorded import Recorded, names_some
from flowcore.inspect.summary import summary
from flowcore.run.books import Counts
from flowcore.run.job import Failure
from flowcore.store.directory import Store, open_store
from flowcore.store.history import CellFailed, Stepped, lives, read_beginning, read_end, run_paths
from flowcore.store.output import read_output
from flowcore.store.packs import packed_runs
from flowcore.targets import Drawn

if TYPE_CHECKING:
    import networkx as nx

    from flowcore.replay import Ready


def runs(store: object = ".flowcore") -> list[RunInfo]:
    """List the runs of a store, the newest first.

    Parameters
    ----------
    store : path or open store
        One that is not there has none.

    Raises
    ------
    StoreUnavailable
        If it must not be read: it belongs to somebody else, or has another format.
    """
    place = _opened(store)
    paths = run_paths(place.root, disk=place.disk)
    packed = packed_runs(place.root, disk=place.disk)
    found = {run_id: _told(place, run_id, path) for run_id, path in paths.items()}
    found = {run_id: in_short(run_id, told.facts, told.status, told.counts) for run_id, told in packed.items()} | found
    return [found[run_id] for run_id in sorted(found, reverse=True)]


def open_run(run_id: str, store: object = ".flowcore") -> RecordedRun:
    """Open any run of a store, whether it goes on, has ended, or died.

    Parameters
    ----------
    run_id : str
        Its id, or the first letters of it if no other run's begins so.
    store : path or open store

    Raises
    ------
    UnknownRun
        If there is none, or more than one.
    """
    place = _opened(store)
    known = list(run_paths(place.root, disk=place.disk))
    found = [run_id] if run_id in known else [one for one in known if run_id and one.startswith(run_id)]
    packed = [one for one in packed_runs(place.root, disk=place.disk) if run_id and one.startswith(run_id)]
    if not found and len(packed) == 1:
        raise UnknownRun(run=packed[0], store=str(place.root), packed=True)
    if len(found) != 1:
        raise UnknownRun(run=run_id, store=str(place.root), near=tuple((found or known)[-3:]))
    return RecordedRun(Recorded(place, found[0]))


class RecordedRun(Pictured, Inspected):
    """A run as its journal tells it.

    ``run[name]`` gives the value of a node, or a :class:`~flowcore.grid.Grid` of it,
    ``run["erode[rate=0.1]"]`` that of a cell. Values are read when asked for, without
    pickle. Of a run that goes on each answer is as of now.
    """

    def __init__(self, recorded: Recorded) -> None:
        self.id = recorded.id
        self._recorded = recorded
        self._ids: dict[int, dict[str, int]] = {}

    @property
    def flow(self) -> str:
        """The flow's name."""
        return str(self._now.facts.get("flow", ""))

    @property
    def status(self) -> str:
        """See :class:`RunInfo`."""
        return self._now.status

    @property
    def began(self) -> float:
        """When it began, in seconds since 1970."""
        return self._now.began

    @property
    def seconds(self) -> float:
        """Wall time so far, or in all; of a dead run, up to the last word of it."""
        now = self._now
        if now.ended is not None:
            return number_of(now.ended.counts.get("seconds"))
        return _since(now.store, now.id, now.began)

    @property
    def settings(self) -> dict[str, object]:
        """What it was run with: workers, seed, on_error, executor, Python's version."""
        names = ("workers", "seed", "on_error", "executor", "python")
        return {name: self._now.facts[name] for name in names if name in self._now.facts}

    @property
    def origin(self) -> dict[str, object]:
        """What draws its flow: `file`, `argv`, and `by`, "script" or "flowcore run"; empty at a prompt."""
        origin = self._now.facts.get("origin")
        return dict(origin) if isinstance(origin, dict) else {}

    @property
    def nodes(self) -> tuple[NodeInfo, ...]:
        """The nodes that were part of it."""
        return tuple(node for node in self._now.nodes.values() if node.kind not in HIDDEN)

    @property
    def info(self) -> RunInfo:
        """The run in short."""
        now, workers = self._now, self._now.facts.get("workers")
        return RunInfo(
            id=self.id, flow=self.flow, status=now.status, began=now.began, seconds=self.seconds,
            cells=_counted(now), workers=workers if isinstance(workers, int) else 0,
        )  # fmt: skip

    @property
    def failures(self) -> tuple[FailedCell, ...]:
        """The cells that failed: what failed because of others is not among them."""
        now = self._now
        return tuple(
            self._failed(event) for node in self.nodes for event in now.ledgers[node.number].events
            if isinstance(event, CellFailed)
        )  # fmt: skip

    def counts(self, node: str) -> Counts:
        """Give how many cells of a node ran, were answered by the store, failed and were skipped."""
        return self._now.ledgers[self._node(node).number].counts

    def cells(self, name: str) -> list[CellInfo]:
        """Give the cells of a node, those along dynamic axes as far as they are known.

        Of ``erode[rate=0.1]`` those that have this label, whatever their labels along other axes.
        """
        now = self._now
        for node in self.nodes:
            if node.name == name:
                return [self._row(node.number, n) for n in self._numbers(node.number)]
        for node in self.nodes:
            if name.startswith(f"{node.name}[") and name.endswith("]"):
                inside, number = name[len(node.name) + 1 : -1], node.number
                if found := [n for n in self._numbers(number) if names_some(inside, now.fragments(number, n))]:
                    return [self._row(number, n) for n in found]
        raise self._unknown(name)

    def cell(self, cell: str) -> CellInfo:
        """Give one cell, by its id."""
        return self._row(*self._one(cell))

    def output(self, cell: str) -> str:
        """Give what a cell printed, or all cells of a node: stdout, stderr, logging and warnings, up to 64 KiB each."""
        node, number = self._find(cell)
        path, disk = self._now.store.layout.output(self.id), self._now.store.disk
        lines = (line for line in read_output(path, disk=disk) if line.node == node.number)
        wanted = [line for line in lines if number in (None, line.number)]
        return "".join(line.text for line in sorted(wanted, key=lambda line: line.number))

    def peek(self, cell: str, name: str) -> Any:
        """Give what is committed of a series, ``ckpt.append(name=...)``, while its cell runs.

        Raises
        ------
        LookupError
            If there is nothing: not yet, or not any more, since the cell is done.
        """
        node, number = self._one(cell)
        now = self._now
        return peek(now.archive.checkpoints, now.loops.keys.get((node, number), b""), cell=cell, name=name)

    def replay(self, cell: str, flow: Drawn) -> object:
        """Call a cell again, in this process: with the same inputs, seed and saved state. Nothing is written.

        Parameters
        ----------
        cell : str
            Its id.
        flow : Flow
            The flow of this run, drawn again: a store gives values, and never code.

        Returns
        -------
        object
            What the task gives; what it raises comes as it is, for a debugger.

        Raises
        ------
        LookupError
            If the cell cannot be called: the flow is another one, or an input is not to be had.
        """
        from flowcore.replay import replay  # most runs are not replayed

        return replay(flow, self._now, self._one(cell))

    def ready_again(self, cell: str, flow: Drawn) -> Ready:
        """Make a cell ready for :meth:`replay`, to be looked at before it is called."""
        from flowcore.replay import ready_again  # as above

        return ready_again(flow, self._now, self._one(cell))

    def loops(self) -> dict[str, Stepped]:
        """Give how far the loops of cells were when that was last written down, by cell; done cells are left out."""
        now = self._now
        told = {at: step for at, step in now.loops.steps.items() if now.state(*at) not in ("done", "hit")}
        return {now.name(*at): step for at, step in sorted(told.items())}

    def summary(self) -> str:
        """Tell what the run did, a line a node."""
        now = self._now
        rows: list[tuple[str, int | None, Counts]] = []
        for node in self.nodes:
            space = now.space(node.number)
            rows.append((node.name, space.count if space.complete else None, now.ledgers[node.number].counts))
        return summary(
            run=self.id, flow=self.flow, status=self.status, seconds=self.seconds, counts=rows, parked=now.parked
        )

    def _network(self, *, cells: bool) -> nx.DiGraph[str]:
        return recorded_cells(self._now) if cells else recorded_network(self._now)

    def __getitem__(self, name: str) -> Any:
        node, number = self._find(name)
        if number is None and node.axes:
            return self._grid(node)
        return self._recorded.value(node.number, number or 0)

    def __contains__(self, name: object) -> bool:
        return any(name == node.name for node in self.nodes)

    def __repr__(self) -> str:
        return f"<RecordedRun {self.id} of {self.flow!r}: {self.status}>"

    # ---- inside ----------------------------------------------------------------------

    @property
    def _now(self) -> Recorded:
        self._recorded.catch_up()
        return self._recorded

    def _node(self, name: str) -> NodeInfo:
        for node in self.nodes:
            if node.name == name:
                return node
        raise self._unknown(name)

    def _unknown(self, name: str) -> UnknownNode:
        known = tuple(node.name for node in self.nodes[:8])
        return UnknownNode(name=name, flow=self.flow, near=_near(name, self.nodes), known=known)

    def _find(self, name: str) -> tuple[NodeInfo, int | None]:
        """Give a node, and the cell if `name` is the id of one."""
        for node in self.nodes:
            if node.name == name:
                return node, None if node.axes else 0
        for node in self.nodes:
            if name.startswith(f"{node.name}[") and (number := self._id(node.number, name)) is not None:
                return node, number
        raise self._unknown(name)

    def _one(self, cell: str) -> tuple[int, int]:
        node, number = self._find(cell)
        if number is None:
            raise UnknownNode(name=cell, flow=self.flow, near=(self._recorded.name(node.number, 0),))
        return node.number, number

    def _id(self, node: int, cell: str) -> int | None:
        """Give the number of the cell of that id; ids are made once, and again when there are more cells."""
        known = self._ids.get(node, {})
        if cell not in known:
            numbers = self._numbers(node)
            if len(numbers) != len(known):
                known = self._ids[node] = {self._recorded.name(node, n): n for n in numbers}
        return known.get(cell)

    def _numbers(self, node: int) -> list[int]:
        """Give the cells of a node, row-major, and behind them those whose labels cannot be read."""
        space, told = self._recorded.space(node), self._recorded.ledgers[node].index()
        return [*space.select({}).numbers, *sorted(n for n in told if n >= space.count)]

    def _row(self, node: int, number: int) -> CellInfo:
        now = self._recorded
        known = number < now.space(node).count
        labels = now.labels(node, number) if known else ()
        return CellInfo(
            cell=now.name(node, number), labels=dict(zip(now.nodes[node].axes, labels, strict=False)),
            state=now.state(node, number), seconds=now.seconds(node, number), attempts=now.attempts(node, number),
            key=now.key(node, number).hex(), number=number,
        )  # fmt: skip

    def _grid(self, node: NodeInfo) -> Grid:
        now, number = self._recorded, node.number
        numbers = now.space(number).select({}).numbers
        present = {n for n in numbers if now.state(number, n) in ("done", "hit", "given")}
        labels = {now.labels(number, n): n for n in numbers}
        return Grid(node.name, node.axes, labels, present, lambda n: now.value(number, n))

    def _failed(self, event: CellFailed) -> FailedCell:
        row, facts = self._row(event.node, event.number), event.facts
        given = cast("dict[object, object]", facts.get("arguments", {}))
        causes = tuple(
            Failure(type=str(kind), text=str(text), traceback="", at=str(at))
            for kind, text, at in cast("list[list[object]]", facts.get("causes", ()))
        )
        error = Failure(
            type=str(facts.get("type")), text=str(facts.get("text")), traceback=str(facts.get("traceback", "")),
            at=str(facts.get("at", "")), causes=causes,
        )  # fmt: skip
        return FailedCell(
            cell=row.cell, node=self._recorded.nodes[event.node].name, labels=row.labels, attempts=row.attempts,
            error=error, arguments={str(name): str(told) for name, told in given.items()},
        )  # fmt: skip


def _opened(store: object) -> Store:
    place = store if isinstance(store, Store) else open_store(cast("str | PathLike[str]", store))  # type: ignore[arg-type]
    if not place.readable and place.trouble is not None:
        raise place.trouble
    return place


def _told(store: Store, run_id: str, path: str) -> RunInfo:
    """Give a run in short: of one that has ended, by the first and last words of its journal."""
    ended, beginning = read_end(path, disk=store.disk), read_beginning(path, disk=store.disk)
    if ended is None or beginning is None or "cells" not in ended.counts:
        return RecordedRun(Recorded(store, run_id)).info
    return in_short(run_id, beginning.facts, ended.status, ended.counts)


def _counted(recorded: Recorded) -> dict[str, int]:
    """Count the cells of a run."""
    if recorded.ended is not None and "cells" in recorded.ended.counts:
        told = {str(name): count for name, count in recorded.ended.counts.items() if isinstance(count, int)}
        return told | {"running": 0}
    shown = [node for node in recorded.nodes.values() if node.kind not in HIDDEN]
    counts = [recorded.ledgers[node.number].counts for node in shown]
    return {
        "cells": sum(recorded.space(node.number).count for node in shown),
        "done": sum(c.done for c in counts), "hit": sum(c.hit for c in counts),
        "failed": sum(c.failed for c in counts), "skipped": sum(c.skipped for c in counts),
        "blocked": 0, "interrupted": 0, "running": recorded.running if recorded.status == "running" else 0,
    }  # fmt: skip


def _since(store: Store, run_id: str, began: float) -> float:
    """Give the wall time of a run without an end."""
    if lives(store.root, run_id, disk=store.disk):
        return max(0.0, clock.wall() - began)
    try:
        return max(0.0, store.disk.stat(store.layout.journal(run_id)).st_mtime - began)
    except OSError:
        return 0.0


def _near(name: str, nodes: tuple[NodeInfo, ...]) -> tuple[str, ...]:
    return nearest(name.partition("[")[0], [node.name for node in nodes])
