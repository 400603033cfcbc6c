"""Two values for one key: noticed, counted, named (contract F33).

A key stands for one computation, so a cell computed again under it should give the same
bits. Where it does not, the task draws on something that no key knows of. Looked for
where a key is computed although a record has it: under ``refresh=``, after its value was
lost, and when two live runs computed it at once; everything else is a hit. Nothing is
changed: which value answers later is for the store's rules (J10, K26).

A cell costs nothing here unless its node was met that way. The engine's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowcore.doubts import TwoValues
from flowcore.notices import notice
from flowcore.run.books import Books
from flowcore.run.flight import Batch
from flowcore.run.ready.work import Work


class Doubles:
    """Compares new values with those recorded under the same keys.

    Parameters
    ----------
    books : Books
    name : callable
        Gives a cell's readable id.
    """

    def __init__(self, books: Books, name: Callable[[int, int], str]) -> None:
        self._books = books
        self._name = name
        self._counted: set[tuple[int, int]] = set()
        self._told: set[str] = set()

    def expected(self, node: int) -> bool:
        """Tell whether keys of a node's cells may have a record already."""
        books = self._books
        if books.checking:  # whoever asked compares for himself
            return False
        recorded = books.neighbours is not None and books.neighbours.recorded
        if node in books.refresh:  # who refreshes what meets the world expects that it has changed
            return books.graph[node].node.kind == "compute"
        return recorded or books.remade or node in books.vanished

    def look(self, batch: Batch, keys: Sequence[bytes], components: Sequence[bytes]) -> None:
        """Look at values of cells of several nodes that are about to be recorded."""
        books = self._books
        recorded = books.neighbours is not None and books.neighbours.recorded
        if not (recorded or books.remade or books.refresh or books.vanished):
            return
        for node, first, last in batch.stretches:
            if self.expected(node):
                work = self._books.works[node]
                self.landed(work, batch.numbers[first:last], keys[first:last], components[first:last])

    def landed(self, work: Work, numbers: Sequence[int], keys: Sequence[bytes], components: Sequence[bytes]) -> None:
        """Look at values that are about to be recorded."""
        found = self._books.cache.otherwise(keys, components)
        if found:
            self._note(work.number, [numbers[place] for place in found])

    def settle(self) -> None:
        """Look, at the end, at what others have recorded while this run went on."""
        neighbours = self._books.neighbours
        if neighbours is None:
            return
        neighbours.look(now=True)
        for node, number in self._books.cache.contested(neighbours.keys()):
            self._note(node, [number])

    def _note(self, node: int, numbers: Sequence[int]) -> None:
        new = [number for number in numbers if (node, number) not in self._counted]
        if not new:
            return
        self._counted.update((node, number) for number in new)
        self._books.count(node).doubled += len(new)
        self._books.cache.doubled(node, new)
        drawn = self._books.graph[node].node
        task = drawn.task.name if drawn.task is not None else drawn.name
        if task not in self._told:
            self._told.add(task)
            refreshed = node in self._books.refresh
            notice(TwoValues(task=task, cell=self._name(node, new[0]), at=drawn.site, refreshed=refreshed), drawn.site)
