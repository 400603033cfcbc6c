"""Two values compared number by number: how far apart, and whether that is near enough.

Owns the rules of ``same=`` and of comparing runs (contract K25): floating point numbers
may differ, within a tolerance; all else must be equal, kinds, lengths, keys, dtypes and
shapes included. Goes through lists, tuples, dicts, dataclasses, namedtuples, masked and
structured arrays, and what registered codecs take apart. Promises that large arrays are
looked at in pieces, so comparing takes little memory; never loads numpy where no value
needs it. What it does not know is the same only if its encoding is.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

from flowcore.dataclass import dataclass
from flowcore.plan import classes
from flowcore.plan.encode import NoEncoding, encode
from flowcore.plan.extension import array_digest, kind_name

_PIECE: Final = 1 << 20  # elements of an array that are looked at together


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """How far two values are apart.

    Attributes
    ----------
    absolute, relative : float
        The largest among all numbers, relative to the old one; infinite where one is not
        finite and the other differs from it. 0 where nothing that is a number differs.
    close : bool
        Whether the values agree within the tolerance asked for.
    where : str
        Path to the first part that does not agree; empty if all do.
    what : str
        What differs there, if it is no number: "shape (3,) and (4,)".
    """

    absolute: float = 0.0
    relative: float = 0.0
    close: bool = True
    where: str = ""
    what: str = ""


def deviation(old: object, new: object, *, rtol: float = 0.0, atol: float = 0.0, equal_nan: bool = True) -> Deviation:
    """Compare two values.

    Examples
    --------
    >>> deviation([1.0, "a"], [1.5, "a"], rtol=0.1)
    Deviation(absolute=0.5, relative=0.5, close=False, where='[0]', what='')
    >>> deviation({"n": 1}, {"n": 2})
    Deviation(absolute=1.0, relative=1.0, close=False, where="['n']", what='')
    """
    comparison = _Comparison(rtol, atol, equal_nan)
    comparison.compare(old, new, "")
    return Deviation(
        absolute=comparison.absolute, relative=comparison.relative, close=comparison.where is None,
        where=comparison.where or "", what=comparison.what,
    )  # fmt: skip


class _Comparison:
    """One pass over two values."""

    def __init__(self, rtol: float, atol: float, equal_nan: bool) -> None:
        self.rtol = rtol
        self.atol = atol
        self.equal_nan = equal_nan
        self.absolute = 0.0
        self.relative = 0.0
        self.where: str | None = None
        self.what = ""

    def compare(self, old: Any, new: Any, path: str) -> None:
        kind = type(old)
        if kind is not type(new):
            self._apart(path, f"{kind_name(kind)} and {kind_name(type(new))}")
        elif kind in (float, complex, int):
            self._numbers(old, new, path, exact=kind is int)
        elif kind in (list, tuple):
            self._sequence(old, new, path)
        elif kind is dict:
            self._mapping(old, new, path)
        elif _is_array(old):
            self._arrays(old, new, path)
        else:
            self._others(old, new, path)

    def _apart(self, path: str, what: str = "") -> None:
        if self.where is None:
            self.where, self.what = path or "value", what

    def _numbers(self, old: Any, new: Any, path: str, *, exact: bool) -> None:
        if old == new or (old != old and new != new and self.equal_nan):  # noqa: PLR0124 - NaN
            return
        try:
            size, distance = float(abs(old)), float(abs(new - old))
        except OverflowError:
            size, distance = math.inf, math.inf
        distance = distance if math.isfinite(distance) and math.isfinite(size) else math.inf
        self._note(distance, distance / size if size and math.isfinite(size) else math.inf)
        if exact or not distance <= self.atol + self.rtol * size or distance == math.inf:
            self._apart(path)

    def _note(self, absolute: float, relative: float) -> None:
        self.absolute = max(self.absolute, absolute)
        self.relative = max(self.relative, relative)

    def _sequence(self, old: Any, new: Any, path: str) -> None:
        if len(old) != len(new):
            self._apart(path, f"{len(old)} and {len(new)} items")
            return
        for place, (a, b) in enumerate(zip(old, new, strict=True)):
            self.compare(a, b, f"{path}[{place}]")

    def _mapping(self, old: Any, new: Any, path: str) -> None:
        if list(old) != list(new) or list(map(type, old)) != list(map(type, new)):
            self._apart(path, "other keys")
            return
        for key, a in old.items():
            self.compare(a, new[key], f"{path}[{key!r}]")

    def _others(self, old: Any, new: Any, path: str) -> None:
        parts = _parts(type(old))
        if parts is None:
            if not _equal(old, new):
                self._apart(path, "other content")
            return
        for name, take in parts:
            self.compare(take(old), take(new), f"{path}{name}")

    # ---- arrays ----------------------------------------------------------------------

    def _arrays(self, old: Any, new: Any, path: str) -> None:
        if old.dtype != new.dtype:
            self._apart(path, f"dtype {old.dtype} and {new.dtype}")
        elif old.shape != new.shape:
            self._apart(path, f"shape {old.shape} and {new.shape}")
        elif kind_name(type(old)) == "numpy.ma.MaskedArray":
            self._masked(old, new, path)
        elif old.dtype.names is not None:
            for name in old.dtype.names:
                self._arrays(old[name], new[name], f"{path}[{name!r}]")
        elif old.dtype.kind in "fc":
            self._floats(old, new, path)
        elif old.dtype.kind in "biu":
            self._integers(old, new, path)
        elif old.dtype.kind == "O" or not _equal(old, new):
            self._apart(path, "other content")

    def _masked(self, old: Any, new: Any, path: str) -> None:
        import numpy as np

        if not np.array_equal(np.ma.getmaskarray(old), np.ma.getmaskarray(new)):
            self._apart(path, "other mask")
        elif not _equal(old.fill_value, new.fill_value):
            self._apart(path, "other fill value")
        else:
            self._arrays(old.compressed(), new.compressed(), path)

    def _floats(self, old: Any, new: Any, path: str) -> None:
        import numpy as np

        for a, b in _pieces(old, new):
            same = a == b
            if self.equal_nan:
                same |= (a != a) & (b != b)  # noqa: PLR0124 - NaN
            if same.all():
                continue
            a, b = a[~same], b[~same]
            wide = np.complex128 if a.dtype.kind == "c" and a.dtype.itemsize < 16 else np.float64
            a, b = (x.astype(wide) if x.dtype.itemsize < np.dtype(wide).itemsize else x for x in (a, b))
            with np.errstate(all="ignore"):
                distance, size = np.abs(b - a), np.abs(a)
                distance[~np.isfinite(distance)] = np.inf
                relative = np.where(size > 0, distance / size, np.inf)
                relative[~np.isfinite(size)] = np.inf
                far = ~(distance <= self.atol + self.rtol * size) | np.isinf(distance)
            self._note(float(distance.max()), float(relative.max()))
            if far.any():
                self._apart(path)

    def _integers(self, old: Any, new: Any, path: str) -> None:
        import numpy as np

        for a, b in _pieces(old, new):
            apart = a != b
            if apart.any():
                a, b = a[apart].astype(np.float64), b[apart].astype(np.float64)
                distance = np.abs(b - a)
                with np.errstate(all="ignore"):
                    self._note(float(distance.max()), float(np.where(a != 0, distance / np.abs(a), np.inf).max()))
                self._apart(path)


def _pieces(old: Any, new: Any) -> Iterable[tuple[Any, Any]]:
    """Give two arrays of one shape as flat pieces, in one order."""
    if old.flags.f_contiguous and not old.flags.c_contiguous:
        old, new = old.T, new.T
    old, new = old.reshape(-1), new.reshape(-1)
    for first in range(0, old.size, _PIECE):
        yield old[first : first + _PIECE], new[first : first + _PIECE]


def _is_array(value: object) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic))


Take = Callable[[Any], object]


def _parts(kind: type) -> list[tuple[str, Take]] | None:
    """Tell how values of a kind are taken apart; None for what is compared as a whole."""
    codec = classes.codecs_by_kind.get(kind)
    if codec is not None:
        return [("", codec.to)]
    if dataclasses.is_dataclass(kind):
        return [(f".{f.name}", _attribute(f.name)) for f in dataclasses.fields(kind)]
    names = getattr(kind, "_fields", None)
    if issubclass(kind, tuple) and isinstance(names, tuple):
        return [(f".{name}", _attribute(name)) for name in names]
    return None


def _attribute(name: str) -> Take:
    return lambda value: getattr(value, name, None)


def _equal(old: object, new: object) -> bool:
    """Tell whether two values have one encoding; what has none is never the same."""
    try:
        return encode(old, put=array_digest).component == encode(new, put=array_digest).component
    except NoEncoding:
        return False
