"""From a key to the place of its records: a persisted index, and what came after it.

Owns three arrays sorted by key, 72 bytes an entry, for what the persisted part does not
cover. Promises nothing about the values: an entry says where a record was, and whoever
uses it reads the frame and checks it, so the index can be rebuilt from the journals at
any time and never is the only holder of anything (contract J9).

Journals are numbered in the order of the runs whose records they hold. Of several records
for a key the one of the lowest number comes first, and in a journal the earliest; one made
under `refresh=` comes before all older ones (J10, K26).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from flowcore.store.indexfile import REFRESH, BadIndex, Entries, prefixes_of
from flowcore.store.trace import KEY_SIZE, NO_KEY

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from flowcore.store.indexfile import IndexFile

_FEW: Final = 4  # keys that are looked for one by one
_MERGE_FROM: Final = 1 << 16  # entries added one by one before they are sorted in
_OFFSETS: Final = 1 << 40  # bytes of the longest journal whose records have an order


class Entry(NamedTuple):
    """Where a cell's record is."""

    journal: int  # as numbered by whoever added it
    offset: int  # of the frame
    row: int  # counted over all traces of the frame


class Index:
    """Entries of any number of journals. One thread.

    Keys are searched by their first 8 bytes, as native integers, which sort and compare
    in one instruction; an entry counts only if all 32 bytes agree.

    Parameters
    ----------
    on_bad : callable, optional
        Called once the persisted part has been found damaged and left out, to :meth:`load` what it covered.
    """

    def __init__(self, on_bad: Callable[[], None] = lambda: None) -> None:
        self._sorted = 0  # how many entries there are in the three arrays, which are made for the first
        self._prefixes: NDArray[np.uint64]
        self._stand: Sequence[int]  # the prefixes once more, for whoever looks for one key and not for many
        self._keys: NDArray[np.uint8]
        self._places: NDArray[np.int64]  # rank, journal, offset, row
        self._joined = bytearray()  # keys added since the last sorting
        self._blocks = array("q")  # for each call: number of keys, rank, journal, offset, first row
        self._starts = array("q")  # for each call: how many keys were added before
        self._recent: dict[bytes, int] = {}  # key to its first place in `_joined`
        self._repeated: dict[bytes, list[int]] = {}  # and to its other ones
        self._file: IndexFile | None = None
        self._numbers: NDArray[np.int64]  # of the journal of each of its sources; -1: left out
        self._on_bad = on_bad

    def __len__(self) -> int:
        return self._sorted + self._added + (self._file.count if self._file is not None else 0)

    def rest_on(self, file: IndexFile, numbers: Sequence[int]) -> None:
        """Search a persisted index too, whose sources have these numbers here; -1: they do not count."""
        import numpy as np

        self._file = file
        self._numbers = np.append(np.array(numbers, np.int64), -1)

    @property
    def _added(self) -> int:
        return len(self._joined) // KEY_SIZE

    def load(self, journal: int, offset: int, keys: bytes, *, first_row: int = 0, refresh: bool = False) -> None:
        """Take the joined keys of a trace; they are found after :meth:`settle`."""
        rank = _rank(journal, offset, refresh=refresh)
        self._starts.append(self._added)
        self._blocks.extend((len(keys) // KEY_SIZE, rank, journal, offset, first_row))
        self._joined += keys

    def add(
        self, journal: int, offset: int, keys: Sequence[bytes], *, first_row: int = 0, refresh: bool = False
    ) -> None:
        """Take the keys of a trace of a frame; they are found at once."""
        joined = [key or NO_KEY for key in keys]
        start = self._added
        self.load(journal, offset, b"".join(joined), first_row=first_row, refresh=refresh)
        if self._added >= max(_MERGE_FROM, self._sorted // 2):
            self.settle()
            return
        fresh = dict(zip(joined, range(start, start + len(joined)), strict=True))
        if len(fresh) == len(joined) and self._recent.keys().isdisjoint(fresh):
            self._recent.update(fresh)
        else:
            self._add_repeated(joined, start)
        self._recent.pop(NO_KEY, None)
        self._repeated.pop(NO_KEY, None)

    def _add_repeated(self, keys: Sequence[bytes], start: int) -> None:
        for place, key in enumerate(keys, start):
            if self._recent.setdefault(key, place) != place:
                self._repeated.setdefault(key, []).append(place)

    def settle(self) -> None:
        """Sort in what was added."""
        if not self._joined:
            return
        import numpy as np

        added, places = self._unsorted()
        keyed = added.any(axis=1)
        keys, places = added[keyed], places[keyed]
        if self._sorted:
            keys, places = np.concatenate([self._keys, keys]), np.concatenate([self._places, places])
        self._joined, self._blocks = bytearray(), array("q")
        self._recent.clear()
        self._repeated.clear()
        self._starts = array("q")
        prefixes = prefixes_of(keys)
        order = np.lexsort((places[:, 0], prefixes))
        self._prefixes, self._keys, self._places = prefixes[order], keys[order], places[order]
        self._sorted = len(order)
        self._stand = memoryview(self._prefixes)  # type: ignore[arg-type]

    def _unsorted(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        import numpy as np

        keys = np.frombuffer(bytes(self._joined), np.uint8).reshape(-1, KEY_SIZE)
        blocks = np.frombuffer(self._blocks, np.int64).reshape(-1, 5)
        counts = blocks[:, 0]
        places = np.repeat(blocks[:, 1:], counts, axis=0)
        starts = np.repeat(np.cumsum(counts) - counts, counts)
        places[:, 3] += np.arange(len(keys)) - starts
        return keys, places

    def find(self, keys: Sequence[bytes]) -> list[Entry | None]:
        """Give the first entry of each key, or None; one search for the whole batch."""
        if len(keys) <= _FEW:
            return [next(self.entries(key), None) if key else None for key in keys]
        found: list[Entry | None] = [None] * len(keys)
        if keys and (self._sorted or self._file is not None):
            import numpy as np

            asked = np.frombuffer(b"".join([key or NO_KEY for key in keys]), np.uint8).reshape(-1, KEY_SIZE)
            prefixes = prefixes_of(asked)
            self._search_file(asked, prefixes, found)
            self._search(asked, prefixes, found)
        if not self._recent:
            return found
        for place, key in enumerate(keys):
            if key not in self._recent:
                continue
            if found[place] is None and key not in self._repeated:
                found[place] = self._recent_entry(self._recent[key])[1]
            else:
                found[place] = next(self.entries(key))
        return found

    def _recent_entry(self, place: int) -> tuple[int, Entry]:
        block = bisect_right(self._starts, place) - 1
        _, rank, journal, offset, first_row = self._blocks[5 * block : 5 * block + 5]
        return rank, Entry(journal, offset, first_row + place - self._starts[block])

    def entries(self, key: bytes) -> Iterator[Entry]:
        """Yield every entry of one key, in the order in which they answer."""
        places = [self._recent[key], *self._repeated.get(key, ())] if key in self._recent else []
        ranked = [self._recent_entry(place) for place in places]
        if self._sorted or self._file is not None:
            ranked += self._ranked(key)
        for _, entry in sorted(ranked):
            yield entry

    def _ranked(self, key: bytes) -> Iterator[tuple[int, Entry]]:
        """Yield what the file and the arrays have of a key, and where each stands among all of it."""
        if self._file is not None:
            yield from self._ranked_in_file(self._file, key or NO_KEY)
        if not self._sorted:
            return
        prefix = int.from_bytes(key[:8], "big")
        place = bisect_left(self._stand, prefix)
        while place < self._sorted and self._stand[place] == prefix:
            if self._keys[place].tobytes() == key:
                rank, journal, offset, row = self._places[place].tolist()
                yield rank, Entry(journal, offset, row)
            place += 1

    def batches(self, order: Sequence[int]) -> Iterator[Entries]:
        """Yield all entries in the order of their keys, those of a key as they answer: what an index file holds.

        `order` says where each number stands among the others; -1: left out.
        """
        import numpy as np

        self.settle()
        self._have_arrays()
        stand = np.array([*order, -1], np.int64)
        done = 0
        for batch, end in self._file_batches():
            upto = int(np.searchsorted(self._prefixes, end, "left")[0]) if end is not None else self._sorted
            yield from self._merged(batch, slice(done, max(done, upto)), stand)
            done = max(done, upto)

    def prefixes(self) -> bytes:
        """Give the first 8 bytes of every key as integers, sorted, in the machine's form."""
        import numpy as np

        self.settle()
        try:
            found = [prefixes_of(block.keys) for block in (self._file.blocks() if self._file is not None else ())]
        except BadIndex:
            self.leave_file_out()
            found = []
        found += [self._prefixes] if self._sorted else []
        return np.sort(np.concatenate(found)).astype(np.uint64).tobytes() if found else b""

    def _have_arrays(self) -> None:
        if not self._sorted:
            import numpy as np

            self._prefixes, self._keys = np.empty(0, np.uint64), np.empty((0, KEY_SIZE), np.uint8)
            self._places = np.empty((0, 4), np.int64)

    def _file_batches(self) -> Iterator[tuple[Entries | None, NDArray[np.uint64] | None]]:
        """Yield what the file holds, and the prefix below which that is all of it; None: there is no more."""
        import numpy as np

        held: Entries | None = None  # those of the last prefix: there may be more in the next block
        for block in self._file.blocks() if self._file is not None else ():
            whole = block if held is None else held.joined(block)
            prefixes = prefixes_of(whole.keys)
            cut = int(np.searchsorted(prefixes, prefixes[-1], "left"))
            yield whole.part(slice(0, cut)), prefixes[-1:]
            held = whole.part(slice(cut, None))
        yield held, None

    def _merged(self, block: Entries | None, own: slice, stand: NDArray[np.int64]) -> Iterator[Entries]:
        """Sort entries of the file and own ones together, without those that do not count."""
        import numpy as np

        rank, number, offset, row = self._places[own].T
        keys, refresh = self._keys[own], rank < 0
        if block is not None:
            keys = np.concatenate([block.keys, keys])
            number = np.concatenate([self._numbers_of(block.sources), number])
            offset = np.concatenate([block.offsets.astype(np.int64), offset])
            row = np.concatenate([block.rows.astype(np.int64), row])
            refresh = np.concatenate([(block.sources & REFRESH) > 0, refresh])
        rank = (stand[number] * _OFFSETS + offset + 1) * np.where(refresh, -1, 1)
        order = np.lexsort((row, rank, prefixes_of(keys)))
        order = order[stand[number[order]] >= 0]
        if len(order):
            sources = (number[order] + np.where(refresh[order], REFRESH, 0)).astype(np.uint32)
            yield Entries(
                keys=keys[order], offsets=offset[order].astype(np.uint64), rows=row[order].astype(np.uint32),
                sources=sources,
            )  # fmt: skip

    def _numbers_of(self, sources: NDArray[np.uint32]) -> NDArray[np.int64]:
        import numpy as np

        numbers: NDArray[np.int64] = self._numbers[np.minimum(sources & (REFRESH - 1), len(self._numbers) - 1)]
        return numbers

    def _ranked_in_file(self, file: IndexFile, key: bytes) -> list[tuple[int, Entry]]:
        try:
            found = list(file.entries_of(key))
        except BadIndex:
            self.leave_file_out()
            return []
        last = len(self._numbers) - 1
        rows = [(int(self._numbers[min(s & (REFRESH - 1), last)]), o, row, bool(s & REFRESH)) for s, o, row in found]
        return [(_rank(n, o, refresh=fresh), Entry(n, o, row)) for n, o, row, fresh in rows if n >= 0]

    def _search_file(self, asked: NDArray[np.uint8], prefixes: NDArray[np.uint64], found: list[Entry | None]) -> None:
        if self._file is None:
            return
        import numpy as np

        try:
            places = self._file.find(asked, prefixes)
        except BadIndex:
            self.leave_file_out()
            return
        hits = np.flatnonzero(places >= 0)
        entries = self._file.at(places[hits])
        numbers = self._numbers_of(entries.sources)
        columns = zip(numbers.tolist(), entries.offsets.tolist(), entries.rows.tolist(), strict=True)
        for place, entry in zip(hits.tolist(), map(Entry._make, columns), strict=True):
            found[place] = entry
        for place in hits[numbers < 0].tolist():  # the first one does not count: perhaps another does
            found[place] = next(self.entries(asked[place].tobytes()), None)

    def leave_file_out(self) -> None:
        """Search the persisted index no more: it is damaged."""
        self._file = None
        self._on_bad()
        self.settle()

    def _search(self, asked: NDArray[np.uint8], prefixes: NDArray[np.uint64], found: list[Entry | None]) -> None:
        if not self._sorted:
            return
        import numpy as np

        at = np.searchsorted(self._prefixes, prefixes)
        at[at == len(self._prefixes)] = 0
        same = (self._keys[at] == asked).all(axis=1)
        hits = np.flatnonzero(same)
        entries = map(Entry._make, self._places[at[hits], 1:].tolist())
        twice: list[int] = []
        for place, entry in zip(hits.tolist(), entries, strict=True):
            if found[place] is not None:
                twice.append(place)
            found[place] = entry
        # The first 8 bytes agree and the others do not: once in 2**64 by chance, so look one by one.
        clashes = np.flatnonzero((self._prefixes[at] == prefixes) & ~same).tolist()
        for place in (*twice, *clashes):
            found[place] = next(self.entries(asked[place].tobytes()), None)


def _rank(journal: int, offset: int, *, refresh: bool) -> int:
    """Give where a record stands among those of its key."""
    rank = journal * _OFFSETS + offset + 1
    return -rank if refresh else rank
