"""When the inputs of each cell were there, from the graph and from when cells ended.

Owns the way from axes to "which cells feed this one" for whole nodes at once. Promises
the same answer as `plan/cells.py` gives cell by cell, and time that grows with cells and
edges, not with their product. A cell that was answered, or
given, counts as done when its own inputs were: at the beginning of the run, if none of
them ran. A cell that drew nodes is done when what they give is there; they are ready when it had drawn them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from flowcore.inspect.recordings.recorded import Recorded
from flowcore.inspect.timing.attempts import Attempts
from flowcore.plan.cells import Link, Space

Cell: TypeAlias = tuple[int, int]  # node, number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Readiness:
    """When each cell was ready, and what it waited for.

    Parameters
    ----------
    recorded : Recorded
    attempts : Attempts
        What ran, and when.

    Attributes
    ----------
    ready : dict of int to ndarray of float64
        For each node, when the last input of each of its cells was there: seconds since the run began.
    order : list of int
        The nodes, each after those that feed it.
    ended : dict of int to ndarray of float64
        When each cell was done; of one that did not run, when it was ready.
    """

    def __init__(self, recorded: Recorded, attempts: Attempts) -> None:
        self._recorded = recorded
        self.ready: dict[int, NDArray[np.float64]] = {}
        self.ended: dict[int, NDArray[np.float64]] = {}
        self._feeders = {node: list(self._sources(node)) for node in recorded.nodes}
        self._results: dict[Cell, int] = {}  # of cells that drew: the node that has the value
        for node, info in recorded.nodes.items():
            if info.drawn is not None and info.kind == "result" and _is_there(info.drawn, recorded):
                self._results[info.drawn] = node
        own = _last_ends(attempts, {node: recorded.space(node).count for node in recorded.nodes})
        grown: dict[int, list[int]] = {}
        for node, number in self._results:
            grown.setdefault(node, []).append(number)
        self._drew = {cell: _end_of(cell, own) for cell in self._results}
        self.order = self._order()
        for node in self.order:
            space = recorded.space(node)
            ready = self.ready[node] = self._ready(node, space)
            ran, ends = own.get(node, (None, None))
            self.ended[node] = ready.copy()
            if ran is not None and ends is not None:
                self.ended[node][ran] = ends
            for number in grown.get(node, ()):
                result = self.ended[self._results[node, number]]
                self.ended[node][number] = max([self.ended[node][number], *result])

    def inputs(self, node: int, number: int, *, to_draw: bool = False) -> list[Cell]:
        """Give the cells that one cell needs, or needed to draw, as node and number."""
        space = self._recorded.space(node)
        found: list[Cell] = []
        if (node, number) in self._results and not to_draw:
            found.append((self._results[node, number], 0))
        for source, over in self._feeders[node]:
            link = Link(self._recorded.space(source), space, over)
            found += [(source, n) for n in link.inputs(number).numbers]
        return found

    def chain(self, cell: Cell) -> Iterator[Cell]:
        """Yield a cell, what it waited for last, what that waited for last, and so on.

        A cell that drew is met behind what it drew: that was there before its value.
        """
        at, drew = cell, False
        while True:
            if at in self._results and not drew:
                at = self._results[at], 0
                continue
            yield at
            inputs = [one for one in self.inputs(*at, to_draw=drew) if one[1] < len(self.ended[one[0]])]
            last = max(inputs, key=lambda one: float(self.ended[one[0]][one[1]]), default=None)
            then = float(self.ended[last[0]][last[1]]) if last is not None else 0.0
            by = self._recorded.nodes[at[0]].drawn
            if by is not None and self._drew.get(by, 0.0) > then:
                at, drew = by, True
            elif last is not None and then > 0.0:
                at, drew = last, False
            else:
                return

    def _sources(self, node: int) -> Iterator[tuple[int, tuple[str, ...]]]:
        info, known = self._recorded.nodes[node], self._recorded.nodes
        axes = [axis.source for axis in self._recorded.ledgers[node].axes if axis.source is not None]
        for source in dict.fromkeys([*(number for _, number in info.sources), *info.after, *axes]):
            if source in known and source != node:
                yield source, info.over.get(source, ())

    def _order(self) -> list[int]:
        """Sort nodes so that each follows its sources; `after` may name nodes drawn later."""
        missing = {node: len(sources) for node, sources in self._feeders.items()}
        feeds: dict[int, list[int]] = {node: [] for node in missing}
        for node, sources in self._feeders.items():
            for source, _ in sources:
                feeds[source].append(node)
        for (node, _), result in self._results.items():
            feeds[result].append(node)
            missing[node] += 1
        order = [node for node, count in missing.items() if not count]
        for node in order:  # grows as it is walked
            for consumer in feeds[node]:
                missing[consumer] -= 1
                if not missing[consumer]:
                    order.append(consumer)
        return order

    def _ready(self, node: int, space: Space) -> NDArray[np.float64]:
        import numpy as np

        by = self._recorded.nodes[node].drawn
        ready = np.full(space.count, self._drew.get(by, 0.0) if by is not None else 0.0)
        for source, over in self._feeders[node]:
            there = fed(self.ended[source], Link(self._recorded.space(source), space, over))
            np.maximum(ready, there, out=ready)
        return ready


def _is_there(cell: Cell, recorded: Recorded) -> bool:
    """Tell whether a run has a cell that its journal names: the journal may be damaged."""
    return cell[0] in recorded.nodes and 0 <= cell[1] < recorded.space(cell[0]).count


def _end_of(cell: Cell, own: dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]]) -> float:
    """Give when the last attempt at a cell was over; 0 if it did not run."""
    if cell[0] not in own:
        return 0.0
    numbers, ends = own[cell[0]]
    return float(ends[numbers == cell[1]].max(initial=0.0))


def _last_ends(attempts: Attempts, counts: dict[int, int]) -> dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Give, by node, the cells that ran and when the last attempt at each was over."""
    import numpy as np

    order = np.lexsort((attempts.ends, attempts.node))
    nodes, numbers, ends = attempts.node[order], attempts.number[order], attempts.ends[order]
    edges = np.flatnonzero(np.diff(nodes)) + 1
    found: dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
    starts, stops = [0, *edges.tolist()], [*edges.tolist(), len(nodes)]
    for first, last in zip(starts, stops, strict=True):
        if first < last and (node := int(nodes[first])) in counts:
            known = (numbers[first:last] >= 0) & (numbers[first:last] < counts[node])
            found[node] = numbers[first:last][known], ends[first:last][known]
    return found


def fed(ended: NDArray[np.float64], link: Link) -> NDArray[np.float64]:
    """Give for each cell of a consumer when the last of the cells that feed it was done."""
    import numpy as np

    producer, consumer = link.producer, link.consumer
    if link.same:
        return ended
    if not producer.count or not consumer.count:
        return np.zeros(consumer.count)
    if not link.static:
        return np.array([_latest(ended, link.inputs(n).numbers) for n in range(consumer.count)])
    gathered = tuple(i for i, name in enumerate(producer.names) if name not in link.shared)
    whole = ended.reshape(producer.shape)
    left = whole.max(axis=gathered) if gathered else whole
    names = [name for name in producer.names if name in link.shared]
    turned = left.transpose([names.index(name) for name in link.shared])
    shape = [size if name in link.shared else 1 for name, size in zip(consumer.names, consumer.shape, strict=True)]
    spread: NDArray[np.float64] = np.broadcast_to(turned.reshape(shape), consumer.shape).ravel()
    return spread


def _latest(ended: NDArray[np.float64], numbers: Sequence[int]) -> float:
    return max((float(ended[n]) for n in numbers), default=0.0)
