"""The saved states of one cell: at least two generations, the pointer last.

Owns `checkpoints/<key>/`. A generation is a manifest, ``<n>.state``, and the arrays it
names, ``<digest>.npy``. A save puts the arrays there by the protocol of blobs, each on
the medium before it has its name; then the directory; then the manifest, likewise; so
that at every instant, power lost or not, the newest manifest that verifies is a whole
state, or the one before it is (contract C2, F18, F34)::

    arrays: draft, fsync, link -> fsync of the directory -> manifest: draft, fsync, link -> fsync of the directory
    -> manifests below the two newest -> arrays that no manifest names

Promises that an array which is there is not written again, and that what does not verify
is put aside and told once (C4). Two runs on one key cost each other a generation at most:
a number that is taken means the next one (C7). Never decides when to save, or which state
to go on from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from flowcore.dataclass import dataclass
from flowcore.errors import DamagedEntry, StoreUnavailable
from flowcore.plan.encode import BadRecord, ValueGone, decode, encode
from flowcore.store.arrayfile import (
    Unfit,
    digest_of,
    digest_of_file,
    drop,
    pieces_of,
    publish,
    read_file,
    size_of,
    write_draft,
)
from flowcore.store.fs import Disk
from flowcore.store.layout import Layout, exists, make_directory, sync_directory
from flowcore.store.manifest import Manifest, SeriesMark, pack_manifest, read_manifest
from flowcore.store.series import BadSeries, Series, read_committed, series_file
from flowcore.store.trouble import Trouble

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLACE: Final = 2  # of an array beside the manifest that names it, in records
_MANIFEST: Final = re.compile(r"([0-9]{1,18})\.state")
_ARRAY: Final = re.compile(r"([0-9a-f]{64})\.npy")
_OURS: Final = re.compile(r"[0-9]{1,18}\.state|[0-9a-f]{64}\.(npy|series)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where states are kept, and who asks.

    Attributes
    ----------
    layout : Layout
        The store's names.
    run_id : str
        Whose part of `tmp/` is written in.
    disk : Disk
    trouble : Trouble
        Told of failed writes, asked before each; its `tell` is given the warnings.
    mapped : bool
        False on a network filesystem, where the memory of a map may fail under its reader.
    """

    layout: Layout
    run_id: str
    disk: Disk
    trouble: Trouble
    mapped: bool = True


class Generations:
    """The states of one cell. One thread.

    Attributes
    ----------
    key : bytes
        Of the checkpoint: of the cell, without what only lengthens the simulation.
    """

    def __init__(self, home: Home, key: bytes) -> None:
        self.key = key
        self._home = home
        self._disk = home.disk
        self._directory = home.layout.checkpoint(key)
        self._workplace = home.layout.workplace(home.run_id)
        self._sound: set[bytes] = set()  # arrays that this process wrote or verified
        self._known: dict[int, Manifest] = {}  # manifests that this process wrote or read
        self._trusted: set[int] = set()  # those of them whose arrays were written or read as well
        self._made = False

    # ---- reading ---------------------------------------------------------------------

    def found(self) -> Iterator[tuple[int, Manifest]]:
        """Yield the manifests that verify, newest first; one that does not is put aside."""
        for number in sorted(self._numbers(), reverse=True):
            manifest = self._manifest(number)
            if manifest is not None:
                yield number, manifest

    def values(self, number: int, manifest: Manifest) -> dict[str, object] | None:
        """Give the values of a state, each array verified; None, with a warning, if one is not what it was."""
        fetched: list[bytes] = []

        def fetch(digest: bytes, header: bytes, nbytes: int, place: int) -> tuple[bytearray, int]:
            if place != PLACE:
                raise BadRecord("an array of another place")
            fetched.append(digest)
            return self._fetch(digest, header, nbytes)

        try:
            values = {name: decode(record, fetch=fetch) for name, record in manifest.records.items()}
        except (ValueGone, BadRecord):
            self._put_aside(number, f"array {fetched[-1].hex()[:12]} of it" if fetched else "a value of it")
            return None
        self._trusted.add(number)
        return values

    def decode(self, record: bytes) -> object:
        """Give a small value of a manifest, such as where its generator stood."""
        return decode(record, fetch=lambda digest, header, nbytes, place: self._fetch(digest, header, nbytes))

    def series(
        self, name: str, *, descr: str = "", shape: tuple[int, ...] = (), mark: SeriesMark | None = None
    ) -> Series:
        """Open a series to grow, from its watermark on or from the start; BadSeries if the file does not hold that."""
        if not self._made:
            self._make()
        if mark is not None:
            descr, shape = mark.descr, mark.shape
        path = f"{self._directory}/{series_file(name)}"
        return Series(path, descr=descr, shape=shape, disk=self._disk, mark=mark, make=self._make_anew)

    def peek(self, name: str) -> NDArray[Any] | None:
        """Give what is committed of a series, while somebody may be writing it; None if there is nothing yet."""
        for _, manifest in self.found():
            mark = manifest.series.get(name)
            if mark is not None:
                path = f"{self._directory}/{series_file(name)}"
                try:
                    return read_committed(self._disk, path, mark, mapped=self._home.mapped)
                except (OSError, BadSeries):
                    continue
        return None

    def distrust(self, number: int, check: str) -> None:
        """Put a state aside whose values verify, and whose series do not."""
        self._put_aside(number, check)

    # ---- writing ---------------------------------------------------------------------

    def encode(self, values: Mapping[str, object]) -> dict[str, bytes]:
        """Give the records of values, with their arrays on the medium beside the manifests.

        Raises
        ------
        NoEncoding
            If a value cannot be kept.
        StoreUnavailable
            If an array could not be written; nothing half-written is left.
        """
        return {name: encode(value, put=self._put, place=PLACE).record for name, value in values.items()}

    def save(self, manifest: Manifest) -> int:
        """Make a state durable, under the next number that is free; give the number (C2, C3, C7).

        Raises
        ------
        StoreUnavailable
            If that failed: the states there were are still there.
        """
        try:
            self._make()
            sync_directory(self._disk, self._directory)  # the arrays' names, before a manifest says them
            number = self._publish(manifest)
            sync_directory(self._disk, self._directory)
        except OSError as error:
            raise self.failed(error) from error
        self._known[number] = manifest
        self._trusted.add(number)
        self._prune()
        return number

    def remove(self) -> None:
        """Remove everything, the newest manifest last, so that what is left after a kill is still a state."""
        names = self._names()
        for number in sorted(_numbers(names)):
            drop(self._disk, f"{self._directory}/{number}.state")
        for name in filter(_OURS.fullmatch, names):
            if not _MANIFEST.fullmatch(name):
                drop(self._disk, f"{self._directory}/{name}")
        self._known.clear()
        self._trusted.clear()
        self._sound.clear()
        self._made = False
        try:
            self._disk.rmdir(self._directory)
        except OSError:
            return

    def failed(self, error: OSError, *, needed: int = 0) -> StoreUnavailable:
        """Take note of a write that failed; told once a run. Gives the error that says so."""
        self._made = False  # somebody may have removed the store during the run (F38)
        return error if isinstance(error, StoreUnavailable) else self._home.trouble.met(error, needed=needed)

    # ---- inside ----------------------------------------------------------------------

    def _put(self, header: bytes, data: memoryview) -> bytes:
        pieces = pieces_of(header, data)
        digest = digest_of(pieces)
        size = sum(map(len, pieces))
        if self._there(digest, size):
            return digest
        if refusal := self._home.trouble.refusal():
            raise refusal
        try:
            self._make()
            draft = f"{self._workplace}/{self._disk.token()}"
            digest = write_draft(self._disk, draft, pieces, durable=True)  # of the very bytes that were written
            try:
                self._name(draft, digest, size)
            finally:
                drop(self._disk, draft)
        except OSError as error:
            raise self.failed(error, needed=size) from error
        self._sound.add(digest)
        return digest

    def _there(self, digest: bytes, size: int) -> bool:
        """Tell whether an array is there and is what its name says; one that we did not write is read once."""
        path = self._array(digest)
        if size_of(self._disk, path) != size:
            return False
        if digest not in self._sound and digest_of_file(self._disk, path) != digest:
            return False
        self._sound.add(digest)
        return True

    def _name(self, draft: str, digest: bytes, size: int) -> None:
        final = self._array(digest)
        if publish(self._disk, draft, final):
            return
        if size_of(self._disk, final) == size and digest_of_file(self._disk, final) == digest:
            return  # another run was first
        self._quarantine(final)
        publish(self._disk, draft, final)

    def _publish(self, manifest: Manifest) -> int:
        number = max(self._numbers(), default=-1) + 1
        while True:
            content = pack_manifest(manifest, self.key, number)
            draft = f"{self._workplace}/{self._disk.token()}"
            write_draft(self._disk, draft, [memoryview(content)], durable=True)
            try:
                if publish(self._disk, draft, f"{self._directory}/{number}.state"):
                    return number
            finally:
                drop(self._disk, draft)
            number += 1

    def _prune(self) -> None:
        """Remove manifests below the two newest that we know to be good, then arrays that none names (C3)."""
        try:
            names = self._names()
            numbers = _numbers(names)
            good = sorted(self._trusted & numbers)
            floor = (good if len(good) > 1 else sorted(numbers))[-2:][0]
            stay = {number for number in numbers if number >= floor or number in self._lasting(numbers)}
            for number in numbers - stay:
                self._disk.unlink(f"{self._directory}/{number}.state")
                self._known.pop(number, None)
                self._trusted.discard(number)
            named = {digest for number in stay for digest in self._arrays_of(number)}
            for name in names:
                match = _ARRAY.fullmatch(name)
                if match and bytes.fromhex(match[1]) not in named:
                    self._disk.unlink(f"{self._directory}/{name}")
                    self._sound.discard(bytes.fromhex(match[1]))
        except (OSError, IndexError):
            return  # what is left over costs room, and goes next time

    def _lasting(self, numbers: Iterable[int]) -> set[int]:
        """Give the marked states that stay: those to keep, and the end that is furthest."""
        marked = [(number, m) for number in numbers if (m := self._manifest(number)) is not None and m.mark]
        ends = sorted((m.place, number) for number, m in marked if m.mark == "end")
        return {number for number, m in marked if m.mark == "kept"} | {number for _, number in ends[-1:]}

    def _arrays_of(self, number: int) -> Iterable[bytes]:
        manifest = self._manifest(number)
        return manifest.arrays if manifest is not None else ()

    def _manifest(self, number: int) -> Manifest | None:
        """Give a manifest if it verifies; one that was read and does not is put aside."""
        known = self._known.get(number)
        if known is not None:
            return known
        path = f"{self._directory}/{number}.state"
        try:
            content = read_file(self._disk, path, size_of(self._disk, path), mapped=False)
        except (OSError, Unfit):
            return None  # gone since, or not to be read just now
        manifest = read_manifest(bytes(content), self.key, number)
        if manifest is None:
            self._put_aside(number, "it")
            return None
        self._known[number] = manifest
        return manifest

    def _fetch(self, digest: bytes, header: bytes, nbytes: int) -> tuple[bytearray, int]:
        path = self._array(digest)
        try:
            buffer = read_file(self._disk, path, len(header) + nbytes, mapped=False)
        except (OSError, Unfit):
            raise ValueGone(digest) from None
        assert isinstance(buffer, bytearray), "asked to read, and not to map"
        if buffer[: len(header)] != header or digest_of((memoryview(buffer),)) != digest:
            self._quarantine(path)
            raise ValueGone(digest)
        self._sound.add(digest)
        return buffer, len(header)

    def _put_aside(self, number: int, check: str) -> None:
        self._known.pop(number, None)
        self._trusted.discard(number)
        aside = self._quarantine(f"{self._directory}/{number}.state")
        self._home.trouble.tell(
            DamagedEntry(entry=f"checkpoint {self.key.hex()[:12]}/{number}.state", moved=aside,
                         check=f"{check} is not what was written")
        )  # fmt: skip

    def _quarantine(self, path: str) -> str:
        aside = f"{self._home.layout.corrupt}/{self.key.hex()}.{self._disk.token()}"
        try:
            self._disk.rename(path, aside)
        except OSError:
            return ""
        return aside

    def _make(self) -> None:
        """Make the directories that are missing, their names on the medium."""
        if self._made:
            return
        layout, disk = self._home.layout, self._disk
        if not exists(disk, layout.v1):
            layout.sign(disk, self._workplace, fresh=layout.make(disk))
        make_directory(disk, self._workplace)
        make_directory(disk, layout.checkpoints)
        make_directory(disk, self._directory)
        layout.sync(disk)
        sync_directory(disk, layout.checkpoints)
        self._made = True

    def _make_anew(self) -> None:
        self._made = False
        self._make()

    def _array(self, digest: bytes) -> str:
        return f"{self._directory}/{digest.hex()}.npy"

    def _names(self) -> list[str]:
        try:
            return self._disk.listdir(self._directory)
        except OSError:
            return []

    def _numbers(self) -> set[int]:
        return _numbers(self._names())


def _numbers(names: Iterable[str]) -> set[int]:
    return {int(match[1]) for match in map(_MANIFEST.fullmatch, names) if match}
