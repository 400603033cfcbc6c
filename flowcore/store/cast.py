"""What a run's journal says of nodes that are made ready: once what they share, and a column of what they do not.

Owns the kinds ``["recipe", recipe, facts]`` and ``["cast", recipe, count, numbers, names,
columns]``: nodes with a recipe, and the identities of their own constants by name, in
columns. A graph of many single nodes so costs a few bytes a node, where the names and
identities of all that a key is made of take a kilobyte. Only reads; `cache` writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowcore.store.columns import cell_of, check_bytes, pack_bytes, pack_numbers, unpack_numbers
from flowcore.store.drawn import unpack_drawn
from flowcore.store.facts import NODE, fitting
from flowcore.store.journal import Record

RECIPE = "recipe"
CAST = "cast"


def pack_cast(recipe: int, numbers: Sequence[int], names: Sequence[str], columns: Sequence[Sequence[bytes]]) -> Record:
    """Give the record of nodes with a recipe: a column of identities for each name."""
    count = len(numbers)
    return [CAST, recipe, count, pack_numbers(numbers), list(names), [pack_bytes(column, count) for column in columns]]


class Casts:
    """Puts together what a journal tells of nodes in parts; to be given its records in order."""

    def __init__(self) -> None:
        self._facts: dict[int, dict[str, object]] = {}

    def take(self, record: Record) -> Iterator[tuple[int, dict[str, object]]]:
        """Yield nodes with what is known of them once they were made ready; nothing for other kinds.

        Raises
        ------
        ValueError
            If the record has another shape.
        """
        match record:
            case ["node", int(number), dict(facts), *_]:
                yield number, fitting(facts, NODE)
            case ["nodes", *_]:
                yield from unpack_drawn(record)
            case ["recipe", int(recipe), dict(told), *_] if "common" in (facts := fitting(told, NODE)):
                self._facts[recipe] = facts
            case ["cast", int(recipe), int(count), numbers, list(names), list(columns), *_] if recipe in self._facts:
                if len(names) != len(columns) or not all(type(name) is str for name in names):
                    raise ValueError("cast")
                facts, checked = self._facts[recipe], [check_bytes(column, count) for column in columns]
                for row, number in enumerate(unpack_numbers(numbers, count)):
                    own = {name: cell_of(column, row) for name, column in zip(names, checked, strict=True)}
                    yield number, facts | {"common": facts["common"] | own}  # type: ignore[operator]
