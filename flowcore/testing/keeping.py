"""Conformance of what keeps values: a place on a disk, and the codec of a type.

Owns two checks for other people's disks and types. Promises that whatever passes keeps
what it is given, gives it back to the bit, and never gives anything else; and that a
check removes what it made. What does not hold is an AssertionError that names it.
"""

from __future__ import annotations

import copy
import errno
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flowcore.errors import FlowcoreWarning
from flowcore.plan.classes import ValueCodec, codecs_by_kind
from flowcore.plan.encode import ValueGone
from flowcore.plan.extension import INLINE_LIMIT, NoEncoding
from flowcore.store.cache import Hit, Trace
from flowcore.store.codecs import Codec
from flowcore.store.directory import StoreRun, open_store
from flowcore.store.fs import CREATE, DISK, READ, Disk, read_all, write_all
from flowcore.testing.disks import WRITING, FaultyDisk

if TYPE_CHECKING:
    from flowcore.plan.encode import Encoded

_ARRAY: Final = 5000  # items: an array that is a file of its own
_LARGE: Final = 300_000  # items: one that is mapped
_STRANGE: Final[tuple[Any, ...]] = (None, True, 0, -1, 1.5, "", "text", b"", [], [None], {}, {"": None}, (), [[[]]])
_STRIDE: Final = 7  # of so many calls, one is tried


def check_store(folder: str | Path, *, disk: Disk = DISK) -> None:
    """Hold a place on a disk to what a store needs: exact values, names that stay, damage that is found.

    Parameters
    ----------
    folder : str or Path
        A directory on the filesystem in question, such as a network disk; the check makes
        one of its own in it, and removes it.
    disk : Disk
        How files are reached, where that is in question.

    Raises
    ------
    AssertionError
        If a value is lost or another one, a taken name is given away, damage passes
        unseen, or trouble with a write costs a value.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     check_store(folder)
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix="flowcore-check-") as place:
        _names(f"{place}/names", disk)
        _kept(f"{place}/kept", disk)
        _damaged(f"{place}/damaged", disk)
        _troubled(f"{place}/troubled", disk)


def check_codec(*values: Any, equal: Callable[[Any, Any], bool] | None = None) -> None:
    """Hold the codec of a type to its promise: equal values are kept alike, come back equal, and others differ.

    Of a registered codec it is asked, too, that it reaches other processes, and that `back` is no
    trap: given parts that no value of the type has, it raises an Exception, or gives a value of
    the type. Whoever can write to a store chooses the parts.

    Parameters
    ----------
    *values
        Values of the type, all different from one another.
    equal : callable, optional
        Tells whether two of them are the same; ``==`` unless given.

    Raises
    ------
    AssertionError
        If a value has no encoding, comes back as another, has two encodings, or one that
        another value has too; if the codec cannot travel, or its `back` takes what it should not.

    Examples
    --------
    >>> from datetime import date
    >>> check_codec(date(2026, 1, 1), date(2026, 1, 2))
    """
    same: Callable[[Any, Any], bool] = equal or (lambda one, other: bool(one == other))
    with tempfile.TemporaryDirectory() as place:
        run = open_store(f"{place}/store").begin(tell=_nothing)
        try:
            components = {_identity(run, value, same): value for value in values}
        finally:
            run.release()
    alike = [value for value in values if not any(kept is value for kept in components.values())]
    assert not alike, f"{alike[0]!r} has the encoding of another value, so either would answer for the other"
    for kind in {type(value) for value in values} & codecs_by_kind.keys():
        _travels(codecs_by_kind[kind])
        _no_trap(codecs_by_kind[kind])


def _travels(codec: ValueCodec) -> None:
    """A codec that cannot be pickled is unknown to workers, and values of its kind are refused there."""
    with tempfile.TemporaryDirectory() as place:
        run = open_store(f"{place}/store").begin(tell=_nothing)
        try:
            there = Codec(kept=run.blobs, passed=run.blobs).travelling([codec])
        finally:
            run.release()
    assert there, f"codec {codec.name!r} cannot reach other processes: its functions cannot be pickled"


def _no_trap(codec: ValueCodec) -> None:
    for parts in _STRANGE:
        try:
            found = codec.back(copy.deepcopy(parts))
        except Exception:  # noqa: BLE001 - a refusal, in whatever words
            continue
        except BaseException as ended:
            raise AssertionError(f"codec {codec.name!r}, given {parts!r}, ends the process: {ended!r}") from ended
        told = f"codec {codec.name!r} makes a {type(found).__qualname__} of {parts!r}: it should refuse it"
        assert type(found) is codec.kind, told


def _identity(run: StoreRun, value: Any, same: Callable[[Any, Any], bool]) -> bytes:
    codec = Codec(kept=run.blobs, passed=run.blobs)
    first = _encoded(codec, value)
    back = codec.decode(first.record)
    assert type(back) is type(value), f"{value!r} came back as a {type(back).__qualname__}"
    assert same(value, back), f"{value!r} came back as {back!r}"
    again = {
        "a second time": _encoded(codec, value),
        "once it came back": _encoded(codec, back),
        "as a copy": _encoded(codec, copy.deepcopy(value)),
    }
    for how, other in again.items():
        assert other.component == first.component, f"{value!r} is encoded in another way {how}"
    return first.component


def _encoded(codec: Codec, value: Any) -> Encoded:
    try:
        return codec.encode(value, keep=True)
    except NoEncoding as missing:
        raise AssertionError(f"{value!r} cannot be kept: {missing.path or 'it'} is a {missing.kind}") from missing


def _names(place: str, disk: Disk) -> None:
    """A name that is taken is never given away, and what was written is there."""
    disk.mkdir(place)
    for name, content in (("first", b"first"), ("second", b"second")):
        fd = disk.open(f"{place}/{name}", CREATE)
        write_all(disk, fd, content)
        disk.close(fd)
    disk.mkdir(f"{place}/directory")
    for call, arguments in (
        ("open", (f"{place}/first", CREATE)), ("link", (f"{place}/second", f"{place}/first")),
        ("mkdir", (f"{place}/directory",)),
    ):  # fmt: skip
        try:
            getattr(disk, call)(*arguments)
        except FileExistsError:
            continue
        except OSError:
            if call == "link":
                continue  # not every disk has links
            raise
        raise AssertionError(f"{call} gave away a name that is taken: {arguments[-1] if call == 'link' else place}")
    fd = disk.open(f"{place}/first", READ)
    found = read_all(disk, fd, 5)
    disk.close(fd)
    assert found is not None, "a file ends before what was written to it"
    assert bytes(found) == b"first", f"a file has another content than was written: {found!r}"
    assert sorted(disk.listdir(place)) == ["directory", "first", "second"], "a directory lists other names than it has"


def _kept(place: str, disk: Disk) -> None:
    """What a run keeps answers the next one, to the bit, and nothing is left over."""
    values = _values()
    told = _keep(place, disk, values)
    assert told == [], f"a run was told: {told[0]}"
    found = _read(place, disk, values)
    assert list(found) == list(values), f"{len(found)} of {len(values)} values were kept"
    left = disk.listdir(f"{place}/v1/tmp")
    assert left == [], f"a run left {left} behind"


def _damaged(place: str, disk: Disk) -> None:
    """A flipped bit in any kept array is found."""
    values = _values()
    _keep(place, disk, values)
    kept = f"{place}/v1/arrays"
    for path in [f"{kept}/{shard}/{name}" for shard in disk.listdir(kept) for name in disk.listdir(f"{kept}/{shard}")]:
        content = bytearray(_content(disk, path))
        content[-9] ^= 4
        disk.unlink(path)
        fd = disk.open(path, CREATE)
        write_all(disk, fd, content)
        disk.close(fd)
    found = _read(place, disk, values)
    arrays = [key for key, value in values.items() if getattr(value, "nbytes", 0) > INLINE_LIMIT]
    assert not set(arrays) & set(found), "a damaged array was taken for the one that was kept"
    assert len(found) == len(values) - len(arrays), "damage to arrays cost other values"


def _troubled(place: str, disk: Disk) -> None:
    """Wherever a write fails, what is kept is exact, and the next run keeps the rest."""
    values = _values(large=False)
    for n in itertools.count(1, _STRIDE):
        faulty = FaultyDisk(n, error=errno.ENOSPC, only=WRITING, under=place, disk=disk)
        _keep(f"{place}/{n}", faulty, values)
        _read(f"{place}/{n}", disk, values)
        _keep(f"{place}/{n}", disk, values)
        assert list(_read(f"{place}/{n}", disk, values)) == list(values), f"after trouble at call {n} a value is lost"
        if faulty.failed == 0:
            return


def _values(*, large: bool = True) -> dict[bytes, Any]:
    import numpy as np

    values: list[Any] = [np.arange(float(_ARRAY)), 1.5, "text", {"a": [1, None, b"x"]}, np.arange(7, dtype=">i4")]
    if large:
        values.append(np.linspace(0.0, 1.0, _LARGE))
    return {bytes([number]) * 32: value for number, value in enumerate(values, 1)}


def _keep(place: str, disk: Disk, values: Mapping[bytes, Any]) -> list[FlowcoreWarning]:
    told: list[FlowcoreWarning] = []
    run = open_store(place, disk=disk).begin(tell=told.append)
    try:
        codec = Codec(kept=run.blobs, passed=run.spool)
        for number, (key, value) in enumerate(values.items()):
            encoded = codec.encode(value, keep=True)
            run.cache.record(
                Trace(node=0, numbers=[number], keys=[key], components=[encoded.component],
                      records=[encoded.record], seconds=[0.0])
            )  # fmt: skip
        run.close("done")
    finally:
        run.release()
    return told


def _read(place: str, disk: Disk, values: Mapping[bytes, Any]) -> dict[bytes, Any]:
    """Give what a fresh run finds; AssertionError if any of it is another value."""
    run = open_store(place, disk=disk).begin(tell=_nothing)
    try:
        return {key: value for key, value in _answers(run, list(values)) if _exact(key, value, values[key])}
    finally:
        run.release()


def _answers(run: StoreRun, keys: list[bytes]) -> Iterator[tuple[bytes, Any]]:
    codec = Codec(kept=run.blobs, passed=run.spool)
    for key, answer in zip(keys, run.cache.judge(keys), strict=True):
        if isinstance(answer, Hit):
            try:
                yield key, codec.decode(answer.record)
            except ValueGone:
                continue


def _exact(key: bytes, found: Any, expected: Any) -> bool:
    same = type(found) is type(expected)
    if same and hasattr(expected, "tobytes"):
        same = (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())
    elif same:
        same = found == expected
    assert same, f"value {key[0]} is {found!r}, and was kept as {expected!r}"
    return True


def _content(disk: Disk, path: str) -> bytes:
    fd = disk.open(path, READ)
    try:
        return bytes(read_all(disk, fd, disk.fstat(fd).st_size) or b"")
    finally:
        disk.close(fd)


def _nothing(_: FlowcoreWarning) -> None:
    """Hear a warning."""
