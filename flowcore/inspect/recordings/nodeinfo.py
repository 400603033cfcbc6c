"""What a journal says of a node, before anything of its cells.

Owns :class:`NodeInfo` and how it is read. Facts of another shape than these are a
ValueError or a TypeError, which whoever reads the journal passes over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from flowcore.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """A node of a recorded run.

    Attributes
    ----------
    number : int
        Its place in the order of drawing.
    name, kind, site : str
        As in the flow.
    task : str or None
        Module and name of its function.
    runner : str
        What carries out its cells.
    axes, group : tuple of str
        Names of its axes; the flows it was drawn in.
    sources : tuple of (str, int)
        Parameter and number of each node that gives it a value.
    after : tuple of int
        Nodes that come before it without giving a value.
    over : dict
        Axes that it gathers, by the number of the node gathered.
    limit : tuple of (str, int, float) or None
        The name that its cells are counted under, how many, and the seconds in which so many may
        begin; 0: so many may run at once.
    memory : int
        Bytes that a cell was said to need; 0: nothing was said.
    drawn : tuple of (int, int) or None
        Node and number of the cell whose task drew it; None: the flow has it.
    """

    number: int
    name: str
    kind: str = ""
    site: str = ""
    task: str | None = None
    runner: str = ""
    axes: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    sources: tuple[tuple[str, int], ...] = ()
    after: tuple[int, ...] = ()
    over: dict[int, tuple[str, ...]] = field(default_factory=dict)
    limit: tuple[str, int, float] | None = None
    memory: int = 0
    drawn: tuple[int, int] | None = None


def node_info(number: int, facts: Mapping[str, Any], axes: Sequence[str]) -> NodeInfo:
    """Read the facts of a node, with the names of its axes."""
    limit, drawn = facts.get("limit"), facts.get("drawn")
    return NodeInfo(
        number=number, name=str(facts.get("name")), kind=str(facts.get("kind", "")),
        site=str(facts.get("site", "")), task=facts.get("task"), runner=str(facts.get("runner", "")),
        axes=tuple(axes), group=tuple(facts.get("group", ())),
        sources=tuple((name, source) for name, source in facts.get("from", ())),
        after=tuple(facts.get("after", ())),
        over={source: tuple(names) for source, names in facts.get("over", ())},
        limit=None if limit is None else (str(limit[0]), int(limit[1]), float(limit[2])),
        memory=int(facts.get("memory", 0)),
        drawn=None if drawn is None else (int(drawn[0]), int(drawn[1])),
    )  # fmt: skip
