"""What somebody has who looks at a run later: its values, and what answers a key.

Owns the reading of kept values outside of a run. Nothing here is written, no class is
imported, and no pickle is looked into unless the store was opened with leave to
(contract S1, S2); then only as the value of the key that it was kept under (S3). What a
run merely passed on is never read, whatever a journal says.
"""

from __future__ import annotations

from typing import Any

from flowcore.dataclass import dataclass
from flowcore.plan.encode import BadRecord, ValueGone, decode
from flowcore.plan.files import Filed
from flowcore.plan.pickled import is_pickled, is_sealed
from flowcore.store.blobs import Blobs
from flowcore.store.cache import Cache
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.codecs import unpickle


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Values and answers of a store as they were before a run."""

    blobs: Blobs
    cache: Cache
    checkpoints: Checkpoints

    def decode(self, record: bytes, key: bytes = b"") -> object:
        """Give the value in the record of a cell, kept under `key`.

        Raises
        ------
        ValueGone
            If an array or file of it is no longer there.
        BadRecord
            If it is no record, or a pickle of another key; PickleRefused for one that must not be read.
        """
        pickles = self.cache.pickles
        if pickles and is_pickled(record) and not is_sealed(record, key):
            raise BadRecord("a pickle that was kept under another key")
        return decode(record, fetch=self.fetch, locate=self._locate, unpickle=unpickle if pickles else None)

    def fetch(self, digest: bytes, header: bytes, nbytes: int, place: int) -> tuple[Any, int]:
        """Map a kept array; ValueGone for any other."""
        if place != self.blobs.place:
            raise ValueGone(digest)
        return self.blobs.map(digest, header, nbytes)

    def _locate(self, filed: Filed) -> str:
        return self.blobs.locate(filed.name, filed.size)
