"""Sparse matrices and arrays of scipy, written and read in their canonical format (contract K20).

Equal matrices of one class have one identity, however they were put together: entries
that stand twice are added up, indices are sorted and as narrow as their values allow,
diagonals are in order and hold nothing outside the matrix. Entries that are zero and
stand there all the same stay, for a solver sees them. LIL goes as CSR, DOK as COO.

scipy is imported to read a record that says so, and never to look what a value is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from flowcore.plan.extension import REGISTERED, BadRecord, extension
from flowcore.plan.libraries import library
from flowcore.plan.numeric import plain_array, write_plain
from flowcore.plan.parts import listed

if TYPE_CHECKING:
    from flowcore.plan.writing import Writer, Writing

VERSION: Final = "1"
_NAME: Final = "scipy.sparse"
_FORMS: Final = {"csr": "csr", "csc": "csc", "bsr": "bsr", "coo": "coo", "dia": "dia", "lil": "csr", "dok": "coo"}
_CLASSES: Final = frozenset(f"{form}_{kind}" for form in _FORMS for kind in ("array", "matrix"))


def writer(kind: type) -> Writer | None:
    """Find the writer of a kind of scipy.sparse, by its exact type."""
    if kind.__name__ in _CLASSES and getattr(sys.modules.get("scipy.sparse"), kind.__name__, None) is kind:
        return _write
    return None


def _write(value: Any, writing: Writing) -> object:
    writing.libraries.add("scipy")
    form = _FORMS[value.format]
    canonical = _diagonals(value) if form == "dia" else _summed(value, form)
    parts = [write_plain(part, writing) for part in canonical]
    shape = [int(n) for n in value.shape]
    return extension(REGISTERED, [_NAME, VERSION, [type(value).__name__, shape, parts]])


def _summed(value: Any, form: str) -> list[Any]:
    """Give data and indices with every entry once, in order."""
    if value.format != form:
        value = value.asformat(form)
        owned = True
    else:
        owned = False
    if form == "coo":
        canonical = value if _is_sorted(value) else _copied(value, owned=owned)
        indices = canonical.coords
    else:
        canonical = value if value.has_canonical_format else _copied(value, owned=owned)
        indices = (canonical.indices, canonical.indptr)
    return [canonical.data, *_narrowed(indices, value)]


def _copied(value: Any, *, owned: bool) -> Any:
    made = value if owned else value.copy()
    made.sum_duplicates()
    return made


def _is_sorted(value: Any) -> bool:
    """Tell whether the entries of a COO stand in the order of sum_duplicates; its own flag is not kept by copies."""
    return bool(value.has_canonical_format)


def _narrowed(indices: tuple[Any, ...], value: Any) -> list[Any]:
    """Give the indices in 32 bits where these do, whatever they came in."""
    most = max([value.nnz, *value.shape], default=0)
    kind = "i4" if most < 2**31 else "i8"
    return [index.astype(kind, copy=False) for index in indices]


def _diagonals(value: Any) -> list[Any]:
    """Give the diagonals in order, as long as the matrix is wide, with nothing outside of it."""
    numpy = library("numpy")
    rows, columns = value.shape
    order = numpy.argsort(value.offsets, kind="stable")
    offsets = value.offsets[order].astype("i8")
    data = numpy.zeros((len(offsets), columns), value.data.dtype)
    width = min(columns, value.data.shape[1])
    data[:, :width] = value.data[order, :width]
    at = numpy.arange(columns)
    inside = (at - offsets[:, None] >= 0) & (at - offsets[:, None] < rows)
    data[~inside] = numpy.zeros((), data.dtype)  # whatever scipy took for a number
    return [data, offsets]


def _read(parts: list[Any]) -> object:
    name, shape, arrays = listed(parts, 3)
    if type(name) is not str or name not in _CLASSES or not all(type(n) is int for n in listed(shape)):
        raise BadRecord("not a kind of scipy.sparse")
    sparse = library("scipy.sparse")
    form, _, kind = name.partition("_")
    held = _FORMS[form]
    data, *indices = map(plain_array, listed(arrays))
    content = (data, tuple(indices)) if held == "coo" else (data, *indices)
    if held == "dia" and data.shape[1:] != tuple(shape[1:]):  # a few bytes could say that it is wider than memory
        raise BadRecord("not the canonical form of a sparse matrix")
    made = getattr(sparse, f"{held}_{kind}")(content, shape=tuple(shape))
    if hasattr(made, "check_format"):  # scipy's loops believe indices, and would read and write outside of the arrays
        made.check_format(full_check=True)
    if held == "coo":
        made.has_canonical_format = True
    elif held != "dia" and not made.has_canonical_format:
        raise BadRecord("not the canonical form of a sparse matrix")
    return made if held == form else made.asformat(form)


READERS: dict[str, Callable[[list[Any]], object]] = {_NAME: _read}
