"""How a loop was left: by its own will, or by an exception.

Owns the look at the frame that a generator is closed from. ``break`` and ``return`` take
the iterator off the stack by an instruction of their own; an exception does so while the
frame still stands at the instruction that raised. Nothing else tells the two apart: both
close the generator, and neither is seen in it. Needs no source.
"""

from __future__ import annotations

import sys
from dis import opmap
from inspect import CO_GENERATOR
from types import FrameType
from typing import Final

_LEAVING: Final = frozenset(opmap[name] for name in ("POP_TOP", "POP_ITER") if name in opmap)


def at_exception() -> bool:
    """Tell whether the loop over the generator that asks, on its way out, was ended by an exception."""
    frame: FrameType | None = sys._getframe(2).f_back  # of whom closes it: above this, `_leave` and the generator
    while frame is not None and frame.f_code.co_flags & CO_GENERATOR:
        frame = frame.f_back  # what wraps the loop is closed itself
    return frame is None or frame.f_lasti < 0 or frame.f_code.co_code[frame.f_lasti] not in _LEAVING
