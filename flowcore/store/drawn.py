"""What a run's journal says of nodes as they were drawn: columns, where they are much alike.

Owns the kind ``["nodes", kinds, count, numbers, which, names, sites, sources]``. A kind is ``[facts, parameters]``:
what nodes have in common, and a name for each value that one is called with; `which` tells of each node its place
among the kinds; `sources` are the nodes that give those values, one after the other. A graph of many single nodes so
costs a few bytes a node beyond its name. Only packs and unpacks; `cache` writes, `cast` reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from flowcore.store.columns import pack_numbers, unpack_numbers
from flowcore.store.facts import NODE, fitting
from flowcore.store.journal import Record

NODES = "nodes"


class Drawn:
    """Nodes to be written down, in the order in which they are added."""

    def __init__(self) -> None:
        self._kinds: list[list[object]] = []
        self._numbers: list[int] = []
        self._which: list[int] = []
        self._names: list[str] = []
        self._sites: list[str] = []
        self._sources: list[int] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def kind(self, facts: Mapping[str, object], parameters: Sequence[str]) -> int:
        """Take up what nodes have in common; give its place among the kinds."""
        self._kinds.append([dict(facts), list(parameters)])
        return len(self._kinds) - 1

    def add(self, kind: int, number: int, name: str, site: str, sources: Sequence[int]) -> None:
        """Take up a node, with a source for each of the parameters of its kind."""
        self._which.append(kind)
        self._numbers.append(number)
        self._names.append(name)
        self._sites.append(site)
        self._sources += sources

    def pack(self) -> Record:
        """Give the record of all of them."""
        sites = self._sites[:1] if self._sites.count(self._sites[0]) == len(self) else self._sites
        return [
            NODES, self._kinds, len(self), pack_numbers(self._numbers), pack_numbers(self._which), self._names, sites,
            pack_numbers(self._sources),
        ]  # fmt: skip


def unpack_drawn(record: Record) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the nodes of a record, each with all that is told of it.

    Raises
    ------
    ValueError
        If the record has another shape.
    """
    match record:
        case [_, list(kinds), int(count), packed, which, list(names), list(sites), sources, *_]:
            known = [_kind(kind) for kind in kinds]
            if len(names) != count or len(sites) not in (1, count):
                raise ValueError("nodes")
            numbers, places = unpack_numbers(packed, count), unpack_numbers(which, count)
            if not all(0 <= place < len(known) for place in places):
                raise ValueError("nodes")
            feeding = unpack_numbers(sources, sum(len(known[place][1]) for place in places))
            yield from _told(known, numbers, places, names, sites, feeding)
        case _:
            raise ValueError("nodes")


def _told(
    known: Sequence[tuple[dict[str, object], list[str]]], numbers: Sequence[int], places: Sequence[int],
    names: Sequence[object], sites: Sequence[object], feeding: Sequence[int],
) -> Iterator[tuple[int, dict[str, object]]]:  # fmt: skip
    if min(feeding, default=0) < 0 or not all(type(text) is str for text in (*names, *sites)):
        raise ValueError("nodes")
    first = 0
    for row, (number, place) in enumerate(zip(numbers, places, strict=True)):
        facts, parameters = known[place]
        last = first + len(parameters)
        edges = [list(edge) for edge in zip(parameters, feeding[first:last], strict=True)]
        yield number, {"name": names[row], "site": sites[row if len(sites) > 1 else 0], "from": edges, **facts}
        first = last


def _kind(told: object) -> tuple[dict[str, object], list[str]]:
    match told:
        case [dict(facts), list(parameters), *_] if all(type(name) is str for name in parameters):
            own = fitting(facts, NODE)
            return {name: fact for name, fact in own.items() if name not in ("name", "site", "from")}, parameters
    raise ValueError("nodes")
