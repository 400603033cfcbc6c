"""What can be wrong with a flow that a task returns.

A part of the tree in `flowcore.errors`::

    FlowcoreError
    ├── GraphError
    │   └── MisplacedFlow           (TypeError) a flow inside of something else that a task returns
    └── EndlessGrowth               (RecursionError) a cell draws itself again, and so on without end
"""

from __future__ import annotations

from collections.abc import Iterator

from flowcore.dataclass import dataclass
from flowcore.errors import FlowcoreError, GraphError

_SHOWN = 10  # steps of a circle


@dataclass(kw_only=True, eq=False)
class MisplacedFlow(GraphError, TypeError):
    """A task returned a flow inside of something else, where nothing draws it."""

    node: str
    path: str  # where it is in what was returned

    def lines(self) -> Iterator[str]:
        yield f"{self.node} returned a flow inside of another value: {self.path} is a Flow."
        yield "A task may return one flow, which is drawn in the cell's place; its nodes are parts of nothing else."
        yield "Draw one flow and give it a result of this shape: `with fc.Flow() as flow: flow.result = [step(x)]`."


@dataclass(kw_only=True, eq=False)
class EndlessGrowth(FlowcoreError, RecursionError):
    """A cell has drawn, directly or by way of others, a cell that is the same as itself."""

    cell: str
    path: tuple[str, ...]  # ids of cells from the one that drew to the one that is the same

    def lines(self) -> Iterator[str]:
        shown = self.path[:_SHOWN]
        more = f" ... ({len(self.path)} in all)" if len(self.path) > _SHOWN else ""
        yield f"{self.cell} would never end: it has the code and the arguments of a cell that waits for it."
        yield f"Each of these draws the next, and the last is the first again: {' -> '.join(shown)}{more}"
        yield "The cell failed. Change an argument from step to step, and return a value where there is nothing left."
