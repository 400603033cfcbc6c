"""Values of numpy: arrays, scalars, masked and string arrays, written and read.

Owns how an array stands in a record: inside it up to the inline limit, else as the
digest of its file and a place. What a dtype, a layout or padding becomes is decided in
`plan/arrays.py`. numpy is imported only once a value of it is met.
"""

from __future__ import annotations

import functools
import math
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgpack

from flowcore.plan.arrays import (
    ArrayFacts,
    canonical,
    data_of,
    descr_parts,
    describe,
    dtype_from,
    facts_from,
    facts_of,
    over,
    own_memory,
    unsupported,
)
from flowcore.plan.extension import (
    ARRAY,
    ARRAY_CLASS,
    ARRAY_INLINE,
    MASKED,
    NUMPY_SCALAR,
    REGISTERED,
    STRINGS,
    BadRecord,
    NoEncoding,
    extension,
    kind_name,
)
from flowcore.plan.parsing import flat, parts_of, reference_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flowcore.plan.reading import Reading
    from flowcore.plan.writing import Writer, Writing

_NARROW = "ml_dtypes"
_TEXTS = {"numpy.str_": "str", "numpy.bytes_": "bytes"}  # their arrays would drop trailing zeros


def writer(kind: type) -> Writer | None:
    """Find the writer of a kind of numpy."""
    if not any(k.__module__ == "numpy" for k in kind.__mro__):
        return None
    import numpy as np

    if issubclass(kind, np.generic):
        return _scalar_writer(kind)
    if kind in (np.ndarray, np.memmap):
        return _write_array
    if kind is np.matrix or kind is np.recarray:
        return _write_classed
    if kind is np.ma.MaskedArray:
        return _write_masked
    if issubclass(kind, np.dtype):
        return _write_dtype
    if issubclass(kind, np.ndarray):
        return _refuse_class
    return None


def _refuse_class(value: object, writing: Writing) -> object:  # noqa: ARG001
    raise unsupported(value)


def _scalar_writer(kind: type) -> Writer | None:
    name = kind_name(kind)
    if name in _TEXTS:
        return _write_text
    if kind.__module__ == _NARROW:
        return functools.partial(_write_narrow, "scalar")
    if kind.__module__ != "numpy":
        return None
    import numpy as np

    padded = (np.longdouble, np.clongdouble, np.timedelta64)  # or with units
    if issubclass(kind, (np.number, np.bool_)) and not issubclass(kind, padded):
        return functools.partial(_write_number, np.dtype(kind).str)
    return _write_scalar


def _write_number(descr: str, value: Any, writing: Writing) -> object:  # noqa: ARG001
    return extension(NUMPY_SCALAR, [descr, value.tobytes()])


def _write_text(value: Any, writing: Writing) -> object:  # noqa: ARG001
    # str(), bytes() and numpy's own arrays drop zeros at the end
    text = str.__str__(value) if isinstance(value, str) else bytes.__getitem__(value, slice(None))
    return extension(NUMPY_SCALAR, [_TEXTS[kind_name(type(value))], text])


def _write_scalar(value: Any, writing: Writing) -> object:  # noqa: ARG001
    import numpy as np

    array = canonical(np.asarray(value))
    record = type(value) is np.record
    descr = descr_parts(describe(array.dtype))
    return extension(NUMPY_SCALAR, [descr, data_of(array.reshape(1)).tobytes(), *([True] if record else [])])


def _write_dtype(value: Any, writing: Writing) -> object:  # noqa: ARG001
    if value.metadata or value.type.__module__ != "numpy" or value.isalignedstruct:
        raise NoEncoding("", f"numpy.dtype {value}", "only plain dtypes have one")
    return extension(NUMPY_SCALAR, ["dtype", descr_parts(describe(value))])


def _write_array(value: NDArray[Any], writing: Writing) -> object:
    import numpy as np

    if value.dtype.kind == "T":
        return _write_strings(value, writing)
    if value.dtype.type.__module__ == _NARROW:
        return _write_narrow("array", value, writing)
    part = write_plain(value, writing)
    if value.dtype.type is np.record:
        return extension(ARRAY_CLASS, ["ndarray of records", part])
    return part


def _write_narrow(form: str, value: Any, writing: Writing) -> object:
    """Write numbers of ml_dtypes as integers of the same bits, beside the name of their dtype."""
    import numpy as np

    kind = value.dtype.type
    name = str(kind.__name__)
    if getattr(sys.modules.get(_NARROW), name, None) is not kind:
        raise NoEncoding("", f"numpy array of dtype {value.dtype}", "convert it to another dtype first")
    writing.libraries.add(_NARROW)
    bits = write_plain(np.asarray(value).view(f"u{value.dtype.itemsize}"), writing)
    return extension(REGISTERED, [f"{_NARROW}.{form}", "1", [name, bits]])


def write_plain(value: NDArray[Any], writing: Writing) -> msgpack.ExtType:
    """Write an array of a plain dtype: into the record, or to where arrays go."""
    describe(value.dtype)  # refusals first: nothing of a strange dtype is looked at
    array = canonical(value)
    facts = facts_of(array)
    data = data_of(array)
    writing.arrays = True
    tail: list[object] = [descr_parts(facts.descr), facts.fortran, list(facts.shape)]
    header = facts.header()
    size = len(header) + len(data)
    if array.ndim == 0 or array.size == 0 or size <= writing.inline:
        return extension(ARRAY_INLINE, [data.tobytes(), *tail])
    digest = writing.put(header, data)
    return extension(ARRAY, [digest, writing.place, size, *tail])


def _write_classed(value: NDArray[Any], writing: Writing) -> object:
    import numpy as np

    name = type(value).__name__ + (" of records" if value.dtype.type is np.record else "")
    if set(getattr(value, "__dict__", ())) - {"_getitem"}:  # numpy.matrix keeps that for itself
        raise NoEncoding("", kind_name(type(value)), "it holds attributes of its own")
    return extension(ARRAY_CLASS, [name, write_plain(value.view(np.ndarray), writing)])


def _write_masked(value: Any, writing: Writing) -> object:
    import numpy as np

    held: Any = type(value.data)
    if held is not np.ndarray:
        raise NoEncoding(".data", kind_name(held), "mask a plain array")
    mask = None if value.mask is np.ma.nomask else write_plain(np.asarray(value.mask), writing)
    # Asking for the fill value sets the default, as printing does: so the default counts from the start. A view
    # would cast it: to another value, where the default of its kind is too large for a dtype.
    shown = value._fill_value  # noqa: SLF001
    if shown is None:
        shown = np.ma.MaskedArray(np.empty(0, value.dtype)).fill_value
    fill = write_plain(np.asarray(shown), writing)
    return extension(MASKED, [_write_array(value.data, writing), mask, fill, bool(value.hardmask)])


def _write_strings(value: Any, writing: Writing) -> object:
    """Write a StringDType array as offsets and UTF-8 bytes (K17); missing elements are marked."""
    import numpy as np

    kind = _missing_kind(value.dtype)
    flat = value.reshape(-1).tolist()  # in C order, whatever the layout
    missing = np.array([type(s) is not str for s in flat], bool)
    texts = [s.encode("utf-8", "surrogatepass") if type(s) is str else b"" for s in flat]
    offsets = np.zeros(len(texts) + 1, "<i8")
    np.cumsum([len(t) for t in texts], out=offsets[1:])
    joined = np.frombuffer(b"".join(texts), np.uint8)
    # where the missing value is text itself, an element that equals it is missing by definition
    return extension(STRINGS, [
        bool(value.dtype.coerce), kind, write_plain(offsets, writing), write_plain(joined, writing),
        write_plain(missing, writing) if missing.any() else None, list(value.shape),
    ])  # fmt: skip


def _missing_kind(dtype: Any) -> list[object]:
    """Give what stands for a missing string: nothing, None, nan, or a text."""
    if not hasattr(dtype, "na_object"):
        return []
    missing = dtype.na_object
    if missing is None or type(missing) is str:
        return [missing]
    if type(missing) is float and math.isnan(missing):
        return [missing]
    raise NoEncoding("", f"StringDType whose missing value is a {kind_name(type(missing))}", "use None or nan")


def plain_array(part: object) -> NDArray[Any]:
    """Give a part that has to be an array: what only looks like one would be asked, and run its class's code (S1)."""
    import numpy as np

    if type(part) is not np.ndarray:
        raise BadRecord("not an array")
    return part


def _read_inline(data: bytes, reading: Reading) -> object:  # noqa: ARG001
    content, *tail = parts_of(data, 4)
    if type(content) is not bytes:
        raise BadRecord("not an array")
    return own_memory(facts_from(*tail), content)


def _read_array(data: bytes, reading: Reading) -> object:
    digest, place, size, tail = reference_parts(data)
    facts = facts_from(*tail)
    header = facts.header()
    if len(header) + facts.nbytes != size:
        raise BadRecord("an array's file is not as long as its shape says")
    buffer, offset = reading.fetch(digest, header, facts.nbytes, place)
    return over(facts, buffer, offset)


def _read_scalar(data: bytes, reading: Reading) -> object:  # noqa: ARG001
    import numpy as np

    match flat(data):
        case ["str", str(text)]:
            return np.str_(text)
        case ["bytes", bytes(text)]:
            return np.bytes_(text)
        case ["dtype", descr]:
            return dtype_from(facts_from(descr, False, ()).descr)
        case [descr, bytes(content), *record]:
            facts = facts_from(descr, False, ())
            array = own_memory(facts, content)
            if record == [True]:
                array = array.view(np.dtype((np.record, array.dtype)))
            return array[()]
    raise BadRecord("not a numpy scalar")


def _read_classed(parts: list[object], reading: Reading) -> object:  # noqa: ARG001
    import numpy as np

    match parts:
        case [str(name), np.ndarray() as array]:
            base, _, records = name.partition(" of ")
            kind = {"ndarray": np.ndarray, "matrix": np.matrix, "recarray": np.recarray}.get(base)
            if kind is not None and (not records or array.dtype.names is not None):
                if records:
                    array = array.view(np.dtype((np.record, array.dtype)))
                return _as_class(array, kind)
    raise BadRecord("not an array class")


def _as_class(array: NDArray[Any], kind: Any) -> object:
    """Give the array as `kind`; a recarray would turn a void dtype into records, so it is set back."""
    made = array.view(kind)
    if made.dtype.type is not array.dtype.type:
        made.dtype = array.dtype
    return made


def _read_masked(parts: list[object], reading: Reading) -> object:  # noqa: ARG001
    import numpy as np

    match parts:
        case [np.ndarray() as data, mask, np.ndarray() as fill, bool(hard)]:
            if mask is not None and not (
                isinstance(mask, np.ndarray) and mask.shape == data.shape
                and mask.dtype == np.ma.make_mask_descr(data.dtype)
            ):  # fmt: skip
                raise BadRecord("not the mask of a masked array")
            shown: Any = np.ma.nomask if mask is None else mask
            made: Any = np.ma.MaskedArray(data, mask=shown, hard_mask=hard)
            made._fill_value = fill  # noqa: SLF001 - as it was, of whatever dtype
            with np.errstate(all="ignore"):
                made.view()  # a TypeError unless numpy makes a fill value of it
            return made
    raise BadRecord("not a masked array")


def _check_strings(count: int, offsets: Any, joined: Any, missing: Any) -> None:
    """See that texts lie one behind the other: those that overlap could be longer than memory (S7)."""
    import numpy as np

    columns = ((offsets, "<i8"), (joined, "|u1"), *(() if missing is None else ((missing, "|b1"),)))
    if not all(isinstance(one, np.ndarray) and one.ndim == 1 and one.dtype.str == descr for one, descr in columns):
        raise BadRecord("not an array of strings")
    if len(offsets) != count + 1 or (missing is not None and len(missing) != count):
        raise BadRecord("not an array of strings")
    if offsets[0] != 0 or offsets[-1] != len(joined) or (np.diff(offsets) < 0).any():
        raise BadRecord("strings that are not one behind the other")


def _read_strings(parts: list[Any], reading: Reading) -> object:  # noqa: ARG001
    import numpy as np

    if len(parts) != 6:
        raise BadRecord("not an array of strings")
    coerce, missing_kind, offsets, joined, missing, shape = parts
    if type(missing_kind) is not list:
        raise BadRecord("not an array of strings")
    facts = ArrayFacts(descr="|b1", shape=facts_from("|b1", False, shape).shape)
    _check_strings(facts.nbytes, offsets, joined, missing)
    options = {"na_object": missing_kind[0]} if missing_kind else {}
    content = joined.tobytes()
    texts = [content[a:b].decode("utf-8", "surrogatepass") for a, b in pairwise(offsets.tolist())]
    if missing is not None and missing_kind:
        texts = [missing_kind[0] if gone else text for text, gone in zip(texts, missing.tolist(), strict=True)]
    made = np.empty(len(texts), np.dtypes.StringDType(coerce=coerce, **options))
    made[:] = texts
    return made.reshape(facts.shape)


LEAF_READERS = {ARRAY_INLINE: _read_inline, ARRAY: _read_array, NUMPY_SCALAR: _read_scalar}
READERS = {
    ARRAY_CLASS: _read_classed,
    MASKED: _read_masked,
    STRINGS: _read_strings,
}
