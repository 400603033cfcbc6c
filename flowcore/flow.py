"""Flows: they draw, and delegate; no rule of their own.

Owns: :class:`Flow`, and whose drawing is current.
Promises: drawing runs nothing; what is called inside a drawing becomes part of it.
Never: decides what runs, in which order or where.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from flowcore.declare.axes import Each, Gather
from flowcore.declare.drawing import Drawing
from flowcore.declare.node import Node, Ref
from flowcore.declare.options import GivenOptions, Kind, read_options
from flowcore.declare.sapling import Sapling
from flowcore.declare.site import at_users_line, user_site
from flowcore.declare.task import CANVAS, Canvas
from flowcore.errors import ForeignReference, GraphError, RunFailed, WiringMismatch
from flowcore.inspect.html import flow_html
from flowcore.inspect.networks.network import node_network
from flowcore.inspect.pictures.pictured import Pictured
from flowcore.settings import RunOptions, Settings

if TYPE_CHECKING:
    import networkx as nx

    from flowcore.inspect.causes.why import Why
    from flowcore.inspect.outlooks.plan import Plan
    from flowcore.overrule import Accepted
    from flowcore.result import Run

_GLANCE = 0.2  # seconds
_PICTURED = 300  # nodes of a flow that a notebook shows as a picture

R = TypeVar("R")


class Flow(Sapling, Pictured):
    """A graph of nodes: drawing it runs nothing.

    As a context manager it takes up all calls of tasks in its block; :meth:`add` needs
    no block.

    Parameters
    ----------
    name : str
        What it is called in messages and reports.

    Examples
    --------
    >>> import flowcore as fc
    >>> @fc.compute
    ... def half(x: float) -> float:
    ...     return x / 2
    >>> with fc.Flow("by hand") as flow:
    ...     flow.result = half(half(4.0))
    >>> [node.name for node in flow.nodes]
    ['half', 'half_2']
    """

    def __init__(self, name: str = "flow") -> None:
        self.name = name
        self.drawing: Drawing = Drawing(name)
        self._result: object = None
        self._tokens: list[Token[Canvas | None]] = []

    # Drawing

    def __enter__(self) -> Self:
        self._tokens.append(CANVAS.set(self.drawing))
        self.drawing.open = True
        return self

    @at_users_line
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        CANVAS.reset(self._tokens.pop())
        self.drawing.open = bool(self._tokens)
        if error is None:
            self.drawing.finish()

    def add(
        self,
        function: Callable[..., R],
        /,
        *args: object,
        kind: Kind | None = None,
        name: str | None = None,
        after: Sequence[object] | object = (),
        **kwargs: object,
    ) -> R:
        """Add a node for a call of anything that can be called.

        Parameters
        ----------
        function : callable
            A task, or any function.
        *args, **kwargs
            What to call it with: values, references, nodes, and the marks of
            ``fc.each`` and ``fc.gather``.
        kind : {"compute", "io"}, optional
            What kind of task to make of a function; by default ``compute``.
        name : str, optional
            What to call the node; by default the function's name.
        after : node, name, or sequence of them
            What must be done before. A name may be that of a node drawn later.

        Returns
        -------
        reference
            Typed as what `function` returns.

        Raises
        ------
        GraphError
            If the call or the wiring is wrong.

        Examples
        --------
        >>> import math
        >>> import flowcore as fc
        >>> flow = fc.Flow("roots")
        >>> root = flow.add(math.sqrt, 2.0, name="root")
        >>> fourth = flow.add(math.sqrt, root, name="fourth")
        >>> [node.name for node in flow.nodes]
        ['root', 'fourth']
        """
        before = after if isinstance(after, list | tuple) else (after,)
        try:
            ref = self.drawing.add(function, args, kwargs, kind=kind, name=name, after=before)
        except (GraphError, ExceptionGroup) as error:
            raise error.with_traceback(None) from error.__cause__
        return ref  # type: ignore[return-value]

    def options(self, **options: Unpack[GivenOptions]) -> Self:
        """Set options for all nodes, drawn and to be drawn, that do not set them themselves.

        Examples
        --------
        >>> import math
        >>> import flowcore as fc
        >>> flow = fc.Flow("roots").options(retries=2)
        >>> root = flow.add(math.sqrt, 2.0, name="root")
        >>> flow["root"].options.retries
        2
        """
        self.drawing.default(read_options(dict(options), base=self.drawing.defaults, at=user_site()))
        return self

    @property
    def result(self) -> Any:
        """What the flow gives: a reference, or lists, tuples and dicts of them; a block assigns it."""
        return self._result

    @result.setter
    def result(self, value: object) -> None:
        _check_result(value, self.drawing)
        self._result = value

    # Reading

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes in the order of drawing, the hidden ones of kind ``expand`` included."""
        self.drawing.finish()
        return tuple(self.drawing.nodes)

    def __getitem__(self, name: str) -> Node:
        return self.drawing.node(name)

    def __contains__(self, name: object) -> bool:
        return any(name in (node.name, node) for node in self.drawing.nodes)

    def __repr__(self) -> str:
        count = sum(node.kind != "expand" for node in self.drawing.nodes)
        return f"<Flow {self.name!r}: {count} node{'' if count == 1 else 's'}>"

    def _repr_html_(self) -> str:
        from flowcore.inspect.pictures.draw import picture  # most flows are not looked at

        drawn = picture(self.graph, title="") if len(self.nodes) <= _PICTURED else ""
        return flow_html(self.name, self.nodes, drawn)

    def _network(self, *, cells: bool) -> nx.DiGraph[str]:
        nodes = node_network(self.name, self.nodes)
        if not cells:
            return nodes
        from flowcore.inspect.networks.cell_network import drawn_cells  # few flows are looked at so closely

        return drawn_cells(nodes, self.nodes)

    # Running

    @at_users_line
    def run(self, *targets: object, **options: Unpack[RunOptions]) -> Run:
        """Run what `targets` need, or all nodes, and wait for it.

        Parameters
        ----------
        *targets : node or str
            What is wanted; by default everything.
        **options
            See :class:`~flowcore.settings.Settings`.
        """
        run = self.start(*targets, **options)
        from flowcore.result import finish  # `start` has loaded it

        finish(run)
        return run

    @at_users_line
    def start(self, *targets: object, **options: Unpack[RunOptions]) -> Run:
        """Run in the background."""
        from flowcore.run.workers.foresight import foresee  # drawing must not load the engine

        settings = Settings.of(**options)
        self.drawing.finish()
        foresee(self.drawing.nodes, settings)
        from flowcore.result import start_run  # takes its time, which workers need to come

        return start_run(self, targets, settings)

    async def arun(self, *targets: object, **options: Unpack[RunOptions]) -> Run:
        """Run in the background, and wait for it without holding up the running loop.

        Cancelled, it stops the run as Ctrl-C does and waits for its end; cancelled again,
        it ends what runs.
        """
        import asyncio  # only who awaits needs it

        run = self.start(*targets, **options)
        ended = asyncio.ensure_future(asyncio.to_thread(run.wait))
        try:
            while not ended.done():  # a glance now and then: the handler of a notebook's interrupt wakes no loop
                await asyncio.wait([ended], timeout=_GLANCE)
        except asyncio.CancelledError:
            run.cancel()
            try:
                await asyncio.wait([ended])
            except asyncio.CancelledError:
                run.cancel()
            raise
        try:
            ended.result()
        except RunFailed as error:
            raise error.with_traceback(None) from error.__cause__
        return run

    # Asking

    @at_users_line
    def plan(self, *targets: object, **options: Unpack[RunOptions]) -> Plan:
        """Tell what a run with these targets and options would do; nothing runs.

        Parameters
        ----------
        *targets : node or str
            As for :meth:`run`.
        **options
            As for :meth:`run`.

        Returns
        -------
        Plan
            Of each node how many cells are cached, will run or depend on what runs, why,
            and what they take by earlier runs. A node that is not cached is taken to give
            what it gave last time, and what is below it says so. To print it shows it.

        Examples
        --------
        >>> import tempfile
        >>> import flowcore as fc
        >>> @fc.compute
        ... def half(x: float) -> float:
        ...     return x / 2
        >>> with fc.Flow("halves") as flow:
        ...     flow.result = half(half(4.0))
        >>> with tempfile.TemporaryDirectory() as store:
        ...     print(flow.plan(store=store))
        halves: 0 cells cached, 1 will run, 1 depends on these
          half    1 cell: 1 will run
                    no earlier run kept this cell
          half_2  1 cell: 1 depends
                    needs half
        """
        from flowcore.outlook import plan  # drawing must not load what judges

        settings = Settings.of(**options)
        self.drawing.finish()
        return plan(self, targets, settings)

    @at_users_line
    def why(self, cell: object, **options: Unpack[RunOptions]) -> Why:
        """Tell why a cell would run, or would not; nothing runs.

        Parameters
        ----------
        cell : node or str
            A cell's id, as ``"erode[rate=0.1]"``, or a node; of one with many cells the
            first is told that the store does not answer.
        **options
            As for :meth:`run`.

        Returns
        -------
        Why
            What differs from the older record of the cell that is most like it: helpers and bodies with
            a diff, globals, arguments and versions with what they were and are, values of
            other cells with where they differ. To print it shows it.

        Examples
        --------
        >>> import tempfile
        >>> import flowcore as fc
        >>> @fc.compute
        ... def half(x: float) -> float:
        ...     return x / 2
        >>> flow = fc.Flow("halves")
        >>> ref = flow.add(half, 4.0)
        >>> with tempfile.TemporaryDirectory() as store:
        ...     print(flow.why("half", store=store))
        half: will run
          no earlier run kept this cell
        """
        from flowcore.outlook import why  # as above

        settings = Settings.of(**options)
        self.drawing.finish()
        return why(self, cell, settings)

    @at_users_line
    def accept(self, cell: object, *, reason: str, **options: Unpack[RunOptions]) -> Accepted:
        """Keep old results of a node under the keys that its cells have now, and write down why; nothing runs.

        For an edit that changes no result: a message, a faster way to the same numbers.
        What is below then finds what it had.

        Parameters
        ----------
        cell : node or str
            A node, or a cell's id. What it needs must not have to run; accept that first.
        reason : str
            Why the old results still hold; `why` tells it.
        **options
            As for :meth:`run`.

        Raises
        ------
        NothingToAccept
            If no older run kept a result, or none is needed.

        Examples
        --------
        >>> import math
        >>> import tempfile
        >>> import flowcore as fc
        >>> def drawn(version):
        ...     flow = fc.Flow("roots")
        ...     ref = flow.add(fc.compute(version=version)(math.sqrt), 4.0, name="root")
        ...     return flow
        >>> with tempfile.TemporaryDirectory() as store:
        ...     run = drawn("1").run(store=store, executor="inline", progress=False)
        ...     accepted = drawn("2").accept("root", reason="the same numbers", store=store)
        ...     print(accepted.cells, drawn("2").why("root", store=store).changes[0])
        1 an older result was accepted: the same numbers
        """
        from flowcore.overrule import accept  # as above

        settings = Settings.of(**options)
        self.drawing.finish()
        return accept(self, cell, reason, settings)


def _check_result(value: object, canvas: Drawing) -> None:
    """Refuse marks, and references of other flows, anywhere in a flow's result."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Ref | Node):
            node = part._node if isinstance(part, Ref) else part
            if node.owner is not canvas:
                raise ForeignReference(node=node.name, flow=node.owner.name, at=user_site())
        elif isinstance(part, Each | Gather):
            raise WiringMismatch(
                node="", parameter="The result of the flow", found=f"a {type(part).__name__.lower()}",
                expected="nodes and values", at=user_site(), remedy="Return the node: the run gives a grid its labels.",
            )  # fmt: skip
        elif isinstance(part, list | tuple):
            waiting.extend(part)
        elif isinstance(part, dict):
            waiting.extend(part.values())
