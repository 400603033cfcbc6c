"""Task graphs after Task Bench (Slaughter et al., SC20): the same for every peer, and what they must come to.

Owns: the patterns, which say what columns of the step before a cell reads; and the oracle.
Promises: a graph depends on its arguments alone, in every process and for every hash seed.
Never: runs anything but in :func:`solve`, which is a plain loop.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from tests.bench.tasks import point

Columns = tuple[int, ...]

RADIX = 5  # neighbours that a cell of the random pattern may read, itself among them
CONNECTED = 0.4  # of them that it does read, on average


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Cells in rows; each reads cells of the row before.

    Parameters
    ----------
    pattern : str
        One of :data:`PATTERNS`.
    inputs : tuple of tuples of tuples of int
        ``inputs[step][column]``: the columns of the step before, in order.
    iterations : int
        Rounds of the kernel in every cell; 0 is a no-op.
    """

    pattern: str
    inputs: tuple[tuple[Columns, ...], ...]
    iterations: int = 0

    @property
    def cells(self) -> int:
        """How many there are."""
        return sum(map(len, self.inputs))

    @cached_property
    def sinks(self) -> tuple[tuple[int, int], ...]:
        """Cells that no other reads, as (step, column), in order: what a run has to give."""
        found: list[tuple[int, int]] = []
        for step, row in enumerate(self.inputs):
            after = self.inputs[step + 1] if step + 1 < len(self.inputs) else ()
            read = {column for columns in after for column in columns}
            found += [(step, column) for column in range(len(row)) if column not in read]
        return tuple(found)


def _trivial(step: int, column: int, width: int) -> Columns:
    return ()


def _no_comm(step: int, column: int, width: int) -> Columns:
    return (column,)


def _stencil(step: int, column: int, width: int) -> Columns:
    return tuple(range(max(0, column - 1), min(width, column + 2)))


def _tree(step: int, column: int, width: int) -> Columns:
    return (column // 2,)


def _fft(step: int, column: int, width: int) -> Columns:
    levels = max(1, (width - 1).bit_length())
    reach = 1 << (step - 1) % levels
    return tuple(c for c in (column - reach, column, column + reach) if 0 <= c < width)


def _random(step: int, column: int, width: int) -> Columns:
    chance = random.Random(f"{step},{column}")
    near = range(max(0, column - RADIX // 2), min(width, column + RADIX // 2 + 1))
    return tuple(c for c in near if c == column or chance.random() < CONNECTED)


PATTERNS: dict[str, Callable[[int, int, int], Columns]] = {
    "trivial": _trivial,
    "no_comm": _no_comm,
    "stencil": _stencil,
    "tree": _tree,
    "fft": _fft,
    "random": _random,
}


def drawn(pattern: str, *, width: int, steps: int, iterations: int = 0) -> Graph:
    """Draw a graph of `steps` rows of at most `width` cells.

    A tree begins with one cell and doubles until it is as wide as that; all else is as
    wide from the first row on, whose cells read nothing.

    Examples
    --------
    >>> drawn("stencil", width=3, steps=2).inputs
    (((), (), ()), ((0, 1), (0, 1, 2), (1, 2)))
    """
    reads, rows = PATTERNS[pattern], []
    for step in range(steps):
        wide = min(width, 1 << min(step, 62)) if pattern == "tree" else width
        rows.append(tuple(reads(step, column, wide) if step else () for column in range(wide)))
    return Graph(pattern=pattern, inputs=tuple(rows), iterations=iterations)


def chain(length: int, *, iterations: int = 0) -> Graph:
    """Draw cells that each read the one before."""
    return drawn("no_comm", width=1, steps=length, iterations=iterations)


def fan_out(cells: int, *, iterations: int = 0) -> Graph:
    """Draw cells that read nothing."""
    return drawn("trivial", width=cells, steps=1, iterations=iterations)


def solve(graph: Graph) -> list[int]:
    """Compute the values of the sinks, in order: the oracle."""
    rows: list[Sequence[int]] = []
    for step, row in enumerate(graph.inputs):
        before = rows[-1] if rows else ()
        rows.append([point(step, column, 0, [before[c] for c in columns]) for column, columns in enumerate(row)])
    return [rows[step][column] for step, column in graph.sinks]
