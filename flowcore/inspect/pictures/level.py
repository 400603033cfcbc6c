"""One group of a picture, laid out: its boxes, the groups in it as boxes, and the ports of its frame.

Owns the way from items and lines to places: layers, order, positions, and where on a box
a line ends. Knows nothing of what is inside the groups in it but their sizes and ports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from flowcore.dataclass import dataclass
from flowcore.inspect.pictures.crossings import uncross
from flowcore.inspect.pictures.layers import Layered, Strand, layered, topological
from flowcore.inspect.pictures.parts import Block, Part, Path, Point
from flowcore.inspect.pictures.positions import positions, spread, straighten

_ASIDE = 26.0  # between boxes of a layer
_NEAR = 13.0  # between a line and a box, or two lines
_BEND = 2.0  # what a passing line takes
_BETWEEN = 40.0  # layers, at least; further apart where lines go far aside
_FURTHER = 48.0
_PORTS = 20.0  # between a group's ports and its first or last layer
_ASKEW = 16.0  # what a line alone may end aside of the middle, to be straight
_ENDS = 15.0  # between the ends of lines at a box's upper side


class Level:
    """The items of one group: blocks, groups in it, and ports."""

    def __init__(
        self, blocks: Sequence[Block], edges: Sequence[tuple[int, int]], members: Sequence[int],
        direct: Sequence[int], inner: dict[Path, list[int]],
    ) -> None:  # fmt: skip
        firsts = {group: inside[0] for group, inside in inner.items()}
        keys = sorted([*((block, ()) for block in direct), *((first, group) for group, first in firsts.items())])
        self._keys: list[tuple[int, Path]] = keys  # block, or first block of a group; the group
        self._parts: dict[int, Part] = {}
        self._sizes = [(blocks[block].width, blocks[block].height) for block, _ in keys]
        item = {block: i for i, (block, group) in enumerate(keys) if not group}
        for i, (_, group) in enumerate(keys):
            item.update((block, i) for block in inner.get(group, ()) if group)
        self._item = item
        self.ports: dict[tuple[str, int], int] = {}
        self.leaving: dict[int, list[int]] = {}
        self._strands: dict[tuple[int, int, int], list[tuple[int, int]]] = {}
        inside = set(members)
        for source, target in edges:
            if source in inside or target in inside:
                self._join(source, target)

    def _join(self, source: int, target: int) -> None:
        upper, lower = self._item.get(source, -1), self._item.get(target, -1)
        if upper < 0:
            upper = self._port("in", source)
        if lower < 0:
            lower = self._port("out", source)
            self.leaving.setdefault(source, []).append(target)
        if upper != lower:
            self._strands.setdefault((upper, lower, source), []).append((source, target))

    def _port(self, side: str, source: int) -> int:
        number = self.ports.setdefault((side, source), len(self._sizes))
        if number == len(self._sizes):
            self._sizes.append((_BEND, 0.0))
        return number

    @property
    def count(self) -> int:
        """How many items there are."""
        return len(self._sizes)

    @property
    def cyclic(self) -> bool:
        """Whether groups wait for each other."""
        above: list[list[int]] = [[] for _ in range(self.count)]
        below: list[list[int]] = [[] for _ in range(self.count)]
        for upper, lower, _ in self._strands:
            above[lower].append(upper)
            below[upper].append(lower)
        return len(topological(above, below)) < self.count

    def fill(self, group: Path, part: Part) -> None:
        """Note what a group in it came to."""
        number = next(i for i, (_, path) in enumerate(self._keys) if path == group)
        self._parts[number] = part
        self._sizes[number] = (part.width, part.height)

    def pieces(self) -> Iterator[list[int]]:
        """Give the items by what is joined, in order."""
        root = list(range(self.count))

        def find(item: int) -> int:
            while root[item] != item:
                root[item] = item = root[root[item]]
            return item

        for upper, lower, _ in self._strands:
            a, b = sorted((find(upper), find(lower)))
            root[b] = a
        found: dict[int, list[int]] = {}
        for item in range(self.count):
            found.setdefault(find(item), []).append(item)
        yield from found.values()

    def place(self, items: Sequence[int], wishes: dict[tuple[str, int], float]) -> Part:
        """Lay out items that are joined."""
        local = {item: i for i, item in enumerate(items)}
        strands: list[Strand] = [(local[a], local[b], s) for a, b, s in self._strands if a in local]
        pinned = {local[i]: "first" if side == "in" else "last" for (side, _), i in self.ports.items() if i in local}
        graph = layered(len(items), strands, pinned)
        fixed = self._order_ports(graph, local, wishes)
        uncross(graph, fixed)
        sizes = [self._sizes[item] for item in items]
        widths = [width for width, _ in sizes] + [_BEND] * (len(graph.rank) - len(items))
        ends = self._ends(graph, items, strands)
        offsets = self._offsets(graph, strands, ends)
        gap = _Gap(len(items))
        at = positions(graph, widths, real=len(items), gap=gap, offsets=offsets)
        straighten(graph, at, widths, real=len(items), gap=gap)
        left = min((x - w / 2 for x, w in zip(at, widths, strict=True)), default=0.0)
        at = [x - left for x in at]
        self._aim(graph, items, strands, at, ends)
        tops, heights = _bands(graph, [height for _, height in sizes], at)
        return self._part(items, _Placing(graph, at, tops, heights, widths, strands, ends))

    def _order_ports(self, graph: Layered, local: dict[int, int], wishes: dict[tuple[str, int], float]) -> set[int]:
        fixed: set[int] = set()
        for side, number in (("in", 0), ("out", len(graph.layers) - 1)):
            ports = {local[i]: wishes.get((s, u), 0.0) for (s, u), i in self.ports.items() if s == side and i in local}
            if ports:
                graph.layers[number].sort(key=ports.__getitem__)
                fixed.add(number)
        return fixed

    def _ends(self, graph: Layered, items: Sequence[int], strands: Sequence[Strand]) -> dict[tuple[int, int], float]:
        """Say how far from the item's middle a line ends, by line and lower item; begins, by -1 - line and upper."""
        place = {point: i for layer in graph.layers for i, point in enumerate(layer)}
        coming: dict[int, list[tuple[int, int]]] = {}
        ends: dict[tuple[int, int], float] = {}
        for upper, lower, line in strands:
            part = self._parts.get(items[upper])
            ends[-1 - line, upper] = part.ports["out", line] - part.width / 2 if part is not None else 0.0
            inner = self._parts.get(items[lower])
            if inner is not None:
                ends[line, lower] = inner.ports["in", line] - inner.width / 2
            else:
                before = graph.routes[line, lower]
                coming.setdefault(lower, []).append((place[before[-1] if before else upper], line))
        for lower, lines in coming.items():
            step = min(_ENDS, 0.7 * self._sizes[items[lower]][0] / len(lines))
            for i, (_, line) in enumerate(sorted(lines)):
                ends[line, lower] = (i - (len(lines) - 1) / 2) * step
        return ends

    def _aim(
        self, graph: Layered, items: Sequence[int], strands: Sequence[Strand], at: Sequence[float],
        ends: dict[tuple[int, int], float],
    ) -> None:  # fmt: skip
        """Let lines end at a box where they come straight down, as far as its width and their number allow."""
        coming: dict[int, list[tuple[float, float, int]]] = {}
        for upper, lower, line in strands:
            if items[lower] not in self._parts:
                before = graph.routes[line, lower]
                x = at[before[-1]] if before else at[upper] + ends[-1 - line, upper]
                coming.setdefault(lower, []).append((ends[line, lower], x - at[lower], line))
        for lower, lines in coming.items():
            lines.sort()
            most = 0.38 * self._sizes[items[lower]][0]
            step = min(_ENDS, 2 * most / len(lines))
            near = len(lines) == 1 and abs(lines[0][1]) > _ASKEW
            wishes = [(0.0 if near else min(max(x, -most), most), 1.0) for _, x, _ in lines]
            found = spread(wishes, [0.0] + [step] * (len(lines) - 1))
            for i, ((_, _, line), end) in enumerate(zip(lines, found, strict=True)):
                ends[line, lower] = min(max(end, i * step - most), most - (len(lines) - 1 - i) * step)

    def _offsets(
        self, graph: Layered, strands: Sequence[Strand], ends: dict[tuple[int, int], float]
    ) -> dict[tuple[int, int], float]:
        offsets: dict[tuple[int, int], float] = {}
        for upper, lower, line in strands:
            points = [upper, *graph.routes[line, lower], lower]
            first, last = ends[-1 - line, upper], ends[line, lower]
            for i, pair in enumerate(pairwise(points)):
                offsets[pair] = (last if i == len(points) - 2 else 0.0) - (first if i == 0 else 0.0)
        return offsets

    def _part(self, items: Sequence[int], placing: _Placing) -> Part:
        placed = Part(width=placing.width, height=placing.height)
        for i, item in enumerate(items):
            left, top = placing.corner(i, self._sizes[item])
            if item in self._parts:
                placed.take(self._parts[item], left, top)
            elif item < len(self._keys):
                placed.boxes[self._keys[item][0]] = (left, top)
        places = dict(enumerate(items))
        for upper, lower, line in placing.strands:
            points = placing.line(upper, lower, line, (self._sizes[places[upper]], self._sizes[places[lower]]))
            for edge in self._strands[places[upper], places[lower], line]:
                placed.pieces.setdefault(edge, []).append(list(points))
        local = {item: i for i, item in enumerate(items)}
        placed.ports = {port: placing.at[local[item]] for port, item in self.ports.items() if item in local}
        return placed


@dataclass(frozen=True, slots=True)
class _Gap:
    """How far apart neighbours of a layer stand: lines may come near."""

    real: int

    def __call__(self, left: int, right: int) -> float:
        thin = (left >= self.real) + (right >= self.real)
        return _NEAR if thin else _ASIDE


@dataclass(frozen=True, slots=True)
class _Placing:
    """Layers with places: reads corners and lines off them."""

    graph: Layered
    at: list[float]
    tops: list[float]
    heights: list[float]
    widths: list[float]
    strands: Sequence[Strand]
    ends: dict[tuple[int, int], float]

    @property
    def width(self) -> float:
        return max((x + w / 2 for x, w in zip(self.at, self.widths, strict=True)), default=0.0)

    @property
    def height(self) -> float:
        return self.tops[-1] + self.heights[-1] if self.tops else 0.0

    def corner(self, point: int, size: tuple[float, float]) -> Point:
        """Give the left upper corner of a box: in the middle of its layer."""
        layer = self.graph.rank[point]
        return self.at[point] - size[0] / 2, self.tops[layer] + (self.heights[layer] - size[1]) / 2

    def line(self, upper: int, lower: int, line: int, sizes: tuple[Point, Point]) -> list[Point]:
        """Give the points that a line goes through: straight down along layers, aside between them."""
        begin = self.at[upper] + self.ends[-1 - line, upper]
        end = self.at[lower] + self.ends[line, lower]
        points = [(begin, self.corner(upper, sizes[0])[1] + sizes[0][1]), (begin, self._bottom(upper))]
        for bend in self.graph.routes[line, lower]:
            layer = self.graph.rank[bend]
            points += [(self.at[bend], self.tops[layer]), (self.at[bend], self._bottom(bend))]
        return [*points, (end, self.tops[self.graph.rank[lower]]), (end, self.corner(lower, sizes[1])[1])]

    def _bottom(self, point: int) -> float:
        layer = self.graph.rank[point]
        return self.tops[layer] + self.heights[layer]


def _bands(graph: Layered, heights: Sequence[float], at: Sequence[float]) -> tuple[list[float], list[float]]:
    """Give top and height of each layer; further apart where lines go far aside."""
    tops: list[float] = []
    tall: list[float] = []
    top = 0.0
    for layer in graph.layers:
        tall.append(max((heights[point] for point in layer if point < len(heights)), default=0.0))
        tops.append(top)
        under = {other for point in layer for other in graph.below[point]}
        far = max((abs(at[point] - at[other]) for point in layer for other in graph.below[point]), default=0.0)
        ports = not tall[-1] or not any(heights[point] if point < len(heights) else 0.0 for point in under)
        top += tall[-1] + (_PORTS if ports else _BETWEEN) + min(_FURTHER, far / 9)
    return tops, tall
