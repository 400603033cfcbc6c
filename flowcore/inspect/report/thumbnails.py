"""Arrays as small pictures: two dimensions as PNG, one as a line in SVG.

Owns the pictures and their bytes. Promises that no picture is larger than a few kilobytes
whatever the array, that of a large one only some pages are read, and that what cannot be
pictured has none. The colours are close to matplotlib's viridis, whose lightness grows
evenly, so that it can be read without colour; what is not finite is left out.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from typing import Any

_ACROSS = 96  # pixels of a picture's longer side, at most
_POINTS = 160  # of a line
_HIGH = 40
_MOST = 1 << 26  # elements looked at, at most, of one array
_VIRIDIS = (
    (68, 1, 84), (72, 35, 116), (64, 67, 135), (52, 94, 141), (41, 120, 142), (32, 144, 140), (34, 167, 132),
    (68, 190, 112), (121, 209, 81), (189, 222, 38), (253, 231, 37),
)  # fmt: skip


def thumbnail(value: object) -> str:
    """Give a picture of an array as a ``data:`` address; empty for what has none.

    Examples
    --------
    >>> import numpy as np
    >>> thumbnail(np.eye(8))[:22]
    'data:image/png;base64,'
    """
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if not isinstance(shape, tuple) or dtype is None or getattr(dtype, "kind", "") not in "biufc" or 0 in shape:
        return ""
    import numpy as np

    array: Any = np.asarray(value)
    if array.dtype.kind == "c":
        array = np.abs(_thinned(array))
    if array.ndim == 3 and array.shape[2] > 4:
        array = array[:, :, array.shape[2] // 2]
    elif array.ndim > 2:
        array = array.reshape(-1, *array.shape[-2:])[-1] if array.ndim > 3 or array.shape[2] > 4 else array[:, :, 0]
    if array.ndim == 1 and len(array) > 1:
        return _line(array)
    return _picture(_thinned(array)) if array.ndim == 2 else ""


def png(pixels: Any) -> bytes:
    """Give an image of 8-bit red, green and blue as PNG; `pixels` has shape (height, width, 3).

    References
    ----------
    "Portable Network Graphics (PNG) Specification", W3C, 2003.
    """
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + pixels[y].tobytes() for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    whole = [struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
             for kind, data in parts]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(whole)


def _thinned(array: Any) -> Any:
    """Give every n-th element along each axis, so that none is longer than a picture's side."""
    return array[tuple(slice(None, None, -(-size // _ACROSS)) for size in array.shape)]


def _picture(array: Any) -> str:
    import numpy as np

    values = array.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return ""
    low, high = values[finite].min(), values[finite].max()
    place = np.where(finite, (values - low) / (high - low if high > low else 1.0), 0.0) * (len(_VIRIDIS) - 1)
    table = np.array(_VIRIDIS, np.float64)
    below = np.clip(place.astype(int), 0, len(_VIRIDIS) - 2)
    share = (place - below)[..., None]
    pixels = table[below] * (1 - share) + table[below + 1] * share
    pixels[~finite] = 128
    scale = max(1, 48 // max(array.shape))
    large = np.repeat(np.repeat(pixels.round().astype(np.uint8), scale, axis=0), scale, axis=1)
    return "data:image/png;base64," + b64encode(png(np.ascontiguousarray(large))).decode("ascii")


def _line(array: Any) -> str:
    """Draw what lies between the smallest and the largest of each few neighbours."""
    import numpy as np

    if len(array) > _MOST:
        array = array[:: -(-len(array) // _MOST)]
    parts = [part.astype(np.float64) for part in np.array_split(array, min(len(array), _POINTS))]
    lows = np.array([part[np.isfinite(part)].min(initial=np.inf) for part in parts])
    highs = np.array([part[np.isfinite(part)].max(initial=-np.inf) for part in parts])
    known = lows <= highs
    if not known.any():
        return ""
    low, high = lows[known].min(), highs[known].max()
    scale = (_HIGH - 4) / (high - low) if high > low else 0.0
    at = [(x, _HIGH - 2 - (a - low) * scale, _HIGH - 2 - (b - low) * scale) for x, (a, b, k)
          in enumerate(zip(lows, highs, known, strict=True)) if k]  # fmt: skip
    path = " ".join(f"{'M' if i == 0 else 'L'}{x} {b:.1f}" + (f"V{a:.1f}" if a - b > 0.5 else "")
                    for i, (x, a, b) in enumerate(at))  # fmt: skip
    width = max(2, len(parts))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HIGH}" preserveAspectRatio="none">'
        f'<path d="{path}" fill="none" stroke="#0072B2" vector-effect="non-scaling-stroke" stroke-width="1.5"/></svg>'
    )
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode("ascii")
