"""Claims about plan/cells.py: numbers, coordinates and links agree with sets of labels, whatever the shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.plan.cells import Link, Space, Span

Labels = tuple[tuple[str, int], ...]  # of one cell: (axis, place), in the order of its axes
Place = tuple[int, str, Labels]  # a row: level, axis, labels before it


class Tree:
    """Random ragged axes, with a table of lengths in place of values: the oracle."""

    def __init__(self, seed: int, *, ragged: bool = True, spaces: int = 4) -> None:
        self.rng = Random(seed)
        self.spans = [Span(f"s{i}", self.rng.choice([0, 1, 2, 2, 3])) for i in range(3)]
        self.sources: dict[int, tuple[Span, ...]] = {}
        self.lengths: dict[tuple[int, Labels], int] = {}  # told so far; -1: never
        for number in range(self.rng.randint(1, 3) if ragged else 0):
            self.sources[number] = self.pick(2)
            self.spans.append(Span(f"d{number}", None, number))
        self.spaces: dict[tuple[Span, ...], Space] = {}
        for spans in [*self.sources.values(), *(self.pick(3) for _ in range(spaces))]:
            self.space(spans)

    def pick(self, most: int) -> tuple[Span, ...]:
        """Choose some axes, in an order in which sources come first."""
        chosen: dict[Span, None] = {}
        for span in self.rng.sample(self.spans, self.rng.randint(0, min(most, len(self.spans)))):
            below = self.sources[span.source] if span.length is None else ()
            chosen.update(dict.fromkeys((*below, span)))
        return tuple(chosen)

    def over(self, spans: tuple[Span, ...]) -> tuple[str, ...]:
        """Choose axes to gather, and with each those that lie below it."""
        over: list[Span] = []
        for span in spans if self.rng.random() < 0.3 else ():
            below = self.sources[span.source] if span.length is None else ()
            if self.rng.random() < 0.5 or set(below) & set(over):
                over.append(span)
        return tuple(span.name for span in over)

    def space(self, spans: tuple[Span, ...]) -> Space:
        """Give the space of these spans, which may be drawn when some lengths are known already."""
        if spans not in self.spaces:
            sources = {s.source: self.space(self.sources[s.source]) for s in spans if s.length is None}
            self.spaces[spans] = Space(spans, sources)
        return self.spaces[spans]

    def walk(self, spans: tuple[Span, ...], fixed: Mapping[str, int], at: Labels = ()) -> Iterator[Labels | Place]:
        """Give cells and unknown rows that agree with `fixed`, row-major."""
        if len(at) == len(spans):
            yield at
            return
        span = spans[len(at)]
        length = span.length
        if length is None:
            length = self.lengths.get((span.source, self.source_cell(span, dict(at))), -1)
            if length == -1:
                yield len(at), span.name, at
        for place in range(max(0, length)):
            if fixed.get(span.name, place) == place:
                yield from self.walk(spans, fixed, (*at, (span.name, place)))

    def source_cell(self, span: Span, places: Mapping[str, int]) -> Labels:
        """Give the cell that a row along `span` takes its length from."""
        return tuple((s.name, places[s.name]) for s in self.sources[span.source])

    def cells(self, spans: tuple[Span, ...], fixed: Mapping[str, int] | None = None) -> list[Labels]:
        """Give the cells that agree with `fixed`."""
        return [one for one in self.walk(spans, fixed or {}) if not (one and isinstance(one[0], int))]

    def unknown(self, spans: tuple[Span, ...], fixed: Mapping[str, int] | None = None) -> list[Place]:
        """Give the rows without a length that agree with `fixed`."""
        return [one for one in self.walk(spans, fixed or {}) if one and isinstance(one[0], int)]

    def grow(self) -> bool:
        """Tell the spaces one more length, or that there will be none; give whether there was any to tell."""
        untold = [
            (n, cell)
            for n, spans in self.sources.items()
            for cell in self.cells(spans)
            if (n, cell) not in self.lengths
        ]
        if not untold:
            return False
        source, cell = self.rng.choice(untold)
        length = self.rng.choice([-1, 0, 1, 2, 3])
        number = self.spaces[self.sources[source]].number(dict(cell))
        assert number is not None
        self.lengths[source, cell] = length
        for spans in sorted(self.spaces, key=len):
            for span in spans:
                if span.source == source:
                    rows = self.spaces[spans].waiting_rows(span, number)
                    told = self.spaces[spans].expand if length >= 0 else self.spaces[spans].forgo
                    changed = told(span, number, length) if length >= 0 else told(span, number)  # type: ignore[call-arg]

                    assert sorted(rows) == sorted(changed)
        return True


def labels(space: Space, number: int) -> Labels:
    """Give the labels of a cell."""
    return tuple(zip(space.names, space.coordinates(number), strict=True))


def check_space(tree: Tree, spans: tuple[Span, ...]) -> None:
    """Compare a space with the oracle."""
    space, expected = tree.spaces[spans], tree.cells(spans)
    found = [labels(space, n) for n in range(space.count)]

    assert sorted(expected) == sorted(found)
    assert list(range(space.count)) == [space.number(dict(cell)) for cell in found]

    awaited = [row for row in tree.unknown(spans) if not is_dead(tree, row)]

    assert space.complete == (not awaited)
    for _ in range(4):
        chosen = [s for s in spans if tree.rng.random() < 0.5 and s.length != 0]
        fixed = {s.name: tree.rng.randrange(3 if s.length is None else s.length) for s in chosen}
        picked = space.select({**fixed, "other": 1})

        assert tree.cells(spans, fixed) == [labels(space, n) for n in picked.numbers]
        assert sorted(tree.unknown(spans, fixed)) == sorted(row_labels(space, *row) for row in picked.unknown)
        for level, prefix in picked.unknown:
            source, cell = space.source_cell(level, prefix)
            places = space.place(level, prefix)

            assert tree.source_cell(spans[level], places) == labels(tree.spaces[tree.sources[source]], cell)


def row_labels(space: Space, level: int, prefix: int) -> Place:
    """Give the labels of a row."""
    return level, space.names[level], tuple(space.place(level, prefix).items())


def is_dead(tree: Tree, row: Place) -> bool:
    """Tell whether a row will never have a length."""
    span = next(span for span in tree.spans if span.name == row[1])
    return (span.source, tree.source_cell(span, dict(row[2]))) in tree.lengths


def check_link(tree: Tree, p: tuple[Span, ...], c: tuple[Span, ...]) -> None:
    """Compare a link with the oracle."""
    producer, consumer = tree.spaces[p], tree.spaces[c]
    over = tree.over(p)
    link = Link(producer, consumer, over)
    common = {s.name for s in p} & {s.name for s in c} - set(over)
    fed: Counter[tuple[int, int]] = Counter()
    for m in range(consumer.count):
        agree = {name: at for name, at in labels(consumer, m) if name in common}
        inputs = link.inputs(m)

        assert tree.cells(p, agree) == [labels(producer, n) for n in inputs.numbers]
        assert sorted(tree.unknown(p, agree)) == sorted(row_labels(producer, *row) for row in inputs.unknown)

        fed.update((n, m) for n in inputs.numbers)
        for row in inputs.unknown:
            assert m in link.row_consumers(*row).numbers
    for n in range(producer.count):
        agree = {name: at for name, at in labels(producer, n) if name in common}

        assert tree.cells(c, agree) == [labels(consumer, m) for m in link.consumers(n)]

        fed.subtract((n, m) for m in link.consumers(n))
        waiting = [row for row in tree.unknown(c, agree) if not is_dead(tree, row)]

        assert link.awaits(n) or not waiting, "never no too early"
        assert not (link.awaits(n) and consumer.complete)

    assert not any(fed.values()), "inputs and consumers are the same relation"
    check_batches(tree, link)


def check_batches(tree: Tree, link: Link) -> None:
    """Compare a link's answers for many cells with those for one."""
    producer, consumer = link.producer, link.consumer
    some = [m for m in range(consumer.count) if tree.rng.random() < 0.7]
    inputs = [n for m in some for n in link.inputs(m).numbers]

    assert Counter(inputs) == Counter(link.feeding(some))
    if link.single:
        assert inputs == list(link.sources(some))

    some = [n for n in range(producer.count) if tree.rng.random() < 0.7]

    assert Counter(m for n in some for m in link.consumers(n)) == Counter(link.fed(some))
    if link.static and producer.count and consumer.count:
        assert {link.fan_in} == {len(link.inputs(m).numbers) for m in range(consumer.count)}
        assert {link.fan_out} == {len(link.consumers(n)) for n in range(producer.count)}
    for row in producer.select({}).unknown:
        for m in link.row_consumers(*row).numbers:
            assert not link.row_inputs(*row, m).numbers
    for row in consumer.select({}).unknown:
        place = {name: at for name, at in consumer.place(*row).items() if name in link.shared}

        assert tree.cells(producer.spans, place) == [labels(producer, n) for n in link.row_feeding(*row).numbers]


@given(st.integers(0, 10**9))
def test_static_numbers_are_row_major(seed: int) -> None:
    """Where all lengths are known, numbers count places in the order of nested loops."""
    tree = Tree(seed, ragged=False)

    for spans, space in tree.spaces.items():
        places = [tuple(place) for place in product(*(range(span.length or 0) for span in spans))]
        assert places == [space.coordinates(n) for n in range(space.count)]
        assert space.complete


@given(st.integers(0, 10**9))
def test_numbers_and_labels_are_one_to_one(seed: int) -> None:
    """Every cell has one number, every number one cell, at any moment of growth; unknown ones have none."""
    tree = Tree(seed)

    for _ in range(40):
        for spans in tree.spaces:
            check_space(tree, spans)
        if not tree.grow():
            break


@given(st.integers(0, 10**9))
def test_links_are_agreement_on_shared_labels(seed: int) -> None:
    """What feeds what is what agrees on all shared axes, at any moment of growth."""
    tree = Tree(seed, spaces=3)

    for _ in range(40):
        for p, c in product(tree.spaces, tree.spaces):
            check_link(tree, p, c)
        if not tree.grow():
            break


@given(st.integers(0, 10**9))
def test_numbers_never_change(seed: int) -> None:
    """A cell keeps its number while rows arrive, in whatever order."""
    tree = Tree(seed)
    known: dict[tuple[Span, ...], list[tuple[int, ...]]] = {spans: [] for spans in tree.spaces}

    while True:
        for spans, space in tree.spaces.items():
            now = [space.coordinates(n) for n in range(space.count)]
            assert known[spans] == now[: len(known[spans])]
            known[spans] = now
        if not tree.grow():
            break


@given(st.integers(0, 10**9))
def test_a_space_drawn_late_is_as_if_drawn_early(seed: int) -> None:
    """A space made when lengths are known has the same cells as one that learned them."""
    tree = Tree(seed)
    for _ in range(tree.rng.randint(0, 12)):
        tree.grow()
    for spans, space in tree.spaces.items():
        sources = {s.source: tree.spaces[tree.sources[s.source]] for s in spans if s.length is None}
        late = Space(spans, sources)

        assert {labels(space, n) for n in range(space.count)} == {labels(late, n) for n in range(late.count)}
        assert space.complete == late.complete


def test_a_row_below_an_opened_row_opens_at_once() -> None:
    """Two axes with the same source are both there when its value is."""
    source = Space(())
    a, b = Span("a", None, 0), Span("b", None, 0)
    space = Space((a, b), {0: source})
    space.expand(a, 0, 2)

    assert (4, True) == (space.count, space.complete)
    assert [] == space.expand(b, 0, 2)
    assert [(0, 0), (0, 1), (1, 0), (1, 1)] == [space.coordinates(n) for n in range(4)]


def test_a_length_is_learned_once() -> None:
    """A source that is made again changes nothing."""
    source = Space(())
    span = Span("a", None, 0)
    space = Space((span,), {0: source})

    assert [(0, 0)] == space.expand(span, 0, 2)
    assert [] == space.expand(span, 0, 5)
    assert 2 == space.count


def test_a_cell_awaits_only_rows_of_its_own() -> None:
    """Other cells' rows do not keep a cell waiting, where the source's axes tell whose they are."""
    files, items = Span("file", 2), Span("item", None, 0)
    source = Space((files,))
    space = Space((files, items), {0: source})
    link = Link(source, space)
    space.expand(items, 0, 2)

    assert [False, True] == [link.awaits(0), link.awaits(1)]

    space.forgo(items, 1)

    assert not link.awaits(1)
    assert space.complete


@pytest.mark.parametrize("axis", [(), ("x",), ("x", "y")])
def test_a_place_may_name_more_axes(axis: tuple[str, ...]) -> None:
    """A node's cell is found by the labels of any node that has its axes."""
    spans = {"x": Span("x", 2), "y": Span("y", 3)}
    space = Space(tuple(spans[name] for name in axis))

    assert {0: 0, 1: 1, 2: 1 * 3 + 2}[len(axis)] == space.number({"x": 1, "y": 2, "z": 9})
