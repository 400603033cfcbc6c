"""What stands for tasks and flows of another process: known by name, and never called (contract K30)."""

from __future__ import annotations

from typing import Any

from flowcore.declare.node import Node, Ref
from flowcore.declare.options import TaskOptions
from flowcore.declare.task import Task
from flowcore.errors import ForeignReference


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
