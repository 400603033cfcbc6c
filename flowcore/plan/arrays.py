"""Canonical form of arrays: what the file of an array says, to the byte.

Owns the npy header, written here in one frozen form (L3), and the rules by which equal
arrays get equal bytes (K15-K17): C or F contiguous memory is taken as it is, everything
else is made C; padding is zeroed; the dtype string carries byte order and units.
Promises that reading a header back never runs code and allocates nothing before the
sizes agree. Never looks at the contents of an array beyond its bytes.

numpy is imported inside functions: `plan/keys.py` and the reading of records work
without it.
"""

from __future__ import annotations

import math
import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from flowcore.dataclass import dataclass
from flowcore.plan.extension import BadRecord, Buffer, NoEncoding, kind_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC: Final = b"\x93NUMPY"
KINDS: Final = "biufcSUVMm"  # what a file may hold; objects need pickle (S1)
_HEADER_LIMIT = 64 * 1024  # S7
_ALIGN = 64
_PLAIN = re.compile(r"[<>|=]?[biufcSUV]\d{1,18}|[<>]?[Mm]8(\[([1-9]\d{0,9})?[a-zA-Zμ]{1,7}\])?")
# Without the divisors that numpy reads and never writes: one of 0 ends the process (SIGFPE), and so may 0 units.


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayFacts:
    """What a npy header says about an array.

    `descr` is the dtype as npy writes it: a string, or a list of fields.
    """

    descr: str | list[Any]
    shape: tuple[int, ...]
    fortran: bool = False

    def header(self) -> bytes:
        """Give the npy header in flowcore's frozen form (L3), a multiple of 64 bytes long."""
        return _header(repr(self.descr), self.fortran, self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of data behind the header."""
        return math.prod(self.shape) * item_size(self.descr)


@lru_cache(maxsize=512)
def _header(descr: str, fortran: bool, shape: tuple[int, ...]) -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape!r}, }}"
    try:
        body, version, width = text.encode("latin-1"), b"\x01\x00", 2
    except UnicodeEncodeError:  # a field name outside latin-1
        body, version, width = text.encode("utf-8", "surrogatepass"), b"\x03\x00", 4
    used = len(MAGIC) + 2 + width + len(body) + 1
    body += b" " * (-used % _ALIGN) + b"\n"
    return MAGIC + version + len(body).to_bytes(width, "little") + body


def item_size(descr: object) -> int:
    """Give the bytes of one element, from the descr alone.

    Raises
    ------
    BadRecord
        If `descr` is nothing that flowcore writes.
    """
    if isinstance(descr, str):
        if _PLAIN.fullmatch(descr) is None:
            raise BadRecord(f"not a dtype: {descr[:80]!r}")
        size = re.match(r"\d+", descr.lstrip("<>|=")[1:])
        return int(size[0] if size else "0") * (4 if descr.lstrip("<>|=")[0] == "U" else 1)
    if not isinstance(descr, list):
        raise BadRecord("not a dtype")
    total = 0
    for field in descr:
        if not isinstance(field, (tuple, list)) or len(field) not in (2, 3):
            raise BadRecord("not a field of a dtype")
        shape = field[2] if len(field) == 3 else ()
        total += item_size(field[1]) * math.prod(_lengths(shape))
    return total


def _lengths(shape: object) -> tuple[int, ...]:
    lengths = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if len(lengths) > 64 or not all(type(n) is int and n >= 0 for n in lengths):
        raise BadRecord("not a shape")
    return lengths


def descr_parts(descr: object) -> object:
    """Give a descr as plain lists and text, for a record."""
    if isinstance(descr, (tuple, list)):
        return [descr_parts(part) for part in descr]
    return descr


def _field_name(name: object) -> object:
    """Give the name of a field, or its title and name; neither holds others."""
    if isinstance(name, list) and len(name) == 2 and not any(isinstance(part, list | dict) for part in name):
        return tuple(name)
    if isinstance(name, str):
        return name
    raise BadRecord("not the name of a field")


def _fields(descr: object) -> str | list[Any]:
    """Give back the tuples that a descr has inside its list."""
    if isinstance(descr, str):
        return descr
    if not isinstance(descr, list) or not all(isinstance(f, list) and len(f) in (2, 3) for f in descr):
        raise BadRecord("not a dtype")
    return [(_field_name(f[0]), _fields(f[1]), *((_lengths(f[2]),) if len(f) == 3 else ())) for f in descr]


def facts_from(descr: object, fortran: object, shape: object) -> ArrayFacts:
    """Read facts out of a record, refusing what flowcore does not write (S7)."""
    if type(fortran) is not bool:
        raise BadRecord("not an order")
    facts = ArrayFacts(descr=_fields(descr), shape=_lengths(shape), fortran=fortran)
    if facts.nbytes < 0 or len(repr(facts.descr)) > _HEADER_LIMIT:
        raise BadRecord("not a header")
    return facts


@lru_cache(maxsize=512)
def _descr(dtype: np.dtype[Any], names: tuple[object, ...]) -> str | list[Any] | None:  # noqa: ARG001 - see describe
    """Give the npy descr, or None where npy cannot say this dtype."""
    from numpy.lib import format as npy

    if dtype.kind not in KINDS or dtype.hasobject:
        return None
    try:
        descr: str | list[Any] = npy.dtype_to_descr(dtype)
        back = npy.descr_to_dtype(descr)  # type: ignore[arg-type]
        if back != dtype:  # of raw bytes, where npy has no name for a dtype of another library
            return None
    except (ValueError, TypeError):  # overlapping fields, or a name that npy cannot keep
        return None
    fits = item_size(descr) == dtype.itemsize and len(repr(descr)) <= _HEADER_LIMIT // 2
    return descr if fits else None


def describe(dtype: np.dtype[Any]) -> str | list[Any]:
    """Give the npy descr of `dtype`: byte order, units and fields, without metadata.

    Raises
    ------
    NoEncoding
        For dtypes of objects, of users, and with overlapping fields.
    """
    # dtypes that are equal need not be the same to npy (titles), so field facts are part of the cache's key
    descr = _descr(dtype, () if dtype.names is None else (str(dtype), dtype.names))
    if descr is None:
        raise NoEncoding(_object_field(dtype), f"numpy array of dtype {dtype}", "arrays of objects need pickle")
    return descr


def _object_field(dtype: np.dtype[Any]) -> str:
    """Give the path to the first field of objects, or nothing."""
    for name in dtype.names or ():
        field = dtype[name].base
        if field.hasobject:
            return f"[{name!r}]{_object_field(field)}"
    return ""


def facts_of(array: NDArray[Any]) -> ArrayFacts:
    """Give the facts of an array that :func:`canonical` gave."""
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    return ArrayFacts(descr=describe(array.dtype), shape=array.shape, fortran=fortran)


def canonical(array: NDArray[Any]) -> NDArray[Any]:
    """Give `array` itself if its memory is what a file would hold, else a copy that is (K15, K16)."""
    import numpy as np

    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        array = np.array(array, order="C", subok=False)
    pads = _padding(array.dtype)
    if pads is None:
        return array
    clean = np.empty(array.size * array.dtype.itemsize, np.uint8)
    clean[:] = np.frombuffer(data_of(array), np.uint8)
    clean.reshape(array.size, array.dtype.itemsize)[:, pads] = 0
    return np.ndarray(array.shape, array.dtype, clean.data, order="C" if array.flags.c_contiguous else "F")


def data_of(array: NDArray[Any]) -> memoryview:
    """Give the memory of a contiguous array as bytes, in its own order, without a copy."""
    import numpy as np

    if array.size == 0 or array.dtype.itemsize == 0:
        return memoryview(b"")
    straight = np.asarray(array) if array.flags.c_contiguous else np.asarray(array).T
    return straight.reshape(-1).view(np.uint8).data


@lru_cache(maxsize=512)
def _pad_mask(dtype: np.dtype[Any]) -> tuple[bool, ...]:
    """Tell for each byte of an element whether it is padding."""
    import numpy as np

    if dtype.subdtype is not None:
        return _pad_mask(dtype.base) * math.prod(dtype.shape)
    if dtype.names is not None:
        mask = [True] * dtype.itemsize
        for field, offset, *_ in (dtype.fields or {}).values():
            mask[offset : offset + field.itemsize] = _pad_mask(field)
        return tuple(mask)
    if dtype.kind in "fc" and dtype.type in (np.longdouble, np.clongdouble) and np.finfo(np.longdouble).nmant == 63:
        single = dtype.itemsize // (2 if dtype.kind == "c" else 1)
        little = dtype.byteorder == "<" or (dtype.byteorder == "=" and sys.byteorder == "little")
        used, unused = (False,) * 10, (True,) * (single - 10)
        return ((used + unused) if little else (unused + used)) * (dtype.itemsize // single)
    return (False,) * dtype.itemsize


def _padding(dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """Give the places of padding bytes in an element, or None."""
    import numpy as np

    if dtype.kind not in "Vfc" or (dtype.kind == "V" and dtype.names is None):
        return None
    places = np.flatnonzero(_pad_mask(dtype))
    return places if places.size else None


def dtype_from(descr: str | list[Any]) -> np.dtype[Any]:
    """Give the dtype that a descr names; no code runs and no object dtype comes back (S1)."""
    from numpy.lib import format as npy

    item_size(descr)
    try:
        dtype: np.dtype[Any] = npy.descr_to_dtype(descr)  # type: ignore[arg-type]
    except (ValueError, TypeError, SyntaxError, KeyError) as error:
        raise BadRecord(f"not a dtype: {str(descr)[:80]}") from error
    if dtype.hasobject or dtype.itemsize != item_size(descr):
        raise BadRecord(f"not a dtype: {str(descr)[:80]}")
    return dtype


def own_memory(facts: ArrayFacts, data: bytes) -> NDArray[Any]:
    """Give a fresh writable array over a copy of `data`."""
    import numpy as np

    if facts.nbytes != len(data):
        raise BadRecord("an array's data are not as long as its shape says")
    memory = np.empty(len(data), np.uint8)
    memory[:] = np.frombuffer(data, np.uint8)
    return over(facts, memory.data, 0)


def over(facts: ArrayFacts, buffer: Buffer, offset: int) -> NDArray[Any]:
    """Give the array that lies in `buffer` from `offset` on, without a copy."""
    import numpy as np

    dtype = dtype_from(facts.descr)
    if facts.nbytes == 0:
        if dtype.itemsize == 0:  # numpy.empty would give texts of no length one character each
            return np.ndarray(facts.shape, dtype, order="F" if facts.fortran else "C")
        return np.empty(facts.shape, dtype, order="F" if facts.fortran else "C")
    if len(buffer) - offset < facts.nbytes:
        raise BadRecord("an array's file is shorter than its shape says")
    return np.ndarray(facts.shape, dtype, buffer, offset, order="F" if facts.fortran else "C")


def unsupported(array: object) -> NoEncoding:
    """Give the refusal of an array class that flowcore does not know."""
    return NoEncoding("", kind_name(type(array)), "turn it into a plain numpy array first")
