"""The drawing of one flow: the nodes so far, their names and axes.

Owns: the list of nodes, numbered as drawn; unique names; one object for each axis.
Promises: drawing is linear in nodes and arguments; what is wrong is told at the call
that is wrong, with its line.
Never: runs anything, reads a clock or a disk.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar, cast

from flowcore.collector import at_rest
from flowcore.declare import fit
from flowcore.declare.call import SCALARS, Call
from flowcore.declare.cycles import shortest_cycles
from flowcore.declare.node import Argument, Axis, Literal, Node, Plain, Ref, node_of
from flowcore.declare.options import Kind, TaskOptions
from flowcore.declare.placeholder import Placeholder
from flowcore.declare.site import site_of, user_site
from flowcore.declare.task import CANVAS, Task, task_of
from flowcore.errors import DuplicateName, FlowcoreError, ForeignReference, UnknownNode, WiringMismatch, nearest
from flowcore.settings import raise_all

_MET = 4096  # values of a kind whose literals are remembered
_STRETCH = 128  # nodes; fewer than it takes for the collector to look at its middle generation

A = TypeVar("A")
B = TypeVar("B")


class Drawing:
    """The nodes of one flow, as they are drawn.

    Parameters
    ----------
    name : str
        What the flow is called in messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[Node] = []
        self.open = True  # whether parts of its values may still be asked for by ref[key]
        self.group: tuple[str, ...] = ()
        self._named: dict[str, Node] = {}
        self._counts: dict[str, int] = {}
        self._groups: dict[tuple[str, ...], int] = {}
        self._defaults: TaskOptions | None = None
        self._effective: dict[int, tuple[TaskOptions, TaskOptions]] = {}
        self._static: dict[tuple[str, tuple[object, ...]], Axis] = {}
        self._dynamic: dict[tuple[str, Node], Axis] = {}
        self._expanded: dict[Node, Node] = {}
        self._items: dict[tuple[Node, str, object], Ref] = {}
        self._tasks: dict[tuple[int, str], tuple[object, Task[..., Any]]] = {}
        self._pending: list[tuple[Node, tuple[str, ...]]] = []
        self._literals: dict[type, dict[object, Literal]] = {int: {}, str: {}}  # no others: what is equal may differ

    # Adding nodes

    def draw(self, task: Task[..., Any], args: tuple[object, ...], kwargs: dict[str, object], frame: FrameType) -> Ref:
        """Add a node for one call of a task."""
        return self._draw(task, args, kwargs, site=site_of(frame))

    def add(
        self, function: Callable[..., Any], args: tuple[object, ...], kwargs: dict[str, object], *,
        kind: Kind | None, name: str | None, after: Sequence[object],
    ) -> Ref:  # fmt: skip
        """Add a node for one call of anything that can be called."""
        site = user_site()
        if name is not None and name in self._named:
            raise DuplicateName(name=name, at=site, first=self._named[name].site)
        before, later = self._before(after, site)
        ref = self._draw(self._task(function, kind), args, kwargs, site=site, name=name)
        node = ref._node
        node.after = before
        if later:
            self._pending.append((node, later))
        return ref

    def _draw(
        self, task: Task[..., Any], args: tuple[object, ...], kwargs: dict[str, object], *, site: str,
        name: str | None = None,
    ) -> Ref:  # fmt: skip
        form = task.form
        bound = form.bind(args, kwargs)
        if bound is None:
            form.refuse(task.name, args, kwargs, at=site)
            raise AssertionError(f"{task.name}() was refused without a reason")
        task.check_loops()
        for request in task.injected:
            if request.parameter in bound:
                raise request.refusal(task.name, bound[request.parameter], at=site, function=task.function)
        call: Call | None = None
        literals = self._literals
        arguments: dict[str, Argument] = {}
        for parameter, value in bound.items():
            if type(value) in SCALARS:
                met = literals.get(type(value))
                known = met.get(value) if met is not None else None
                arguments[parameter] = known if known is not None else _literal(value, met)
                continue
            if call is None:
                call = Call(self, task.name, site, form)
            arguments[parameter] = call.argument(parameter, value)
        return self._put(Node(
            number=len(self.nodes), name=name or self._free(task.name), kind=task.declared.kind, task=task,
            options=self._options(task), arguments=arguments, positional=len(args), group=self.group, site=site,
            axes=call.axes if call is not None else (), returns=form.returns, owner=self,
        ))  # fmt: skip

    def choose(self, condition: object, first: object, second: object, *, site: str) -> Ref:
        """Add a node that has the value of one of two branches."""
        call = Call(self, "choose", site, None)
        branches = {"condition": condition, "a": first, "b": second}
        arguments = {name: call.argument(name, value) for name, value in branches.items()}
        given = [form.node.returns if isinstance(form, Plain) else fit.EMPTY for form in arguments.values()][1:]
        returns = given[0] if given[0] == given[1] else fit.EMPTY
        return self._put(Node(
            number=len(self.nodes), name=self._free("choose"), kind="choose", task=None, arguments=arguments,
            positional=3, group=self.group, site=site, axes=call.axes, returns=returns, owner=self,
        ))  # fmt: skip

    def item(self, node: Node, key: object) -> Ref:
        """Give the reference of a part of a node's value; the same for the same key."""
        memo = (node, type(key).__name__, key)
        known = self._items.get(memo)
        if known is not None:
            return known
        site = user_site()
        if not self.open:
            raise ForeignReference(node=node.name, flow=self.name, at=site)
        ref = self._items[memo] = self._put(Node(
            number=len(self.nodes), name=self._free(f"{node.name}[{key!r}]"), kind="item", task=None, key=key,
            arguments={"value": Plain(node)}, positional=1, group=self.group, site=site, axes=node.axes,
            returns=fit.part(node.returns, key), owner=self,
        ))  # fmt: skip
        return ref

    def _put(self, node: Node) -> Ref:
        self.nodes.append(node)
        self._named[node.name] = node
        if not len(self.nodes) % _STRETCH:
            with at_rest:
                pass  # what was drawn stays: it counts as old now, and is not gone through again and again
        return Ref(node)

    def _task(self, function: Callable[..., Any], kind: Kind | None) -> Task[..., Any]:
        if isinstance(function, Task) and kind in (None, function.declared.kind):
            return function
        memo = (id(function), kind or "compute")
        known = self._tasks.get(memo)
        if known is None:
            known = self._tasks[memo] = (function, task_of(function, kind or "compute", {}))
        return known[1]

    # Names

    def node(self, name: str) -> Node:
        """Give the node of that name.

        Raises
        ------
        UnknownNode
            If there is none.
        """
        found = self._named.get(name)
        if found is None:
            raise UnknownNode(name=name, flow=self.name, near=self._near(name), known=tuple(self._named)[:8])
        return found

    def _near(self, name: str) -> tuple[str, ...]:
        return nearest(name, itertools.islice(self._named, 10_000))

    def _free(self, base: str) -> str:
        """Give `base`, or `base` with the first number that makes it unique."""
        count = self._counts.get(base, 0) + 1
        name = base if count == 1 else f"{base}_{count}"
        while name in self._named:
            count += 1
            name = f"{base}_{count}"
        self._counts[base] = count
        return name

    @contextmanager
    def grouped(self, name: str) -> Iterator[None]:
        """Draw what follows into a named group."""
        outer, path = self.group, (*self.group, name)
        self._groups[path] = count = self._groups.get(path, 0) + 1
        self.group = path if count == 1 else (*outer, f"{name}_{count}")
        try:
            yield
        finally:
            self.group = outer

    # Axes

    def static_axis(self, name: str, labels: tuple[object, ...]) -> Axis:
        """Give the axis of that name and these labels: always the same object."""
        memo = (name, labels)
        axis = self._static.get(memo)
        if axis is None:
            axis = self._static[memo] = Axis(name, labels)
        return axis

    def dynamic_axis(self, name: str, node: Node, site: str) -> Axis:
        """Give the axis of that name along the value of a node: always the same object."""
        axis = self._dynamic.get((name, node))
        if axis is None:
            axis = self._dynamic[name, node] = Axis(name, None, self._expansion(node, site))
        return axis

    def _expansion(self, node: Node, site: str) -> Node:
        hidden = self._expanded.get(node)
        if hidden is None:
            if not fit.fits(node.returns, list):
                raise WiringMismatch(
                    node="", parameter="each()", found=f"{fit.told(node.returns)} by {node.name}",
                    expected="a list, tuple or array", at=site, drawn=node.site,
                )  # fmt: skip
            hidden = self._expanded[node] = Node(
                number=len(self.nodes), name=self._free(f"each({node.name})"), kind="expand", task=None,
                arguments={"values": Plain(node)}, positional=1, group=self.group, site=site, axes=node.axes,
                returns=fit.element(node.returns), owner=self,
            )  # fmt: skip
            self._put(hidden)
        return hidden

    # Options

    def default(self, options: TaskOptions) -> None:
        """Set options of all nodes, drawn and to be drawn, that do not set them themselves."""
        self._defaults = options
        self._effective.clear()
        for node in self.nodes:
            if node.task is not None:
                node.options = self._options(node.task)

    @property
    def defaults(self) -> TaskOptions:
        """The options given to all nodes."""
        return self._defaults or TaskOptions()

    def _options(self, task: Task[..., Any]) -> TaskOptions:
        if self._defaults is None:
            return task.declared
        known = self._effective.get(id(task.declared))
        if known is None:
            known = self._effective[id(task.declared)] = (task.declared, task.declared.over(self._defaults))
        return known[1]

    # Order without data

    def _before(self, after: Sequence[object], site: str) -> tuple[tuple[Node, ...], tuple[str, ...]]:
        """Tell apart the nodes and the names in `after`."""
        several = after if isinstance(after, list | tuple) else (after,)
        nodes: list[Node] = []
        names: list[str] = []
        for entry in several:
            if isinstance(entry, str):
                names.append(entry)
                continue
            node = node_of(entry)
            if node is None:
                raise UnknownNode(name=f"a {type(entry).__name__} in after=", flow=self.name)
            if node.owner is not self:
                raise ForeignReference(node=node.name, flow=node.owner.name, at=site)
            nodes.append(node)
        return tuple(nodes), tuple(names)

    def finish(self) -> None:
        """Resolve the names in `after`, and refuse circles.

        Raises
        ------
        UnknownNode
            If a name is no node's.
        CycleError
            If nodes wait for each other. Several errors come as an ExceptionGroup.
        """
        pending, self._pending = self._pending, []
        troubles: list[FlowcoreError] = []
        forward: list[tuple[Node, Node]] = []
        for node, names in pending:
            for name in names:
                found = self._named.get(name)
                if found is None:
                    troubles.append(
                        UnknownNode(name=name, flow=self.name, near=self._near(name), known=tuple(self._named)[:8])
                    )
                    continue
                node.after = (*node.after, found)
                if found.number >= node.number:
                    forward.append((node, found))
        if forward:
            troubles.extend(shortest_cycles(self.nodes, forward))
        if troubles:
            self._pending = pending  # a flow that is wrong stays wrong, however often it is asked
            for node, names in pending:
                node.after = tuple(n for n in node.after if n.name not in names)
        raise_all(troubles, f"flow {self.name!r} cannot be run")


def _literal(value: object, met: dict[object, Literal] | None) -> Literal:
    literal = Literal(value)
    if met is not None and len(met) < _MET:
        met[value] = literal
    return literal


def current() -> Drawing | None:
    """Give the drawing that calls of tasks go to now, or None."""
    canvas = CANVAS.get()
    return canvas if isinstance(canvas, Drawing) else None


@contextmanager
def drawing(canvas: Drawing | None) -> Iterator[None]:
    """Send calls of tasks to `canvas`; with None, run them plainly (a cell inside a drawing)."""
    token = CANVAS.set(canvas)
    try:
        yield
    finally:
        CANVAS.reset(token)


def choose(condition: object, a: A, b: B) -> A | B:
    """Give one of two nodes' values; the other node does not run unless something else needs it.

    Parameters
    ----------
    condition : node or value
        Its truth selects.
    a, b : node or value
        The value if `condition` is true, and if it is not.

    Examples
    --------
    >>> import flowcore as fc
    >>> @fc.compute
    ... def rough(x: float) -> bool:
    ...     return x > 1
    >>> @fc.compute
    ... def smooth(x: float) -> float:
    ...     return x / 2
    >>> with fc.Flow("one branch") as flow:
    ...     result = fc.choose(rough(3.0), smooth(3.0), 3.0)
    >>> flow["choose"].kind
    'choose'
    """
    canvas = current()
    if canvas is not None:
        return cast("A", canvas.choose(condition, a, b, site=user_site()))
    for value in (condition, a, b):
        if isinstance(value, Placeholder):
            value.__bool__()
    return a if condition else b
