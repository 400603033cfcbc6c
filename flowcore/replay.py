"""One cell of a run once more, in this process: the same inputs, seed and saved state, and nothing written.

Owns the putting together of that call: what the journal tells of the cell's inputs, what
the flow at hand says of its code. Promises that functions come from the flow that the
caller passes and never from the store (contract S10), that neither the store nor a live
run notices, and that whatever is otherwise than in the run is told: code, arguments, and
inputs that were not kept and had to be computed again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import field
from functools import partial
from typing import Any, Final, cast

from flowcore.dataclass import dataclass
from flowcore.declare.checkpoint import CHECKPOINT
from flowcore.declare.node import Gathered
from flowcore.declare.seat import StartOver
from flowcore.errors import FlowcoreError, FlowcoreWarning, ValueLost, ValueReleased
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.notices import notice
from flowcore.plan.cells import Space
from flowcore.plan.code import forget
from flowcore.plan.encode import BadRecord, NoEncoding, ValueGone
from flowcore.plan.graph import Graph
from flowcore.plan.keys import difference
from flowcore.plan.records import combine, component_of
from flowcore.run.cell.call import Call, Stage
from flowcore.run.cell.claim import told
from flowcore.run.cell.context import Context, current
from flowcore.run.cell.seat import Around
from flowcore.run.cell.slot import LocalSlot
from flowcore.run.cell.supply import Supplied
from flowcore.run.job import Job
from flowcore.run.ready.inmemory import InMemory
from flowcore.run.ready.labels import Labels
from flowcore.run.ready.preparing import prepare
from flowcore.run.ready.requests import cell_namer
from flowcore.run.ready.userclasses import current_classes, identified
from flowcore.run.ready.values import Classes, Values
from flowcore.run.ready.work import Work
from flowcore.run.ready.written import Surround
from flowcore.run.told.arguments import arguments_told
from flowcore.store.cache import Hit
from flowcore.store.checkpoint import Checkpoints, copied
from flowcore.store.codecs import Codec
from flowcore.store.files import Files
from flowcore.store.fs import scratch
from flowcore.store.trace import Trace
from flowcore.targets import Drawn

Cell = tuple[int, int]  # node, number


@dataclass(kw_only=True, eq=False)
class CannotReplay(FlowcoreError, LookupError):
    """A cell of a run cannot be called again with what there is."""

    cell: str
    run: str
    reason: str
    remedy: str = ""

    def lines(self) -> Iterator[str]:
        """See FlowcoreError."""
        yield f"{self.cell} of run {self.run} cannot be run again here: {self.reason}."
        yield "Nothing was run, and nothing was changed."
        if self.remedy:
            yield self.remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A cell that can be called again.

    Attributes
    ----------
    cell : str
        Its readable id.
    function : callable
        The user's.
    arguments : dict of str to str
        What it is called with: shapes, dtypes and digests, no data.
    differs : tuple of str
        What is otherwise than in the run: code, arguments, inputs that came out otherwise.
    again : tuple of str
        Cells whose values were not kept, and that were computed again to call this one.
    call : callable
        Calls it, once, in the way that is given: `call(how)` does ``how(function, *args, **kwargs)``.
    """

    cell: str
    function: Callable[..., object]
    arguments: dict[str, str]
    differs: tuple[str, ...]
    again: tuple[str, ...]
    call: Callable[..., object]


def replay(flow: Drawn, recorded: Recorded, cell: Cell) -> object:
    """Call a cell of a run again, in this process; give what it gives, or raise what it raises."""
    ready = ready_again(flow, recorded, cell)
    for what in ready.differs:
        notice(FlowcoreWarning(f"{ready.cell} is not what it was in run {recorded.id}: {what}"))
    return ready.call()


def ready_again(flow: Drawn, recorded: Recorded, cell: Cell) -> Ready:
    """Make a cell of a recorded run ready to be called in this process.

    Parameters
    ----------
    flow : Flow
        The flow of that run, drawn again.
    recorded : Recorded
    cell : (int, int)
        Node and number, as in the run.

    Raises
    ------
    CannotReplay
        If the flow is another one, the cell is no call of a task, or an input of it is not to be had.
    """
    by = recorded.nodes[cell[0]].drawn
    if by is not None:
        reason = f"it was drawn by {recorded.name(*by)} while the run went on"
        remedy = f'Run the flow with {recorded.name(*_root(recorded, by))!r} as its target, and executor="inline".'
        raise CannotReplay(cell=recorded.name(*cell), run=recorded.id, reason=reason, remedy=remedy)
    return _Rerun(flow, recorded, cell).ready()


def _root(recorded: Recorded, cell: Cell) -> Cell:
    """Give the cell of the flow itself in whose place a cell was drawn."""
    above: Cell | None = cell
    while above is not None:
        cell, above = above, recorded.nodes[above[0]].drawn
    return cell


@dataclass(slots=True)
class _Found:
    """What a cell gave in the run."""

    record: bytes
    component: bytes
    classes: Classes = field(default=())


class _Rerun:
    """The inputs of one cell, brought together. Used by one thread."""

    def __init__(self, flow: Drawn, recorded: Recorded, cell: Cell) -> None:
        forget()  # globals are looked at anew, as in a run (contract K6)
        self._flow = flow
        self._recorded = recorded
        self._cell = cell
        self._name = recorded.name(*cell)
        name = recorded.nodes[cell[0]].name
        if name not in flow:
            raise self._cannot(f"the flow {flow.name!r} has no node {name!r}", _SAME_FLOW)
        self._graph = Graph(flow.nodes, [flow[name]])
        self._twins: dict[int, int] = {}  # number in the flow -> number in the run
        self._absent: set[Cell] = set()  # cells of the flow that gave nothing in the run
        self._again: list[str] = []
        self._differs: list[str] = []
        archive = recorded.archive
        self._codec = Codec(kept=archive.blobs, passed=InMemory(), files=Files(archive.blobs))
        self._values = Values()
        self._labels = Labels(self._graph, self._space, self._values, self._codec)
        self._works: dict[int, Work] = {}
        self._surround = Surround(
            codec=self._codec, spaces=self._space, label=self._labels.record, run_id=recorded.id,
            leaves_process=lambda _: False, seed=self._seed(), cell=self._called,
            named=cell_namer(self._graph, self._labels.record), tell=lambda *_: None,
        )  # fmt: skip

    def ready(self) -> Ready:
        """Bring the inputs together, and give the call."""
        node, number = self._flow[self._recorded.nodes[self._cell[0]].name].number, self._cell[1]
        work = self._work(node)
        task = self._graph[node].node.task
        if task is None:
            raise self._cannot("it is no call of a task: it takes a part of a value, or makes a choice")
        while needed := self._needed(work, number):
            for origin in needed:
                self._bring(*origin)
        self._compare(work)
        return Ready(
            cell=self._name, function=task.function, again=tuple(self._again), differs=tuple(self._differs),
            arguments=dict(arguments_told(work, number, self._values)), call=partial(self._call, work, number),
        )  # fmt: skip

    # ---- inputs ----------------------------------------------------------------------

    def _bring(self, node: int, number: int) -> None:
        """Have the value of a cell: from the store, or by calling it again, and before it what it needs."""
        stack = [(node, number)]
        while stack:
            at = stack[-1]
            if self._values.has(*at) or at in self._absent or self._recall(*at):
                stack.pop()
                continue
            needed = self._needed(self._work(at[0]), at[1])
            if needed:
                stack.extend(needed)
                continue
            self._make(*at)
            stack.pop()

    def _needed(self, work: Work, number: int) -> list[Cell]:
        """Give the inputs of a cell that are not there yet."""
        found: list[Cell] = []
        for form, feed in zip(work.planned.slots, work.feeders, strict=False):  # behind them: constants
            dispensable = _DISPENSABLE[form.missing if isinstance(form, Gathered) else "need"]
            for origin in feed.origins(number):
                if origin in self._absent:
                    at = self._twin(origin[0]), origin[1]
                    state = self._recorded.state(*at)
                    if state not in dispensable:
                        raise self._cannot(f"{self._recorded.name(*at)}, which it needs, gave no value: it is {state}")
                elif not self._values.has(*origin):
                    found.append(origin)
        return found

    def _recall(self, node: int, number: int) -> bool:
        """Take what a cell gave in the run from the store; False if it was not kept, and has to be made."""
        if self._graph[node].node.kind == "expand":
            return False
        at = self._twin(node), number
        if self._recorded.state(*at) not in ("done", "hit", "given"):
            self._absent.add((node, number))
            return True
        try:
            found = self._found(*at)
        except (ValueReleased, ValueLost):
            return False
        self._values.put(node, number, found.record, found.component, found.classes)
        return True

    def _found(self, node: int, number: int) -> _Found:
        """Give what the run's journal, or an older one, has of a cell."""
        recorded = self._recorded
        record = recorded.record(node, number)
        event, row = recorded.event(node, number)
        if isinstance(event, Trace):
            component, classes = event.components[row], event.classes[row] if event.classes else []
        else:
            hit = recorded.archive.cache.judge([recorded.key(node, number)])[0]
            component, classes = (hit.component, hit.classes) if isinstance(hit, Hit) else (b"", [])
        return _Found(record, component or component_of(record, fetch=self._codec.fetch), current_classes(classes))

    def _make(self, node: int, number: int) -> None:
        """Call a cell again whose value was not kept."""
        planned = self._graph[node]
        if planned.node.kind == "choose":
            raise self._cannot(f"the value of {self._called(node, number)} was not kept", _KEEP)
        work = self._work(node)
        if planned.node.kind == "expand":
            row = cast("list[tuple[bool, bytes, bytes]]", self._call(work, number))
            whole = work.feeders[0].components([number], self._values)[0]
            classes = [c for at in work.feeders[0].origins(number) for c in self._values.classes(*at)]
            self._values.put_elements(node, number, identified(row, whole, classes))
            return
        value = self._call(work, number)
        if planned.node.kind == "item":
            record, component = cast("tuple[bytes, bytes]", value)
            self._values.put(node, number, record, component)
            return
        self._again.append(self._called(node, number))
        try:
            encoded = self._codec.encode(value, keep=False)
        except NoEncoding:
            derived = combine("derived", [self._recorded.id.encode(), str(node).encode(), str(number).encode()])
            self._values.put(node, number, self._codec.pass_on(value, name=planned.name), derived)
            return
        self._values.put(node, number, encoded.record, encoded.component, encoded.classes)
        event, row_number = self._recorded.event(self._twin(node), number)
        before = event.components[row_number] if isinstance(event, Trace) else b""
        if before not in (b"", encoded.component):
            self._differs.append(f"{self._called(node, number)} was not kept, and came out otherwise now")

    # ---- the call --------------------------------------------------------------------

    def _call(self, work: Work, number: int, how: Callable[..., object] | None = None) -> object:
        """Call a cell in the surroundings that it has in a run; its saved state is a copy."""
        columns = work.columns([number], self._values)
        keys = work.keyed([number], self._values)[0] if work.keys is not None else [b""]
        supplies = {kind: source.column([number], keys, self._values) for kind, source in work.supplies.items()}
        job = Job(task=work.task, attempts=[1], numbers=[number], columns=columns, supplies=supplies)
        call = Call(work.task, self._codec)
        if how is not None:
            call.function = partial(how, call.function)
        context = Context(work.planned.name, number, 1, LocalSlot(), cores=work.task.cores)
        with ExitStack() as stack:
            supplied = Supplied(node=work.planned.name, given=job.supplied(0), attempt=1)
            if CHECKPOINT in supplies and work.claims is not None:
                states = self._states(stack.enter_context(scratch()), work.claims.taken.get(number, b""))
                supplied.around = Around(
                    checkpoints=states, pulse=LocalSlot(), tell=lambda _: None, warn=partial(self._warn, work.number)
                )
            if supplies:
                context.supplied = supplied
            stack.callback(supplied.close)
            stack.callback(current.reset, current.set(context))
            return self._value(call, job, supplied)

    def _value(self, call: Call, job: Job, supplied: Supplied) -> object:
        """Call, and once more where a loop asks for it; wait for a coroutine."""
        while True:
            try:
                stage = Stage(call, job)
                arguments = stage.arguments(0)
                value = stage.run(*arguments)
                return _waited(value) if inspect.iscoroutine(value) else value
            except StartOver:
                supplied.start_over()
            except (ValueGone, BadRecord) as gone:
                raise self._cannot(f"an array that it needs is not in the store any more ({gone})", _KEEP) from None

    def _states(self, directory: str, key: bytes) -> Checkpoints | None:
        return copied(self._recorded.archive.checkpoints, key, directory) if key else None

    def _warn(self, node: int, warning: FlowcoreWarning) -> None:
        notice(warning, self._graph[node].node.site)

    # ---- the flow and the run --------------------------------------------------------

    def _work(self, node: int) -> Work:
        if node not in self._works:
            self._twin(node)
            self._works[node] = prepare(self._graph[node], self._surround)
        return self._works[node]

    def _twin(self, node: int) -> int:
        """Give a node's number in the run; it must be the same node."""
        if node in self._twins:
            return self._twins[node]
        drawn, known = self._graph[node].node, self._recorded.nodes
        same = [number for number, info in known.items() if info.name == drawn.name]
        twin = node if node in same else same[0] if len(same) == 1 else None
        if twin is None:
            raise self._cannot(f"the run has no node {drawn.name!r}", _SAME_FLOW)
        axes = tuple(axis.name for axis in drawn.axes)
        lengths = [None if axis.labels is None else len(axis.labels) for axis in drawn.axes]
        there = [None if axis.labels is None else len(axis.labels) for axis in self._recorded.ledgers[twin].axes]
        if axes != known[twin].axes or lengths != there:
            raise self._cannot(f"{drawn.name} has other axes than in the run", _SAME_FLOW)
        self._twins[node] = twin
        return twin

    def _space(self, node: int) -> Space:
        return self._recorded.space(self._twin(node))

    def _called(self, node: int, number: int) -> str:
        return self._recorded.name(self._twin(node), number)

    def _seed(self) -> int:
        seed = self._recorded.facts.get("seed", 0)
        return seed if isinstance(seed, int) else 0

    def _compare(self, work: Work) -> None:
        """Note what of the task is otherwise than in the run: code, constants, libraries."""
        then = self._recorded.ledgers[self._cell[0]].common
        if work.keys is not None and then and difference(then, work.keys.common):
            self._differs.extend(told(then, work.keys.common))

    def _cannot(self, reason: str, remedy: str = "") -> CannotReplay:
        return CannotReplay(cell=self._name, run=self._recorded.id, reason=reason, remedy=remedy)


_DISPENSABLE: Final[Mapping[str, frozenset[str]]] = {
    "need": frozenset(), "drop": frozenset({"skipped"}), "drop-failed": frozenset({"skipped", "failed", "blocked"}),
}  # fmt: skip
_SAME_FLOW = "Give the flow that was run, drawn with the same parameters."
_KEEP = "Run the flow again, or keep the value: cache=True at the task that makes it."


def _waited(coroutine: Coroutine[Any, Any, object]) -> object:
    """Run a coroutine to its end; in a thread of its own where a loop turns in this one, as in a notebook."""
    import asyncio  # only a cell that is a coroutine needs it
    from concurrent.futures import ThreadPoolExecutor  # and this, in a notebook

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(copy_context().run, asyncio.run, coroutine).result()
