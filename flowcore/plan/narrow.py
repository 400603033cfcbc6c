"""Arrays and scalars of ml_dtypes, read: bfloat16, the floats of 8 bits, the integers of 4 (contract K20).

numpy has no name for these dtypes, and npy would call them raw bytes; so they go as
integers of the same size beside their name. `plan/numeric.py` writes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flowcore.plan.extension import BadRecord
from flowcore.plan.libraries import library
from flowcore.plan.numeric import plain_array
from flowcore.plan.parts import listed

VERSION: Final = "1"
_NAME_BEGINS: Final = ("bfloat", "float", "int", "uint", "complex")


def _read_array(parts: list[Any]) -> Any:
    name, held = listed(parts, 2)
    array = plain_array(held)
    if type(name) is not str or not name.startswith(_NAME_BEGINS) or not name.isidentifier():
        raise BadRecord("not a dtype of ml_dtypes")
    numpy = library("numpy")
    kind = getattr(library("ml_dtypes"), name, None)
    if not (isinstance(kind, type) and issubclass(kind, numpy.generic)):
        raise BadRecord("not a dtype of ml_dtypes")
    dtype = numpy.dtype(kind)
    if array.dtype.str != numpy.dtype(f"u{dtype.itemsize}").str:
        raise BadRecord("not an array of ml_dtypes")
    return array.view(dtype)


def _read_scalar(parts: list[Any]) -> Any:
    found = _read_array(parts)
    if found.shape != ():
        raise BadRecord("not a scalar of ml_dtypes")
    return found[()]


READERS: dict[str, Callable[[list[Any]], object]] = {
    "ml_dtypes.array": _read_array,
    "ml_dtypes.scalar": _read_scalar,
}
