"""What has to run before the cells of a node are known, as far as it is told.

Owns one answer a node, made of those of its sources: nodes of a chain share a single one,
and none names more than a thousand, so that all of them together cost what edges cost
(contract P11). Never asks what a cell itself would do; the rehearsal knows that.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from flowcore.errors import shorten
from flowcore.run.rehearsals.rehearsal import Rehearsal
from flowcore.run.rehearsals.verdict import Verdict

_SHOWN = 3
_MOST = 1000  # nodes that are counted for one


class Needs:
    """For each node the nodes above it that have to run first. One thread.

    Parameters
    ----------
    rehearsal : Rehearsal
    """

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal
        self._names: dict[int, dict[str, None]] = {}
        self._stands: dict[int, tuple[bool, bool]] = {}

    def note(self, node: int) -> None:
        """Take a node up; its sources have been."""
        graph, near, far = self._rehearsal.graph, dict[str, None](), list[dict[str, None]]()
        for edge in graph[node].edges:
            if edge.mode == "order":
                continue
            runs, passes = self._standing(edge.source)
            if runs:
                near[graph[edge.source].name] = None
            if passes and self._names[edge.source]:
                far.append(self._names[edge.source])
        different = list({id(names): names for names in far}.values())
        self._names[node] = _joined([near, *different] if near else different)

    def told(self, node: int) -> Iterator[str]:
        """Name the nodes whose cells have to run before those of a node are known."""
        if names := self._names[node]:
            left = len(names) - _SHOWN
            more = f" and {'at least ' if len(names) == _MOST else ''}{left} more" if left > 0 else ""
            yield f"needs {', '.join(map(shorten, islice(names, _SHOWN)))}{more}"

    def _standing(self, node: int) -> tuple[bool, bool]:
        """Tell whether cells of a node have to run, and whether what they wait for is waited for below them, too."""
        if node not in self._stands:
            rehearsal = self._rehearsal
            counts, known = rehearsal.counts(node), len(rehearsal.assumed.get(node, ()))
            runs = counts.get(Verdict.RUNS, 0) > known or bool(counts.get(Verdict.REFUSED))
            self._stands[node] = runs, bool(counts.get(Verdict.DEPENDS)) or not rehearsal.space(node).complete
        return self._stands[node]


def _joined(names: list[dict[str, None]]) -> dict[str, None]:
    """Give all of them, in this order; a single one is given as it is."""
    if len(names) == 1:
        return names[0]
    found: dict[str, None] = {}
    for name in chain.from_iterable(names):
        found[name] = None
        if len(found) == _MOST:
            break
    return found
