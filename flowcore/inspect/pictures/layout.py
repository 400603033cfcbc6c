"""Where the boxes and lines of a picture go: layers from top to bottom, groups as boxes in boxes.

Owns the putting together of K. Sugiyama's method (`layers.py`, `crossings.py`,
`positions.py`) for graphs with groups. A group is laid out by itself and stands in the
layout around it as one box; lines from outside enter it at its upper side and leave at
its lower one, at *ports*, of which each source has one. Parts that nothing joins stand
side by side. Takes sizes, gives places; knows no text, colour or file. Promises that
boxes do not overlap, that a group's frame holds its boxes and no others, and that the
same graph has the same layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flowcore.dataclass import dataclass
from flowcore.inspect.pictures.level import Level
from flowcore.inspect.pictures.parts import Block, Part, Path, Place, Point
from flowcore.inspect.pictures.shelves import shelved

_PAD = 16.0  # inside a frame; above, the group's name stands
_TITLE = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where everything is.

    Attributes
    ----------
    width, height : float
        Of the whole.
    boxes : tuple of Place
        Of each block.
    routes : dict of (int, int) to list of (float, float)
        By source and target: the points that a line goes through, from above. From one
        point to the next it goes straight down, or swings aside.
    frames : list of (tuple of str, Place)
        The boxes around groups, outer ones first.
    """

    width: float
    height: float
    boxes: tuple[Place, ...]
    routes: dict[tuple[int, int], list[Point]]
    frames: list[tuple[Path, Place]]


def layout(blocks: Sequence[Block], edges: Iterable[tuple[int, int]]) -> Layout:
    """Place boxes and lines.

    Parameters
    ----------
    blocks : sequence of Block
        In the order in which they are preferred from left to right.
    edges : iterable of (int, int)
        Source and target of each; there must be no cycle.
    """
    known = [(a, b) for a, b in dict.fromkeys(edges) if a != b]
    whole = _Arranger(blocks, known).arrange((), range(len(blocks)))
    if any(block.group for block in blocks):  # once more, now that it is known from where lines come
        whole = _Arranger(blocks, known, whole.boxes).arrange((), range(len(blocks)))
    boxes = [
        Place(left=whole.boxes[i][0], top=whole.boxes[i][1], width=block.width, height=block.height)
        for i, block in enumerate(blocks)
    ]
    routes = {edge: _line(pieces) for edge, pieces in whole.pieces.items()}
    frames = sorted(whole.frames, key=lambda frame: len(frame[0]))
    return Layout(width=whole.width, height=whole.height, boxes=tuple(boxes), routes=routes, frames=frames)


class _Arranger:
    """Lays out a group after those inside it."""

    def __init__(
        self, blocks: Sequence[Block], edges: Sequence[tuple[int, int]], known: dict[int, Point] | None = None
    ) -> None:
        self._blocks = blocks
        self._edges = edges
        self._known = known or {}

    def arrange(self, path: Path, members: Sequence[int]) -> Part:
        """Lay out the blocks of a group, those of groups in it included."""
        direct = [block for block in members if self._blocks[block].group == path]
        inner: dict[Path, list[int]] = {}
        for block in members:
            if self._blocks[block].group != path:
                inner.setdefault(self._blocks[block].group[: len(path) + 1], []).append(block)
        level = Level(self._blocks, self._edges, members, direct, inner)
        if level.cyclic:  # by `after=`: then no frame can be drawn around these groups
            inner = {}
            level = Level(self._blocks, self._edges, members, members, inner)
        parts = {group: self._framed(group, self.arrange(group, inside)) for group, inside in inner.items()}
        for group, part in parts.items():
            level.fill(group, part)
        if level.ports:
            return level.place(range(level.count), self._wishes(level))
        return shelved([level.place(piece, {}) for piece in level.pieces()], _merged)

    def _framed(self, group: Path, inside: Part) -> Part:
        """Give a part with a frame around it, wide enough for its name."""
        wanted = min(len(group[-1]), 28) * 7.0
        width = max(inside.width, wanted) + 2 * _PAD
        height = inside.height + _PAD + _TITLE
        left = (width - inside.width) / 2
        framed = Part(width=width, height=height, frames=[(group, Place(left=0, top=0, width=width, height=height))])
        framed.take(inside, left, _TITLE)
        framed.ports = {port: x + left for port, x in inside.ports.items()}
        for edge, pieces in framed.pieces.items():  # lines go on to the frame
            for piece in pieces:
                if edge[0] not in framed.boxes and piece[0][1] <= _TITLE:
                    piece.insert(0, (piece[0][0], 0.0))
                if edge[1] not in framed.boxes and piece[-1][1] >= inside.height + _TITLE:
                    piece.append((piece[-1][0], height))
        return framed

    def _wishes(self, level: Level) -> dict[tuple[str, int], float]:
        """Say where the ports of a group would be best, by where their lines come from and go to."""
        wishes: dict[tuple[str, int], float] = {}
        for side, source in level.ports:
            ends = [source] if side == "in" else level.leaving[source]
            places = [self._known[end][0] + self._blocks[end].width / 2 for end in ends if end in self._known]
            wishes[side, source] = sum(places) / len(places) if places else float(source)
        return wishes


def _merged(parts: Sequence[tuple[Part, Point]], width: float, height: float) -> Part:
    whole = Part(width=width, height=height)
    for part, (left, top) in parts:
        whole.take(part, left, top)
    return whole


def _line(pieces: list[list[Point]]) -> list[Point]:
    """Put the pieces of a line together, from above, without points that change nothing."""
    points = [point for piece in sorted(pieces, key=lambda piece: piece[0][1]) for point in piece]
    line: list[Point] = []
    for point in points:
        if line and abs(line[-1][0] - point[0]) < 0.5 and abs(line[-1][1] - point[1]) < 0.5:
            continue
        if len(line) > 1 and line[-1][0] == line[-2][0] == point[0]:
            line[-1] = point
        else:
            line.append(point)
    return line
