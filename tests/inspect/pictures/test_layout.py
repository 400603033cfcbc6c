"""Claims about inspect/pictures/layout.py and the rooms below it: where boxes and lines of a picture go."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.inspect.pictures.crossings import crossings, uncross
from flowcore.inspect.pictures.layers import layered
from flowcore.inspect.pictures.layout import Layout, layout
from flowcore.inspect.pictures.parts import Block, Place
from flowcore.inspect.pictures.positions import spread

GROUPS = ((), ("a",), ("a", "x"), ("a", "y"), ("b",))
CHAIN = 300


@st.composite
def drawings(draw: st.DrawFn) -> tuple[list[Block], list[tuple[int, int]]]:
    """Boxes of any size in any groups, joined in the order of drawing."""
    count = draw(st.integers(0, 14))
    sizes = st.floats(10, 200)
    blocks = [Block(width=draw(sizes), height=draw(sizes), group=draw(st.sampled_from(GROUPS))) for _ in range(count)]
    pairs = [(a, b) for b in range(count) for a in range(b)]
    return blocks, draw(st.lists(st.sampled_from(pairs), max_size=30)) if pairs else []


def inside(inner: Place, outer: Place) -> bool:
    """Tell whether a rectangle is in another one."""
    return (
        outer.left <= inner.left + 0.01
        and outer.top <= inner.top + 0.01
        and inner.left + inner.width <= outer.left + outer.width + 0.01
        and inner.top + inner.height <= outer.top + outer.height + 0.01
    )


def apart(one: Place, other: Place) -> bool:
    """Tell whether two rectangles have nothing in common."""
    return (
        one.left + one.width <= other.left + 0.01
        or other.left + other.width <= one.left + 0.01
        or one.top + one.height <= other.top + 0.01
        or other.top + other.height <= one.top + 0.01
    )


def faults(blocks: list[Block], found: Layout) -> list[str]:
    """Find what no picture may have."""
    whole = Place(left=0, top=0, width=found.width, height=found.height)
    rest = dict(found.frames)
    told = [f"{i} sticks out" for i, box in enumerate(found.boxes) if not inside(box, whole)]
    told += [
        f"{i} and {j} overlap"
        for i in range(len(blocks)) for j in range(i) if not apart(found.boxes[i], found.boxes[j])
    ]  # fmt: skip
    for path, frame in rest.items():
        for i, block in enumerate(blocks):
            if block.group[: len(path)] == path and not inside(found.boxes[i], frame):
                told.append(f"{i} is not in its frame {path}")
            if block.group[: len(path)] != path and not apart(found.boxes[i], frame):
                told.append(f"{i} is in the frame {path} of others")
    for (source, target), points in found.routes.items():
        if any(y > below for (_, y), (_, below) in pairwise(points)):
            told.append(f"the line from {source} to {target} goes up")
        begin, end = found.boxes[source], found.boxes[target]
        if abs(points[0][1] - begin.top - begin.height) > 0.1 or abs(points[-1][1] - end.top) > 0.1:
            told.append(f"the line from {source} to {target} ends in the air")
        if not begin.left <= points[0][0] <= begin.left + begin.width:
            told.append(f"the line from {source} to {target} begins beside its box")
        if not end.left - 0.1 <= points[-1][0] <= end.left + end.width + 0.1:
            told.append(f"the line from {source} to {target} ends beside its box")
    return told


@given(drawings())
def test_boxes_frames_and_lines_keep_apart(drawn: tuple[list[Block], list[tuple[int, int]]]) -> None:
    """No box overlaps another, a frame holds its boxes and no others, lines go down from box to box."""
    blocks, edges = drawn
    found = layout(blocks, edges)

    assert [] == faults(blocks, found)
    assert set(edges) == set(found.routes)
    assert found == layout(blocks, edges)


def test_a_chain_is_straight() -> None:
    """One box below the other, joined by straight lines, however long it is."""
    blocks = [Block(width=80, height=30) for _ in range(CHAIN)]
    found = layout(blocks, [(i, i + 1) for i in range(CHAIN - 1)])

    assert 1 == len({round(box.left, 3) for box in found.boxes})
    assert all(2 == len(points) for points in found.routes.values())


def test_parts_that_nothing_joins_stand_side_by_side() -> None:
    """A hundred lonely boxes make rows, and not one of a hundred."""
    found = layout([Block(width=100, height=30) for _ in range(100)], [])

    assert found.width < 2500
    assert found.height < 1500


def test_a_tree_has_no_crossings() -> None:
    """However its nodes are numbered."""
    parents = {i: (i * 2_654_435_761 % 2**32) % i if i else 0 for i in range(60)}
    edges = [(parent, i, parent) for i, parent in parents.items() if i]
    graph = layered(60, edges, {})
    uncross(graph)

    assert 0 == crossings(graph)


def test_long_lines_of_one_source_are_one_line_that_parts() -> None:
    """Ten boxes at the end of a chain that all need its first cost a bend a layer, not ten."""
    edges = (
        [(i, i + 1, i) for i in range(9)]
        + [(0, 9 + i, 0) for i in range(1, 11)]
        + [(9, 9 + i, 9) for i in range(1, 11)]
    )
    graph = layered(20, edges, {})

    assert 9 == len(graph.rank) - 20


@given(
    st.lists(st.tuples(st.floats(-100, 100), st.floats(0.1, 10), st.floats(0, 20)), min_size=1, max_size=12),
    st.integers(0, 11),
    st.floats(-5, 5),
)
def test_places_are_the_nearest_that_are_apart(row: list[tuple[float, float, float]], moved: int, by: float) -> None:
    """They keep their distances, and to move one costs more in squares than it gains."""
    apart_by = [0.0, *(distance for _, _, distance in row[1:])]
    wishes = [(place, weight) for place, weight, _ in row]
    found = spread(wishes, apart_by)
    other = [place + by * (i == moved % len(row)) for i, place in enumerate(found)]

    def cost(places: list[float]) -> float:
        return sum(weight * (at - place) ** 2 for at, (place, weight) in zip(places, wishes, strict=True))

    def allowed(places: list[float]) -> bool:
        return all(b - a >= d - 1e-9 for (a, b), d in zip(pairwise(places), apart_by[1:], strict=True))

    assert allowed(found)
    assert not allowed(other) or cost(other) >= cost(found) - 1e-6


def test_lines_enter_a_group_in_the_order_of_where_they_come_from() -> None:
    """Two lines into a group do not cross on their way to it, nor inside it."""
    blocks = [Block(width=50, height=20, group=group) for group in ((), (), ("g",), ("g",))]
    found = layout(blocks, [(1, 2), (0, 3)])
    (_, frame), *_ = found.frames
    doors = [next(x for x, y in found.routes[edge] if y >= frame.top) for edge in ((0, 3), (1, 2))]

    assert (found.boxes[0].left < found.boxes[1].left) == (doors[0] < doors[1])
    assert (doors[0] < doors[1]) == (found.boxes[3].left < found.boxes[2].left)


def test_lines_end_apart() -> None:
    """Five lines that come from far aside do not end at one point of a box."""
    blocks = [Block(width=200, height=20) for _ in range(6)]
    found = layout(blocks, [(i, 5) for i in range(5)])
    ends = sorted(points[-1][0] for points in found.routes.values())

    assert all(b - a >= 14.9 for a, b in pairwise(ends))


def test_groups_that_wait_for_each_other_are_drawn_without_frames() -> None:
    """An order that goes into a group and out again leaves no picture with frames."""
    blocks = [Block(width=50, height=20, group=(name,)) for name in "aba"]
    found = layout(blocks, [(0, 1), (1, 2)])

    assert [] == found.frames
    assert [] == faults(blocks, found)


@pytest.mark.parametrize("count", [0, 1])
def test_small_pictures(count: int) -> None:
    """Nothing, and one box."""
    assert count == len(layout([Block(width=10, height=10)] * count, []).boxes)
