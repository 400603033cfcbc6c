"""What pictures are laid out from, and what has been laid out: boxes, and parts with places of their own."""

from __future__ import annotations

from dataclasses import field

from flowcore.dataclass import dataclass

Point = tuple[float, float]
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A box to be placed, and the groups it is in, the outermost first."""

    width: float
    height: float
    group: Path = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A rectangle in a picture."""

    left: float
    top: float
    width: float
    height: float


@dataclass(slots=True)
class Part:
    """What has been laid out, in coordinates of its own."""

    width: float = 0.0
    height: float = 0.0
    boxes: dict[int, Point] = field(default_factory=dict)  # block -> left, top
    frames: list[tuple[Path, Place]] = field(default_factory=list)
    pieces: dict[tuple[int, int], list[list[Point]]] = field(default_factory=dict)  # of each edge
    ports: dict[tuple[str, int], float] = field(default_factory=dict)  # side and source -> x

    def take(self, other: Part, left: float, top: float) -> None:
        """Take up another part, moved."""
        self.boxes.update((block, (x + left, y + top)) for block, (x, y) in other.boxes.items())
        for path, place in other.frames:
            moved = Place(left=place.left + left, top=place.top + top, width=place.width, height=place.height)
            self.frames.append((path, moved))
        for edge, pieces in other.pieces.items():
            moves = [[(x + left, y + top) for x, y in piece] for piece in pieces]
            self.pieces.setdefault(edge, []).extend(moves)
