"""The series that one running cell appends to: files beside its states, or memory where there is no store."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowcore.store.generations import Generations
from flowcore.store.manifest import SeriesMark
from flowcore.store.series import BadSeries, Series, frame_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FLOAT = "<f8"
_pack_float = struct.Struct("<d").pack


class Collected:
    """Series by name. One thread."""

    def __init__(self) -> None:
        self.home: Generations | None = None
        self._open: dict[str, Series] = {}
        self._memory: dict[str, list[NDArray[Any]]] = {}

    def append(self, name: str, value: object) -> None:
        """Add a frame; ValueError if it is unlike the ones before."""
        series = self._open.get(name)
        if series is not None and isinstance(value, float) and series.descr == _FLOAT and not series.shape:
            series.add(_pack_float(value))  # a number a step: twenty times as fast as by way of an array
            return
        frame = frame_of(value)
        if self.home is None:
            self._remember(name, frame)
            return
        if series is None:
            series = self._open[name] = self.home.series(name, descr=frame.dtype.str, shape=frame.shape)
        if frame.dtype.str != series.descr or frame.shape != series.shape:
            raise _unlike(name, frame, series.descr, series.shape)
        series.append(frame)

    def read(self, name: str, *, mapped: bool) -> NDArray[Any]:
        """Give a series; LookupError if nothing was appended to it."""
        if name in self._memory:
            import numpy as np

            return np.stack(self._memory[name])
        if name not in self._open:
            raise LookupError(f"nothing was appended to a series {name!r}")
        return self._open[name].read(mapped=mapped)

    def commit(self) -> dict[str, SeriesMark]:
        """Have all frames on the medium, and give how far each series is committed."""
        return {name: series.commit() for name, series in self._open.items()}

    def cut(self, marks: Mapping[str, SeriesMark]) -> bool:
        """Go back to these watermarks; False, and no series, if a file does not hold what its watermark says."""
        self.close()
        assert self.home is not None or not marks, "only a home has watermarks"
        try:
            for name, mark in marks.items():
                if self.home is not None:
                    self._open[name] = self.home.series(name, mark=mark)
        except (BadSeries, OSError):
            self.close()
            return False
        return True

    def copy(self, other: Generations, marks: Mapping[str, SeriesMark]) -> None:
        """Take over the frames of another checkpoint's series."""
        for name, mark in marks.items():
            frames = other.peek(name)
            for frame in frames[: mark.count] if frames is not None else ():
                self.append(name, frame)

    def close(self) -> None:
        """Let go of the files."""
        for series in self._open.values():
            series.close()
        self._open.clear()

    def _remember(self, name: str, frame: NDArray[Any]) -> None:
        kept = self._memory.setdefault(name, [])
        if kept and (frame.dtype != kept[0].dtype or frame.shape != kept[0].shape):
            raise _unlike(name, frame, kept[0].dtype.str, kept[0].shape)
        kept.append(frame.copy())


def _unlike(name: str, frame: NDArray[Any], descr: str, shape: tuple[int, ...]) -> ValueError:
    here = f"{frame.dtype.str}{list(frame.shape)}"
    return ValueError(f"a frame of {here} for the series {name!r}, whose frames are {descr}{list(shape)}")
