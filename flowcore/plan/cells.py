"""A node's cells as numbers, and which cells feed which.

A node has one cell for each combination of labels along its axes. Here a cell is
nothing but a number, and everything about it is arithmetic on that number: a million
cells cost no objects, and "which cells feed cell 7" is computed from axes, never stored.

A *span* is an axis as this room sees it. Most have a length. Some do not yet: they
iterate over the value of another cell (their *source*), and get a row of their own for
each cell of that source, as it is done; rows may differ in length (ragged). So a space
is a little tree, one level a span:

* below a span of known length n, the children of prefix p are numbered p*n ... p*n+n-1;
* below a span of unknown length, rows are numbered in order of arrival: a row has a
  base, and the children of its prefix are base ... base+length-1.

Either way the cells known so far are 0 ... count-1, new ones come at the end, and a
number never changes. Where all lengths are known the order is row-major.

Nothing here knows states, values, clocks or disks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import NamedTuple, TypeAlias

from flowcore.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """One axis of a space; equal spans are the same axis."""

    name: str
    length: int | None = None  # None: as long as the value of a cell of `source`
    source: int = -1  # number of the node whose cells, once done, give the lengths


Numbers: TypeAlias = Sequence[int]  # a range wherever it can be one

_NEVER = -1  # in place of a length: its source was settled without a value


class Selection(NamedTuple):
    """Cells picked by some of their coordinates."""

    numbers: Numbers
    unknown: Sequence[tuple[int, int]]  # (level, prefix) of rows that have no length yet


class Space:
    """The cells of all nodes that have these spans, in this order.

    Parameters
    ----------
    spans : tuple of Span
        The axes; a span without length comes after all spans of its source.
    sources : mapping of int to Space
        The space of each source node that `spans` name.
    """

    def __init__(self, spans: tuple[Span, ...], sources: Mapping[int, Space] | None = None) -> None:
        self.spans = spans
        self.names = tuple(span.name for span in spans)
        self.static = all(span.length is not None for span in spans)
        self._sources = {s.source: (sources or {})[s.source] for s in spans if s.length is None}
        self._lengths: dict[tuple[int, int], int] = {}  # that cells of *this* space give, by node and cell
        self._bases: list[list[int]] = [[] for _ in spans]  # of each level's rows, in order of arrival
        self._owners: list[list[int]] = [[] for _ in spans]
        self._rows: list[dict[int, tuple[int, int]]] = [{} for _ in spans]  # prefix -> base, length
        self._closed: dict[tuple[int, int], list[int]] = {}  # level, source cell -> prefixes without a length
        self._awaited: list[set[int]] = [set() for _ in spans]  # those source cells that may yet give one
        self._sizes = [1] + [0] * len(spans)
        self.shape = tuple(span.length or 0 for span in spans)
        self.strides = tuple(max(1, prod(self.shape[k + 1 :])) for k in range(len(spans)))
        self.count = prod(self.shape) if self.static else 0
        if not self.static:
            self._admit(0, 0, 1)

    @property
    def complete(self) -> bool:
        """Whether no row awaits its length, so that no cell will be added."""
        return self.static or not any(self._awaited)

    def awaits(self, place: Mapping[str, int]) -> bool:
        """Tell whether cells at a place along some spans may yet be added.

        A source with an axis that `place` leaves out counts with all its cells: the answer
        may then be yes for too long, but never no too early.
        """
        for span, awaited in zip(self.spans, self._awaited, strict=True):
            if awaited:
                source = self._sources[span.source]
                if any(name not in place for name in source.names) or source.number(place) in awaited:
                    return True
        return False

    def coordinates(self, number: int) -> tuple[int, ...]:
        """Give the place of a cell along each span."""
        return self._prefix_coordinates(len(self.spans), number)

    def number(self, place: Mapping[str, int]) -> int | None:
        """Give the cell at a place along each span (more names are ignored), or None if not known yet."""
        number = 0
        for level, span in enumerate(self.spans):
            at = place[span.name]
            if span.length is not None:
                number = number * span.length + at
                continue
            row = self._rows[level].get(number)
            if row is None or at >= row[1]:
                return None
            number = row[0] + at
        return number

    def select(self, fixed: Mapping[str, int], level: int = 0, prefix: int = 0) -> Selection:
        """Pick the cells below a prefix whose coordinates agree with `fixed`, row-major."""
        front: Numbers = (prefix,)
        unknown: list[tuple[int, int]] = []
        for at in range(level, len(self.spans)):
            span = self.spans[at]
            place = fixed.get(span.name)
            if span.length is not None:
                front = _below(front, span.length, place)
                continue
            found: list[int] = []
            for p in front:
                row = self._rows[at].get(p)
                if row is None:
                    unknown.append((at, p))
                elif place is None:
                    found.extend(range(row[0], row[0] + row[1]))
                elif place < row[1]:
                    found.append(row[0] + place)
            front = found
        return Selection(front, unknown)

    def place(self, level: int, prefix: int) -> dict[str, int]:
        """Give the coordinates of a prefix by name."""
        return dict(zip(self.names, self._prefix_coordinates(level, prefix), strict=False))

    def source_cell(self, level: int, prefix: int) -> tuple[int, int]:
        """Give the node and cell that the row below a prefix takes its length from."""
        source = self.spans[level].source
        number = self._sources[source].number(self.place(level, prefix))
        assert number is not None, "a row is admitted only after its source's cell"
        return source, number

    def waiting_rows(self, span: Span, cell: int) -> list[tuple[int, int]]:
        """Give (level, prefix) of the rows that wait for the length that a source cell gives."""
        return [
            (level, p) for level, s in enumerate(self.spans) if s == span for p in self._closed.get((level, cell), ())
        ]

    def expand(self, span: Span, cell: int, length: int) -> list[tuple[int, int]]:
        """Learn that a source cell gives rows of this length; give (level, prefix) of the rows opened.

        Spaces with fewer spans must learn it first: a row's source may lie in one of them.
        """
        opened = self._learn(span, cell, length)
        for level, prefix in opened:
            self._closed.pop((level, cell), None)
            self._open(level, prefix, length)
        return opened

    def forgo(self, span: Span, cell: int) -> list[tuple[int, int]]:
        """Learn that a source cell never gives a length; give (level, prefix) of the rows that stay unknown."""
        return self._learn(span, cell, _NEVER)

    def give(self, node: int, cell: int, length: int) -> None:
        """Note what a cell of this space gives, as a cell of `node`, also to spaces that are yet to be made."""
        self._lengths.setdefault((node, cell), length)

    def _learn(self, span: Span, cell: int, length: int) -> list[tuple[int, int]]:
        self._sources[span.source].give(span.source, cell, length)
        for s, awaited in zip(self.spans, self._awaited, strict=True):
            if s == span:
                awaited.discard(cell)
        return self.waiting_rows(span, cell)

    def _open(self, level: int, prefix: int, length: int) -> None:
        base = self._sizes[level + 1]
        self._bases[level].append(base)
        self._owners[level].append(prefix)
        self._rows[level][prefix] = (base, length)
        self._admit(level + 1, base, base + length)

    def _admit(self, level: int, first: int, last: int) -> None:
        """Take up prefixes first..last-1 of a level; they follow the ones already known."""
        self._sizes[level] = last
        if level == len(self.spans):
            self.count = last
            return
        span = self.spans[level]
        if span.length is not None:
            self._admit(level + 1, first * span.length, last * span.length)
            return
        for prefix in range(first, last):
            _, cell = self.source_cell(level, prefix)
            length = self._sources[span.source]._lengths.get((span.source, cell))
            if length is not None and length != _NEVER:
                self._open(level, prefix, length)
                continue
            self._closed.setdefault((level, cell), []).append(prefix)
            if length is None:
                self._awaited[level].add(cell)

    def _prefix_coordinates(self, level: int, number: int) -> tuple[int, ...]:
        places: list[int] = []
        for at in range(level - 1, -1, -1):
            length = self.spans[at].length
            if length is not None:
                number, place = divmod(number, length)
            else:
                row = bisect_right(self._bases[at], number) - 1
                place = number - self._bases[at][row]
                number = self._owners[at][row]
            places.append(place)
        return tuple(reversed(places))


class Link:
    """Which cells of a producer feed which cells of a consumer: those that agree on all shared axes.

    A producer without axes of its own feeds every cell; an axis that only the producer
    has is gathered, or waited for as a whole. An axis in `over` is gathered although the
    consumer may have it too, as in ``anomaly(grid, fc.gather(grid))``. Between static spaces each question is a
    few integer operations; otherwise it is a walk down the space's levels.
    """

    def __init__(self, producer: Space, consumer: Space, over: Sequence[str] = ()) -> None:
        self.producer = producer
        self.consumer = consumer
        self.shared = tuple(name for name in consumer.names if name in producer.names and name not in over)
        self.single = set(producer.names) <= set(self.shared)  # one producer cell a consumer cell
        self.same = self.single and producer.spans == consumer.spans
        self.static = producer.static and consumer.static
        if self.static:
            self._down = _terms(consumer, producer, self.shared)
            self._up = _terms(producer, consumer, self.shared)
            self._gathered = _offsets(producer, self.shared)
            self._spread = _offsets(consumer, self.shared)

    @property
    def fan_in(self) -> int:
        """How many producer cells feed one consumer cell; for static spaces."""
        return len(self._gathered)

    @property
    def fan_out(self) -> int:
        """How many consumer cells one producer cell feeds; for static spaces."""
        return len(self._spread)

    def sources(self, numbers: Numbers) -> Numbers:
        """Give the one producer cell of each of these consumer cells, where the link is single."""
        if self.same:
            return numbers
        if self.static:
            return _apply_all(self._down, numbers)
        if not self.producer.spans:
            return [0] * len(numbers)
        return [self.inputs(m).numbers[0] for m in numbers]

    def inputs(self, number: int) -> Selection:
        """Give the producer cells that feed a consumer cell, row-major in the producer's axes."""
        if self.same:
            return Selection((number,), ())
        if self.static:
            return Selection(_shift(self._gathered, _apply(self._down, number)), ())
        places = self.consumer.coordinates(number)
        return self.producer.select(self._keep(zip(self.consumer.names, places, strict=True)))

    def consumers(self, number: int) -> Numbers:
        """Give the consumer cells, known so far, that a producer cell feeds."""
        if self.same:
            return (number,)
        if self.static:
            return _shift(self._spread, _apply(self._up, number))
        places = self.producer.coordinates(number)
        return self.consumer.select(self._keep(zip(self.producer.names, places, strict=True))).numbers

    def fed(self, numbers: Numbers) -> Numbers:
        """Give the consumer cells that these producer cells feed, each as often as it is fed."""
        if self.same:
            return numbers
        if self.static and self.fan_out == 1:
            return _apply_all(self._up, numbers)
        return [m for n in numbers for m in self.consumers(n)]

    def feeding(self, numbers: Numbers) -> Numbers:
        """Give the producer cells that feed these consumer cells, each as often as it feeds one."""
        if self.single:
            return self.sources(numbers)
        return [n for m in numbers for n in self.inputs(m).numbers]

    def row_consumers(self, level: int, prefix: int) -> Selection:
        """Give the consumer cells, known so far, that a row of the producer concerns, and the rows of such cells."""
        return self.consumer.select(self._keep(self.producer.place(level, prefix).items()))

    def row_feeding(self, level: int, prefix: int, below: tuple[int, int] = (0, 0)) -> Selection:
        """Give the producer cells, below a row of theirs, that will feed cells of a row of the consumer."""
        return self.producer.select(self._keep(self.consumer.place(level, prefix).items()), *below)

    def awaits(self, number: int) -> bool:
        """Tell whether a producer cell may come to feed cells that are not known yet."""
        consumer = self.consumer
        if consumer.complete:
            return False
        places = self.producer.coordinates(number)
        return consumer.awaits(self._keep(zip(self.producer.names, places, strict=True)))

    def row_inputs(self, level: int, prefix: int, number: int) -> Selection:
        """Give the producer cells below a prefix that feed a consumer cell."""
        places = self.consumer.coordinates(number)
        return self.producer.select(self._keep(zip(self.consumer.names, places, strict=True)), level, prefix)

    def _keep(self, pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
        return {name: place for name, place in pairs if name in self.shared}


def _below(front: Numbers, length: int, place: int | None) -> Numbers:
    if place is not None:
        return [p * length + place for p in front]
    if len(front) == 1:
        return range(front[0] * length, (front[0] + 1) * length)
    return [p * length + i for p in front for i in range(length)]


def _terms(of: Space, to: Space, shared: tuple[str, ...]) -> list[tuple[int, int, int]]:
    """Give (stride, length, factor), of which _apply makes a number of one space a number of the other."""
    terms = []
    for name in shared:
        a, b = of.names.index(name), to.names.index(name)
        terms.append((of.strides[a], of.shape[a], to.strides[b]))
    return terms


def _apply(terms: list[tuple[int, int, int]], number: int) -> int:
    total = 0
    for stride, length, factor in terms:
        total += number // stride % length * factor
    return total


def _apply_all(terms: list[tuple[int, int, int]], numbers: Numbers) -> Numbers:
    if not terms:
        return [0] * len(numbers)
    if len(terms) == 1:
        stride, length, factor = terms[0]
        return [n // stride % length * factor for n in numbers]
    return [_apply(terms, n) for n in numbers]


def _offsets(space: Space, shared: tuple[str, ...]) -> Numbers:
    """Give what to add to a number at the origin of all other axes, to visit them all, row-major."""
    offsets: Numbers = range(1)
    for name, length, stride in zip(space.names, space.shape, space.strides, strict=True):
        if name in shared:
            continue
        if len(offsets) == 1:
            offsets = range(0, length * stride, stride)
        elif isinstance(offsets, range) and offsets.step == stride * length:
            offsets = range(0, len(offsets) * length * stride, stride)
        else:
            offsets = [base + i * stride for base in offsets for i in range(length)]
    return offsets


def _shift(offsets: Numbers, base: int) -> Numbers:
    if isinstance(offsets, range):
        return range(base + offsets.start, base + offsets.stop, offsets.step)
    return [base + offset for offset in offsets]
