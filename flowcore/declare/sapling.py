"""What a task may return to be drawn into its run, and what stands for its tasks there (contract K30).

Owns :class:`Sapling`, by which a running cell's surroundings know a flow without knowing
flows, and :class:`FarTask`, by which an engine knows a task that it cannot call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from flowcore.declare.options import TaskOptions
from flowcore.declare.task import Task
from flowcore.errors import ForeignReference

if TYPE_CHECKING:
    from flowcore.declare.drawing import Drawing
    from flowcore.declare.node import Node, Ref

_LOOKED_AT = 10_000  # parts of a value in which a flow is looked for


class Sapling:
    """A flow, as far as drawing it into a run goes."""

    name: str
    drawing: Drawing

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes in the order of drawing."""
        raise AssertionError("a sapling is a flow")

    @property
    def result(self) -> Any:
        """What the flow gives."""
        raise AssertionError("a sapling is a flow")


class Elsewhere:
    """Stands for a function of another process: known by name, never called."""

    def __init__(self, module: str, qualname: str) -> None:
        self.__module__ = module
        self.__qualname__ = self.__name__ = qualname


class FarTask(Task[..., Any]):
    """A task whose function is where it was drawn.

    Parameters
    ----------
    module, qualname : str
        Of its function.
    name : str
        What its nodes are called.
    declared : TaskOptions
    is_async : bool
    """

    def __init__(self, *, module: str, qualname: str, name: str, declared: TaskOptions, is_async: bool) -> None:
        self.function = Elsewhere(module, qualname)  # type: ignore[assignment] # whatever calls it, not this process
        self.declared = declared
        self.name = name
        self.is_async = is_async
        self.injected = ()
        self._form = None
        self._loops_checked = True


class DrawnBy:
    """Whose the nodes are that a running cell has drawn: no flow that a user holds.

    Parameters
    ----------
    name : str
        What their names begin with.
    node : Node
        That of the cell.
    """

    def __init__(self, name: str, node: Node) -> None:
        self.name = name
        self.node = node

    def item(self, node: Node, key: object) -> Ref:
        """Refuse: what is drawn in a run is drawn."""
        raise ForeignReference(node=f"{node.name}[{key!r}]", flow=self.name, at="run")


def hidden_sapling(value: object) -> str:
    """Give the path to a flow inside a value that is none; empty if there is none to be found."""
    waiting = [("result", value)]
    for path, part in waiting:  # grows as it is walked
        if isinstance(part, Sapling):
            return path
        if len(waiting) < _LOOKED_AT:
            waiting.extend(_inside(path, part))
    return ""


def _inside(path: str, part: object) -> Iterator[tuple[str, object]]:
    if isinstance(part, dict):
        yield from ((f"{path}[{key!r}]", element) for key, element in part.items())
    elif isinstance(part, list | tuple | set | frozenset):
        yield from ((f"{path}[{place}]", element) for place, element in enumerate(part))
    elif is_dataclass(part) and not isinstance(part, type):
        yield from ((f"{path}.{f.name}", getattr(part, f.name, None)) for f in fields(part))
