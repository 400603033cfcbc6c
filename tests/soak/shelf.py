"""What the shared store holds, read from its raw files, and what was done to them behind its back.

Reading goes on where it ended: a journal that has grown is read from there, one that is
another file than before from its beginning. Keys that were hurt, and arrays whose content
was changed, are remembered here, so that what is computed anew because of it is known to
be right.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from flowcore.plan.records import references
from flowcore.store.history import CellSkipped, Follower
from flowcore.store.trace import Trace

Needs = frozenset[tuple[bytes, int]]  # digest and size of each array or file


@dataclass
class _Read:
    inode: int
    follower: Follower
    size: int = 0
    records: dict[bytes, set[Needs]] = field(default_factory=dict)


class Shelf:
    """The store, from outside.

    Parameters
    ----------
    store : Path
        Its root.
    """

    def __init__(self, store: Path) -> None:
        self.store = store
        self.hurt: list[frozenset[bytes]] = []  # keys, by blow; its length is a moment
        self._read: dict[str, _Read] = {}
        self._changed: dict[bytes, int] = {}  # digest of a file whose content was changed -> its inode since

    def blobs(self) -> list[Path]:
        """Give the files of arrays and of results that are files."""
        return [path for kind in ("arrays", "files") for path in sorted((self.store / "v1" / kind).glob("*/*"))]

    def journals(self) -> list[Path]:
        """Give the journals, and what was packed of older ones."""
        return [path for kind in ("journal", "pack") for path in sorted((self.store / "v1/journals").glob(f"*.{kind}"))]

    def usable(self) -> set[bytes]:
        """Give the keys with a record whose arrays are all there, as far as sizes tell, and were not changed."""
        there = set()
        for path in self.blobs():
            try:
                told = path.stat()
            except OSError:
                continue
            digest = bytes.fromhex(path.name[:64])
            if self._changed.get(digest) != told.st_ino:
                there.add((digest, told.st_size))
        return {key for key, records in self._kept().items() if any(needs <= there for needs in records)}

    def suspects(self) -> bool:
        """Tell whether some file may still have another content than its name says."""
        return any(self._changed.get(bytes.fromhex(path.name[:64])) == path.stat().st_ino for path in self.blobs())

    def changed(self, path: Path) -> None:
        """Note that a file has another content than its name says."""
        self._changed[bytes.fromhex(path.name[:64])] = path.stat().st_ino

    def blow(self, path: Path) -> None:
        """Note that something is about to happen to a file: what depends on it may be computed anew."""
        if path.suffix in (".journal", ".pack"):
            self._kept()
            read = self._read.pop(str(path), None)  # it is read anew: a changed bit shows neither in inode nor in size
            self.hurt.append(frozenset(read.records) if read else frozenset())
            return
        digest = bytes.fromhex(path.name[:64])
        keys = [k for k, records in self._kept().items() if any(digest in dict(needs) for needs in records)]
        self.hurt.append(frozenset(keys))

    def hurt_since(self, moment: int) -> set[bytes]:
        """Give the keys that were hurt since there were so many blows."""
        return set().union(*self.hurt[moment:])

    def _kept(self) -> dict[bytes, set[Needs]]:
        """Give for each key what each of its records needs."""
        paths = [str(path) for path in self.journals()]
        for path in self._read.keys() - set(paths):
            del self._read[path]
        found: dict[bytes, set[Needs]] = {}
        for path in paths:
            for key, records in self._records(path).items():
                found.setdefault(key, set()).update(records)
        return found

    def _records(self, path: str) -> dict[bytes, set[Needs]]:
        try:
            told = os.stat(path)
        except OSError:
            return {}
        read = self._read.get(path)
        if read is None or read.inode != told.st_ino or told.st_size < read.size:
            read = self._read[path] = _Read(told.st_ino, Follower(path))
        if told.st_size > read.size:
            read.size = told.st_size
            for said in read.follower.more():
                _note(said, read.records)
        return read.records


def _note(said: object, records: dict[bytes, set[Needs]]) -> None:
    if isinstance(said, Trace):
        for key, record in zip(said.keys, said.records, strict=True):
            if key:
                needs = frozenset((digest[:32], size) for digest, size, _ in references(record))
                records.setdefault(key, set()).add(needs)
    if isinstance(said, CellSkipped) and said.key and not said.answered:
        records.setdefault(said.key, set()).add(frozenset())
