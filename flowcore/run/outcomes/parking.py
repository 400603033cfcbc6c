"""Cells that wait for an equal one: in this run, or in another live run of the store (contract J8).

Owns who waits for whom, and what a beat says so that others can wait for us. Of cells of
this run with one key, one is computed and the others are parked behind it; if another
run computes that key, it is parked as well. Parked cells hold no worker. A cell that
waits for another run goes on once that run has recorded a result, and then is a hit, or
once nothing more is to be expected of it, and then is computed here. Promises that a run
alone in its store pays a clock reading a batch and a listing a second, and that only
cells that are being computed are waited for: they wait for nobody, so no two runs wait
for each other.

A cell in flight is named by the beats of its run from its first second on. Two runs that
begin a cell within that time both compute it: double work, and nothing worse (P3).
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Final

from flowcore import clock
from flowcore.run.books import Books, Cell
from flowcore.run.flight import Batch
from flowcore.run.growing.growth import Growths
from flowcore.run.inbox import Timer
from flowcore.run.outcomes.equals import release_parked
from flowcore.store.cache import Miss
from flowcore.store.neighbours import PAUSE

BEATS: Final = (1.0, 1.0, 3.0, 5.0)  # seconds before the first beats, and before all later ones
_LONG: Final = 1.0  # seconds in flight from which on a cell is worth waiting for
_NAMED: Final = 4096  # keys that a beat names at most


class Parking:
    """Parks and releases cells of one run. The engine's thread.

    Parameters
    ----------
    books : Books
        The run's tables.
    growths : Growths
        Knows which cells would wait for each other.
    """

    def __init__(self, books: Books, growths: Growths) -> None:
        self._books = books
        self._growths = growths
        self._neighbours = books.neighbours
        self._waiting: dict[bytes, Cell] = {}  # key -> the cell here that waits for another run's
        self._timer: Timer | None = None

    def leaders(self, batch: Batch, misses: list[int]) -> list[int]:
        """Give those of the misses that compute their key; cells equal to one that does are parked."""
        keys, cells = batch.keys, list(zip(batch.nodes, batch.numbers, strict=True))
        computing, before = self._books.computing, len(self._books.computing)
        for i in misses:
            computing.setdefault(keys[i], cells[i])
        if len(computing) != before + len(misses):
            leaders = [i for i in misses if computing[keys[i]] == cells[i]]
            for i in set(misses).difference(leaders):
                if not self._growths.park(cells[i], keys[i], computing[keys[i]]):
                    continue
                self._books.parked.setdefault(keys[i], []).append(cells[i])
                self._books.schedule.parked(cells[i][0], [cells[i][1]])
            misses = leaders
        if self._neighbours is None or not self._neighbours.claims:
            return misses
        here = [i for i in misses if not self._wait_elsewhere(*cells[i], keys[i])]
        if len(here) < len(misses):
            self._count()
        return here

    def look(self) -> float:
        """Look for other runs, if it is time; give where in a row of equal cells this run begins.

        Runs that are begun together with the same cells would stay in step and compute each of
        them at the same time: the first begins at the front, the last at the end.
        """
        if self._neighbours is None:
            return 0.0
        if self._neighbours.look():
            self._release()
        return self._neighbours.share

    def sift(self, batch: Batch) -> Batch | None:
        """Give the cells that are to be computed here after all; None if there are none.

        Some may have waited long for an executor: what others have recorded by now, or are
        computing, is judged anew.
        """
        neighbours = self._neighbours
        if neighbours is None or not (neighbours.claims or neighbours.recorded):
            return batch
        stale = self._stale(batch)
        if not stale:
            return batch
        for i in sorted(stale):
            release_parked(self._books, batch.keys[i])
            self._books.schedule.again(batch.nodes[i], [batch.numbers[i]])
        left = [i for i in range(len(batch.numbers)) if i not in stale]
        return batch.at(left) if left else None

    def facts(self) -> dict[str, object]:
        """Give what a beat says: how many cells are in flight, in all and by node, and what waits for other runs."""
        attempts, since = self._books.attempts, clock.monotonic() - _LONG
        long = (flight.key(attempt) for attempt, flight in attempts.items() if flight.began <= since)
        keys = b"".join(islice(filter(None, long), _NAMED))
        nodes = {node for flight in {id(f): f for f in attempts.values()}.values() for node in flight.batch.nodes}
        running = {node: count for node in nodes if (count := self._books.counts[node].started)}
        more = {"computing": keys, "parked": self._books.awaited, "running": running}
        return {"cells": len(attempts)} | {name: told for name, told in more.items() if told}

    def _count(self) -> None:
        """Count the cells that wait for each other run."""
        assert self._neighbours is not None, "cells wait for neighbours only"
        self._books.awaited = Counter(self._neighbours.claims[key] for key in self._waiting)

    def _wait_elsewhere(self, node: int, number: int, key: bytes) -> bool:
        """Park a cell whose key another run is computing."""
        assert self._neighbours is not None, "asked for with neighbours only"
        if key not in self._neighbours.claims or self._books.fresh([node], [number]) == [True]:
            return False
        self._waiting[key] = (node, number)
        self._books.schedule.parked(node, [number])
        self._watch()
        return True

    def _stale(self, batch: Batch) -> set[int]:
        """Give the places of the cells that another run has answered, or is computing."""
        books = self._books
        assert self._neighbours is not None, "asked for with neighbours only"
        stale = {i for i, key in enumerate(batch.keys) if key in self._neighbours.claims}
        if self._neighbours.recorded and batch.recipe.keys is not None:
            answers = books.cache.judge(batch.keys, younger_than=batch.recipe.answers_for)
            stale |= {i for i, answer in enumerate(answers) if not isinstance(answer, Miss)}
        return {i for i in stale if batch.nodes[i] not in books.refresh}

    def _watch(self) -> None:
        """Look again in a second, as long as cells wait."""
        if self._waiting and self._timer is None:
            self._timer = self._books.inbox.at(clock.monotonic() + PAUSE, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self.look()
        self._watch()

    def _release(self) -> None:
        """Let cells go on whose key nobody else computes any more: to a hit, or to be computed here."""
        assert self._neighbours is not None, "cells wait for neighbours only"
        for key in [key for key in self._waiting if key not in self._neighbours.claims]:
            node, number = self._waiting.pop(key)
            release_parked(self._books, key)
            self._books.schedule.again(node, [number])
        if self._books.awaited:
            self._count()
