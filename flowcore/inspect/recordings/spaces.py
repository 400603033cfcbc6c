"""Which cells the nodes of a recorded run have, as its journal tells of axes and rows.

Owns one :class:`~flowcore.plan.cells.Space` a node, shared by those with equal axes. A
journal may say anything: a node with more cells than any run has, rows without end. So
promises to take no memory for cells that are only said to be there, and to refuse what is
beyond all measure (contract S7). Knows nothing of what became of cells.
"""

from __future__ import annotations

from bisect import insort
from typing import Final

from flowcore.plan.cells import Space, Span

MOST: Final = 1 << 24  # cells of one node, and rows in all
_AXES: Final = 64  # of one node


class Spaces:
    """The spaces of a run's nodes. One thread."""

    def __init__(self) -> None:
        self._of: dict[int, Space] = {}
        self._shared: dict[tuple[Span, ...], Space] = {}
        self._growing: dict[int, list[Space]] = {}  # by source: the spaces it gives rows to, fewest spans first
        self._rows = 0

    def __getitem__(self, node: int) -> Space:
        return self._of[node]

    def add(self, node: int, spans: tuple[Span, ...]) -> None:
        """Take in a node, whose sources are there.

        Raises
        ------
        LookupError, ValueError
            If one is not, or these are no axes of a node.
        """
        if len(spans) > _AXES or len({span.name for span in spans}) < len(spans):
            raise ValueError("axes")
        space = self._shared.get(spans)
        if space is None:
            sources = {s.source: self._of[s.source] for s in spans if s.length is None}
            space = Space(spans, sources)
            if space.count > MOST:
                raise ValueError("cells")
            self._shared[spans] = space
            for source in sources:
                insort(self._growing.setdefault(source, []), space, key=lambda s: len(s.spans))
        self._of[node] = space

    def expand(self, source: int, cell: int, length: int) -> None:
        """Let a cell give its axes this many labels.

        Raises
        ------
        LookupError, ValueError
            If there is no such cell, or these are more rows than any run has.
        """
        if not 0 <= cell < self._of[source].count:
            raise ValueError("cell")
        self._rows += length
        if length < 0 or self._rows > MOST:
            raise ValueError("rows")
        self._of[source].give(source, cell, length)
        for space in self._growing.get(source, ()):
            for span in space.spans:
                if span.source == source:
                    space.expand(span, cell, length)
