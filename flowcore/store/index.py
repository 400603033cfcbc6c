"""From a key to the place of its records, in memory.

Owns three arrays sorted by key: 72 bytes an entry. Promises nothing about the values:
an entry says where a record was, and whoever uses it reads the frame and checks it, so
the index can be rebuilt from the journals at any time and never is the only holder of
anything (contract J9). The arrays are what a persisted, mapped form would hold.

Of several records for a key the first by run id comes first; one made under `refresh=`
comes before all older ones (J10, K26).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from flowcore.store.trace import KEY_SIZE, NO_KEY

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MERGE_FROM: Final = 1 << 16  # entries added one by one before they are sorted in


class Entry(NamedTuple):
    """Where a cell's record is."""

    journal: int  # as numbered by whoever added it
    offset: int  # of the frame
    row: int  # counted over all traces of the frame


class Index:
    """Entries of any number of journals. One thread.

    Keys are searched by their first 8 bytes, as native integers, which sort and compare
    in one instruction; an entry counts only if all 32 bytes agree.
    """

    def __init__(self) -> None:
        import numpy as np

        self._prefixes: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._keys: NDArray[np.uint8] = np.empty((0, KEY_SIZE), np.uint8)
        self._places: NDArray[np.int64] = np.empty((0, 4), np.int64)  # rank, journal, offset, row
        self._joined = bytearray()  # keys added since the last sorting
        self._blocks = array("q")  # for each call: number of keys, rank, journal, offset, first row
        self._starts = array("q")  # for each call: how many keys were added before
        self._recent: dict[bytes, int] = {}  # key to its first place in `_joined`
        self._repeated: dict[bytes, list[int]] = {}  # and to its other ones
        self._rank = 0

    def __len__(self) -> int:
        return len(self._prefixes) + self._added

    @property
    def _added(self) -> int:
        return len(self._joined) // KEY_SIZE

    def load(self, journal: int, offset: int, keys: bytes, *, first_row: int = 0, refresh: bool = False) -> None:
        """Take the joined keys of a trace; they are found after :meth:`settle`."""
        self._rank += 1
        rank = -self._rank if refresh else self._rank
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
        if self._added >= max(_MERGE_FROM, len(self._prefixes) // 2):
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
        keys = np.concatenate([self._keys, added[keyed]])
        places = np.concatenate([self._places, places[keyed]])
        self._joined, self._blocks = bytearray(), array("q")
        self._recent.clear()
        self._repeated.clear()
        self._starts = array("q")
        prefixes = _prefixes_of(keys)
        order = np.lexsort((places[:, 0], prefixes))
        self._prefixes, self._keys, self._places = prefixes[order], keys[order], places[order]

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
        found = self._search(keys)
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
        import numpy as np

        prefix = _prefixes_of(np.frombuffer(key, np.uint8).reshape(1, KEY_SIZE))[0]
        places = [self._recent[key], *self._repeated.get(key, ())] if key in self._recent else []
        ranked = [self._recent_entry(place) for place in places]
        start, end = np.searchsorted(self._prefixes, prefix, "left"), np.searchsorted(self._prefixes, prefix, "right")
        for place in range(int(start), int(end)):
            if self._keys[place].tobytes() == key:
                rank, journal, offset, row = self._places[place].tolist()
                ranked.append((rank, Entry(journal, offset, row)))
        for _, entry in sorted(ranked):
            yield entry

    def _search(self, keys: Sequence[bytes]) -> list[Entry | None]:
        found: list[Entry | None] = [None] * len(keys)
        if not len(self._prefixes) or not keys:
            return found
        import numpy as np

        asked = np.frombuffer(b"".join([key or NO_KEY for key in keys]), np.uint8).reshape(-1, KEY_SIZE)
        prefixes = _prefixes_of(asked)
        at = np.searchsorted(self._prefixes, prefixes)
        at[at == len(self._prefixes)] = 0
        same = (self._keys[at] == asked).all(axis=1)
        hits = np.flatnonzero(same)
        entries = map(Entry._make, self._places[at[hits], 1:].tolist())
        for place, entry in zip(hits.tolist(), entries, strict=True):
            found[place] = entry
        # The first 8 bytes agree and the others do not: once in 2**64 by chance, so look one by one.
        for place in np.flatnonzero((self._prefixes[at] == prefixes) & ~same).tolist():
            found[place] = next(self.entries(bytes(asked[place])), None)
        return found


def _prefixes_of(keys: NDArray[np.uint8]) -> NDArray[np.uint64]:
    import numpy as np

    return np.ascontiguousarray(keys[:, :8]).view(">u8").ravel().astype(np.uint64)
