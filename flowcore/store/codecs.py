"""Values on their way: kept as records, or passed on as pickles; functions likewise.

Owns the binding of records to the places where arrays lie. What has a
canonical encoding is kept without a pickle (S1). What has none can still be *passed on*
to a consumer of the same run: a pickle of protocol 5 in extension 100, its large
buffers out of band as arrays, so that they are mapped on arrival and never copied
through a pipe. Promises that what cannot travel is named to its leaf (F9). Never
unpickles unless it is told to decode a record that carries a pickle.
"""

from __future__ import annotations

import contextlib
import importlib
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias

from flowcore.errors import NotPicklable, StoreUnavailable
from flowcore.plan import kinds
from flowcore.plan.arrays import ArrayFacts
from flowcore.plan.classes import ValueCodec, register_classes
from flowcore.plan.code import class_identity, identify_value
from flowcore.plan.encode import Encoded, decode, encode, files_in
from flowcore.plan.extension import (
    ARRAY,
    ARRAY_INLINE,
    INLINE_LIMIT,
    PASSED,
    Buffer,
    NoEncoding,
    ValueGone,
    extension,
    pack,
)
from flowcore.plan.files import Filed, Look
from flowcore.plan.functions import bare_function
from flowcore.plan.importing import importable
from flowcore.plan.pickled import pickled
from flowcore.store.files import Files
from flowcore.store.pickling import dump
from flowcore.store.recent import Recent

Record: TypeAlias = bytes

CARRIED_LIMIT: Final = 64 << 20
"""Bytes of a value that its message carries where there is no room for it in any file (contract F19)."""


class ArrayHome(Protocol):
    """Where arrays are put and mapped: the store's blobs, or the spool."""

    place: int

    def put(self, header: bytes, data: memoryview) -> bytes:
        """Keep an array; give the digest of its npy file."""
        ...

    def map(self, digest: bytes, header: bytes, nbytes: int) -> tuple[Buffer, int]:
        """Give a writable private buffer of the file, and where the data start in it."""
        ...


def register_codec(
    kind: type, *, name: str, version: str, to: Callable[[Any], object], back: Callable[[Any], Any]
) -> None:
    """Say how values of a type that flowcore does not know are kept.

    Parameters
    ----------
    kind : type
        The exact type; subclasses need codecs of their own.
    name, version : str
        Enter the identity of every such value. A value written under another version is
        not read.
    to : callable
        Takes a value apart, into anything that has an encoding.
    back : callable
        Puts such parts together again.

    Examples
    --------
    >>> class Grid:
    ...     def __init__(self, n):
    ...         self.n = n
    >>> register_codec(Grid, name="example.grid", version="1", to=lambda grid: grid.n, back=Grid)
    """
    kinds.register(kind, name=name, version=version, to=to, back=back)


class Codec:
    """Encodes and decodes values, with their arrays in the store or in the spool.

    `kept` is None where the store cannot be written; then everything goes to `passed`.
    With `pickles`, values without encoding are kept as pickles, and kept pickles are read
    (contract S2): who asks for that trusts whoever can write to the store. May be used from
    several threads, but for one with a `recent`, from which arrays are handed on.
    """

    def __init__(
        self, *, kept: ArrayHome | None, passed: ArrayHome, files: Files | None = None, pickles: bool = False,
        recent: Recent | None = None,
    ) -> None:  # fmt: skip
        self.kept = kept
        self.passed = passed
        self.pickles = pickles
        self.recent = recent
        self.files = files if files is not None else Files()
        homes: tuple[ArrayHome | None, ...] = (self.files.blobs, passed, kept)  # what cannot be written can be read
        self._homes = {home.place: home for home in homes if home is not None}

    def encode(self, value: object, *, keep: bool) -> Encoded:
        """Give record, component and user classes of `value`.

        Its arrays go to the store if it is to be kept, else to the spool; to the spool as
        well when the store fails (P8); into the record itself when the spool is full. Its files
        are copied into the store, else they stay where they are.

        Raises
        ------
        NoEncoding
            If a part of it has no canonical encoding.
        MissingFile
            If a file in it cannot be read.
        StoreUnavailable
            If there is no room for it anywhere, and it is too large for a message.
        """
        if keep and self.kept is not None:
            with contextlib.suppress(StoreUnavailable):
                return self._encode(value, self.kept, self.files.take)
        try:
            return self._encode(value, self.passed, self.files.look)
        except StoreUnavailable as full:
            return self._carried(value, full)

    def _carried(self, value: object, full: StoreUnavailable) -> Encoded:
        """Encode a value with all that is in it, for want of room anywhere else."""

        def put(header: bytes, data: memoryview) -> bytes:
            raise too_large(full, len(header) + data.nbytes) from full

        return encode(value, put=put, class_identity=class_identity, look=self.files.look, inline=CARRIED_LIMIT)

    def _encode(self, value: object, home: ArrayHome, look: Look) -> Encoded:
        recent = self.recent
        if recent is None:
            return encode(value, put=home.put, place=home.place, class_identity=class_identity, look=look)

        def put(header: bytes, data: memoryview) -> bytes:
            digest = home.put(header, data)
            recent.note(digest, header, data)
            return digest

        untouched = False
        try:
            encoded = encode(value, put=put, place=home.place, class_identity=class_identity, look=look)
            untouched = not encoded.classes
            return encoded
        finally:
            if not untouched:  # code of others may have run after an array was written
                recent.drop()

    def argument(self, value: object, *, name: str) -> Encoded:
        """Give record and identity of an argument; functions in it go by code identity (K19).

        An argument with functions is passed on, but has a component nevertheless.

        Raises
        ------
        NoEncoding
            If a part of it has no canonical encoding, and is no function.
        NotPicklable
            If it has an identity but cannot travel.
        """
        try:
            return self.encode(value, keep=False)
        except NoEncoding:
            identified = identify_value(value)
        return identified._replace(record=self.pass_on(value, name=name))

    def decode(self, record: Record) -> object:
        """Give the value in `record` as a fresh object; reads passed-on values too.

        Raises
        ------
        ValueGone
            If an array is no longer there.
        BadRecord
            If it is no record.
        """
        return decode(
            record, fetch=self.fetch, passed=_load_parts, locate=self.files.locate,
            unpickle=unpickle if self.pickles else None,
        )  # fmt: skip

    def files_in(self, record: Record) -> list[Filed]:
        """Give the files in `record`, in no order."""
        return files_in(record, fetch=self.fetch)

    def fetch(self, digest: bytes, header: bytes, nbytes: int, place: int) -> tuple[Buffer, int]:
        """Map an array from the home that its record names."""
        if self.recent is not None and (own := self.recent.take(digest, header, nbytes)) is not None:
            return own, len(header)
        home = self._homes.get(place)
        if home is None:
            raise ValueGone(digest)
        return home.map(digest, header, nbytes)

    def pickle(self, value: object, *, name: str) -> Record:
        """Give a record that keeps `value` as a pickle; its bytes are an array like any other (contract S2).

        Raises
        ------
        NotPicklable
            Naming the leaf, as a path that starts with `name`.
        """
        payload = dump(value, name, within=True)[0]
        with contextlib.suppress(StoreUnavailable):
            return pickled(payload, _placed(memoryview(payload), self.kept or self.passed))
        return pickled(payload, self._handed(memoryview(payload)))

    def pass_on(self, value: object, *, name: str) -> Record:
        """Give a record that carries `value` as a pickle, for consumers of this run.

        Raises
        ------
        NotPicklable
            Naming the leaf, as a path that starts with `name`.
        """
        payload, buffers = dump(value, name)
        parts: list[object] = [self._place(memoryview(payload)), [self._place(b) for b in buffers]]
        return pack(extension(PASSED, parts))

    def pack_function(self, function: Any) -> tuple[tuple[str, ...] | bytes, tuple[Record, ...]]:
        """Give a function as a path to import, or as a pickle and its out-of-band buffers.

        A path is given only if what is found there is this very function, or a task made
        of it; `__main__`, lambdas, closures and local functions go by value.
        """
        bare = bare_function(function)
        path = import_path(bare)
        if path is not None:
            return path, ()
        payload, buffers = dump(bare, getattr(bare, "__qualname__", type(bare).__qualname__))
        return payload, tuple(pack(self._place(buffer)) for buffer in buffers)

    def load_function(self, function: tuple[str, ...] | bytes, buffers: tuple[Record, ...]) -> Callable[..., object]:
        """Give the function that :meth:`pack_function` packed; a task gives its function."""
        if isinstance(function, bytes):
            loaded: Any = pickle.loads(function, buffers=[self.decode(b) for b in buffers])  # noqa: S301 - our engine's
        else:
            _, module, qualname = function
            loaded = _at(importlib.import_module(module), qualname)
        return bare_function(loaded)  # type: ignore[no-any-return]

    def pack_classes(self, classes: dict[str, type], codecs: Sequence[ValueCodec] = ()) -> bytes:
        """Give classes and registered codecs for :meth:`load_classes`: importable by path, of ``__main__`` by value.

        A codec that cannot travel is left out; its values are then refused over there.
        """
        return dump((classes, self.travelling(codecs)), "classes")[0]

    def travelling(self, codecs: Sequence[ValueCodec]) -> list[bytes]:
        """Give the codecs that can reach another process, pickled."""
        packed: list[bytes] = []
        for codec in codecs:
            with contextlib.suppress(NotPicklable):
                packed.append(dump(codec, "codec")[0])
        return packed

    def load_classes(self, packed: bytes) -> None:
        """Make classes and codecs known in this process, so that records with their values are read as such."""
        classes, codecs = pickle.loads(packed)  # noqa: S301 - made by our engine
        register_classes(classes)
        for one in codecs:
            with contextlib.suppress(ImportError, AttributeError):  # of a module that is not to be had here
                kinds.register_codec(pickle.loads(one))  # noqa: S301 - as above

    def _place(self, buffer: memoryview) -> object:
        """Give small bytes as they are, large ones as an array in the spool."""
        return bytes(buffer) if buffer.nbytes < INLINE_LIMIT else self._handed(buffer)

    def _handed(self, buffer: memoryview) -> object:
        """Give bytes as an array in the spool; in the record, if that is full."""
        try:
            return _placed(buffer, self.passed)
        except StoreUnavailable as full:
            if buffer.nbytes > CARRIED_LIMIT:
                raise too_large(full, buffer.nbytes) from full
            return _inline(buffer)


def too_large(full: StoreUnavailable, size: int) -> StoreUnavailable:
    """Give the error of what finds no room in any file, and is not for a message either."""
    return StoreUnavailable(
        store=full.store, reason=f"{full.reason}; {size} bytes are too many for a message",
        did=f"Values of up to {CARRIED_LIMIT >> 20} MiB go by message where there is no room; this one cannot.",
        remedy="Make room in the store, in shared memory or among temporary files (TMPDIR); then run again.",
    )  # fmt: skip


def _inline(buffer: memoryview) -> object:
    return extension(ARRAY_INLINE, [bytes(buffer), "|u1", False, [buffer.nbytes]])


def _placed(buffer: memoryview, home: ArrayHome) -> object:
    """Give bytes as an array: in the record if they are few, else in `home`."""
    facts = ArrayFacts(descr="|u1", shape=(buffer.nbytes,))
    if buffer.nbytes < INLINE_LIMIT:
        return _inline(buffer)
    header = facts.header()
    digest = home.put(header, buffer)
    size = len(header) + buffer.nbytes
    return extension(ARRAY, [digest, home.place, size, "|u1", False, [buffer.nbytes]])


def unpickle(payload: memoryview) -> object:
    """Give the value of a kept pickle; only for readers who were told that they may."""
    return pickle.loads(payload)  # noqa: S301 - the user opened this store with allow_pickle=True


def _load_parts(parts: list[Any]) -> object:
    payload, buffers = parts
    return pickle.loads(payload, buffers=buffers)  # noqa: S301 - a value of this run, from a worker of this run


def import_path(function: Any) -> tuple[str, str, str] | None:
    """Give where a function can be imported from, if what is there is this function (or a task of it)."""
    module, qualname = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not isinstance(module, str) or module == "__main__" or "<" in qualname:
        return None
    try:
        found = _at(sys.modules[module], qualname)
    except (KeyError, AttributeError):
        return None
    if bare_function(found) is not function or not importable(module):
        return None
    return "path", module, qualname


def _at(place: Any, qualname: str) -> Any:
    for part in qualname.split("."):
        place = getattr(place, part)
    return place
