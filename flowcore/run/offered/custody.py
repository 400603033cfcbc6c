"""Arguments on their way: pickled when a call is made, their large arrays in shared memory until it has ended.

Owns the count of calls that need each array: a field that a thousand calls are given lies
there once. Promises that an array is there as long as a call that has not ended refers to
it, and is gone soon after. Never keeps a reference to what it packed, so whoever made a call
may change or drop its arguments at once.
"""

from __future__ import annotations

import mmap
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

from flowcore.plan.extension import SPOOLED
from flowcore.plan.records import references
from flowcore.run.job import Record, dumps, loads
from flowcore.store.codecs import Codec
from flowcore.store.spool import Spool

Held = tuple[bytes, ...]
"""Digests of the arrays that something refers to, each as often as it does."""


class Custody:
    """Packs what calls are made of, and unpacks what they give. Any thread.

    Parameters
    ----------
    spool : Spool
        Where arrays lie.
    """

    place = SPOOLED

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._codec = Codec(kept=None, passed=self)
        self._uses: Counter[bytes] = Counter()
        self._lock = threading.RLock()  # a finalizer may let go in the midst of it
        self._packing = threading.local()

    def put(self, header: bytes, data: memoryview) -> bytes:
        """Write an array for others to map, and give its digest (codecs.ArrayHome).

        1. Two calls are given equal arrays. 2. The first ends, and lets go of its own. 3. The
        second has found it there, and refers to it. So nobody lets go while somebody looks.
        """
        with self._lock:
            digest = self._spool.put(header, data)
            self._uses[digest] += 1
        self._packing.taken.append(digest)
        return digest

    def map(self, digest: bytes, header: bytes, nbytes: int) -> tuple[bytearray | mmap.mmap, int]:
        """Give an array's file as private, writable memory (codecs.ArrayHome)."""
        return self._spool.map(digest, header, nbytes)

    def pack(self, value: object, *, name: str) -> tuple[Record, Held]:
        """Give a value as it is now.

        Raises
        ------
        NotPicklable
            Naming the leaf, as a path that starts with `name`.
        StoreUnavailable
            If there is no room for its arrays, and they are too large for a message.
        """
        return self._noting(partial(self._codec.pass_on, value, name=name))

    def pack_function(self, function: object) -> tuple[Record, Held]:
        """Give a function as the path of an import, or else by value; raises as :meth:`pack` does."""
        return self._noting(lambda: dumps(self._codec.pack_function(function)))

    def unpack(self, record: Record) -> object:
        """Give the value that a worker packed, and remove its files: it is read once."""
        try:
            return self._codec.decode(record)
        finally:
            for digest, _, _ in references(record):
                self._spool.remove(digest)

    def hold(self, held: Held) -> Held:
        """Have arrays stay for one more."""
        if held:
            with self._lock:
                self._uses.update(held)
        return held

    def let_go(self, held: Iterable[bytes]) -> None:
        """Have arrays go that nobody else holds."""
        for digest in held:
            with self._lock:
                self._uses[digest] -= 1
                if not self._uses[digest]:
                    del self._uses[digest]
                    self._spool.remove(digest)

    def _noting(self, pack: Callable[[], Record]) -> tuple[Record, Held]:
        """Note which arrays are put while something is packed; let go of them if that fails."""
        packing = self._packing
        outer = getattr(packing, "taken", None)  # packing runs user code, which may make a call itself
        taken: list[bytes] = []
        packing.taken = taken
        try:
            return pack(), tuple(taken)
        except BaseException:
            self.let_go(taken)
            raise
        finally:
            packing.taken = outer


def goes_by_path(record: Record) -> bool:
    """Tell whether a packed function is but the path of an import."""
    return isinstance(loads(record)[0], list)
